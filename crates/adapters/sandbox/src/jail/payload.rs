//! The process that becomes the command: it lays the files, then gives up everything, step by step.

use std::os::unix::process::CommandExt;
use std::process::{self, Command};

use landlock::{
    ABI, Access, AccessFs, CompatLevel, Compatible, Ruleset, RulesetAttr, RulesetCreatedAttr, Scope,
    path_beneath_rules,
};
use rustix::fs::{Mode, OFlags, open};
use rustix::io::Errno;
use rustix::process::{
    DumpableBehavior, Resource, Rlimit, chdir, getrlimit, set_dumpable_behavior, setrlimit,
};
use rustix::stdio::{dup2_stdin, stdout};
use rustix::thread::{
    CapabilitySet, CapabilitySets, clear_ambient_capability_set, remove_capability_from_bounding_set,
    set_capabilities, set_no_new_privs,
};

use super::During;
use super::files::{self, Laid};
use super::filter;
use super::first::{become_user, die_with_parent};
use super::ids::{Ids, PAYLOAD};
use super::news::{News, Sender};
use super::{sys, watch};
use crate::fault::{Fault, trip};
use crate::launch::{Failure, LaunchSpec};
use crate::shown::PLACE;

/// Capability numbers end far below; the kernel says where.
const MAX_CAPABILITIES: u32 = 64;
/// Open files per process: what distributions give a login, and enough for compilers and test runners.
const OPEN_FILES: u64 = 1024;
const STACK_BYTES: u64 = 64 << 20;
const LOCKED_BYTES: u64 = 64 << 10;
const PENDING_SIGNALS: u64 = 1024;

/// Never returns: becomes the command, or tells why not.
pub(super) fn main(spec: &LaunchSpec, files: &[Laid], ids: &Ids, bounded: bool, news: &mut Sender) -> ! {
    if let Err(failure) = become_command(spec, files, ids, bounded, news) {
        news.tell(&News::Failed(failure));
    }
    process::exit(1)
}

fn become_command(
    spec: &LaunchSpec,
    files: &[Laid],
    ids: &Ids,
    bounded: bool,
    news: &mut Sender,
) -> Result<(), Failure> {
    trip(&spec.faults, Fault::Privileges).during("dropping capabilities")?;
    give_up_privileges(ids, true)?;
    let flags = OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC;
    let job = open("/job", flags, Mode::empty()).during("opening /job")?;
    files::lay(&job, files)?;
    chdir("/job").during("entering /job")?;
    trip(&spec.faults, Fault::Limits)
        .and_then(|()| Ok(limit(spec, bounded, watch::is_possible())?))
        .during("setting limits")?;
    if trip(&spec.faults, Fault::Landlock).is_ok()
        && let Some(abi) = restrict_paths(spec.workshop)?
    {
        news.tell(&News::Landlock(abi));
    }
    sys::close_others(true).during("closing descriptors")?;
    sys::default_signals();
    if spec.spoken {
        dup2_stdin(stdout()).during("taking the conversation as input")?;
    }
    trip(&spec.faults, Fault::Seccomp).during("installing the system call filter")?;
    filter::install()?;
    let (program, arguments) =
        spec.argv.split_first().ok_or("no program").during_job("starting the command")?;
    let error = Command::new(program).args(arguments).env_clear().envs(&spec.env).exec();
    Err(error).during_job(format!("starting {program}"))
}

/// Drops every capability for good, and for the payload the namespace's user 0 too.
pub(super) fn give_up_privileges(ids: &Ids, payload: bool) -> Result<(), Failure> {
    for number in 0..MAX_CAPABILITIES {
        match remove_capability_from_bounding_set(CapabilitySet::from_bits_retain(1 << number)) {
            Ok(()) => {}
            Err(Errno::INVAL) => break,
            Err(error) => return Err(error).during("dropping the capability bound"),
        }
    }
    if payload && ids.root_inside {
        become_user(PAYLOAD)?;
        die_with_parent()?;
    }
    clear_ambient_capability_set().during("clearing ambient capabilities")?;
    let none = CapabilitySet::empty();
    set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none })
        .during("dropping capabilities")?;
    set_no_new_privs(true).during("refusing new privileges")?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable).during("refusing to be traced")
}

/// The limits of one process and all its children; `bounded` says that groups bound memory and number, `watched` that
/// memory is looked at from outside where they do not.
pub(crate) fn limit(spec: &LaunchSpec, bounded: bool, watched: bool) -> rustix::io::Result<()> {
    // The cgroup counts all processes together; this one stops a single one when nobody counts.
    let cpu_seconds = spec.limits.cpu_ms.div_ceil(1000).max(1);
    let mut bounds = vec![
        (Resource::Core, 0),
        (Resource::Fsize, spec.limits.disk_bytes),
        (Resource::Nofile, OPEN_FILES),
        (Resource::Memlock, LOCKED_BYTES),
        (Resource::Msgqueue, 0),
        (Resource::Sigpending, PENDING_SIGNALS),
        (Resource::Rtprio, 0),
        (Resource::Nice, 0),
        (Resource::Stack, STACK_BYTES),
    ];
    if !bounded {
        bounds.push((Resource::Nproc, u64::from(spec.limits.processes)));
        // Writable memory rather than address space: run times reserve far more of that than they use.
        if !watched {
            bounds.push((Resource::Data, spec.limits.memory_bytes));
        }
    }
    for (resource, most) in bounds {
        let most = getrlimit(resource).maximum.map_or(most, |ceiling| ceiling.min(most));
        setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })?;
    }
    // A second between the signal that can be caught and the one that cannot.
    setrlimit(Resource::Cpu, Rlimit { current: Some(cpu_seconds), maximum: Some(cpu_seconds + 1) })
}

/// Landlock as a second opinion on the mounts: read and execute anywhere, write in three places, and in a workshop in
/// one more. Where the kernel has it, all of what it has must take hold.
fn restrict_paths(workshop: bool) -> Result<Option<u8>, Failure> {
    let abi = ABI::from(sys::landlock_abi());
    if abi == ABI::Unsupported {
        return Ok(None);
    }
    let all = AccessFs::from_all(abi);
    let apply = || {
        let mut rules =
            Ruleset::default().set_compatibility(CompatLevel::HardRequirement).handle_access(all)?;
        if abi >= ABI::V6 {
            rules = rules.scope(Scope::from_all(abi))?;
        }
        // Each rule is made for what it is put on: directories take rights that files do not.
        let devices = ["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"];
        rules
            .create()?
            .add_rules(path_beneath_rules(["/"], AccessFs::from_read(abi)))?
            .add_rules(path_beneath_rules(["/job", "/tmp", "/dev/shm"], all))?
            .add_rules(path_beneath_rules(workshop.then_some(PLACE), all))?
            .add_rules(path_beneath_rules(devices, all))?
            .restrict_self()
    };
    apply().during("restricting paths")?;
    Ok(u8::try_from(abi as i32).ok())
}
