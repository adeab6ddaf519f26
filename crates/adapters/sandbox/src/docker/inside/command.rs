//! The process that becomes the command: it takes on its limits and filters, step by step, under the container's own.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use landlock::{
    ABI, Access, AccessFs, CompatLevel, Compatible, Ruleset, RulesetAttr, RulesetCreatedAttr, Scope,
    path_beneath_rules,
};
use rustix::fs::{Mode, OFlags, open};
use rustix::process::{DumpableBehavior, chdir, set_dumpable_behavior, setsid};
use rustix::stdio::dup2_stdin;
use rustix::thread::set_no_new_privs;
use serde::{Deserialize, Serialize};

use super::lay::JOB;
use crate::jail::{During, filter, payload, sys};
use crate::launch::{Failure, LaunchSpec};

/// Folders of an image that hold nothing a command needs, and much about the host.
const HIDDEN: &[&str] = &["/boot", "/dev", "/home", "/lost+found", "/root", "/run", "/sys"];
const WRITTEN: &[&str] = &[JOB, "/tmp", "/dev/shm"];
const DEVICES: &[&str] = &["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"];

/// What the box tells it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Order {
    pub(super) launch: LaunchSpec,
    /// Whether groups bound memory and number of processes.
    pub(super) bounded: bool,
}

/// What it tells the box, over a socket that the command never has.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Word {
    /// All layers are in force; the command is next.
    Ready { landlock_abi: Option<u8> },
    /// The command will not start.
    Failed(Failure),
}

/// Returns only when it cannot become the command.
pub(super) fn main() -> ExitCode {
    let Ok(socket) = io::stdin().as_fd().try_clone_to_owned() else { return ExitCode::FAILURE };
    let mut socket = File::from(socket);
    if let Err(failure) = become_command(&mut socket) {
        tell(&mut socket, &Word::Failed(failure));
    }
    ExitCode::FAILURE
}

fn tell(socket: &mut File, word: &Word) {
    if let Ok(mut line) = serde_json::to_vec(word) {
        line.push(b'\n');
        // When nobody listens the box is dead, and the container with it.
        let _dead_with_it = socket.write_all(&line);
    }
}

fn become_command(socket: &mut File) -> Result<(), Failure> {
    let mut text = Vec::new();
    socket.read_to_end(&mut text).during("hearing the box")?;
    let order: Order = serde_json::from_slice(&text).during("understanding the box")?;
    let spec = &order.launch;
    // While this process can still write about itself: the kernel should pick the command before the box.
    fs::write("/proc/self/oom_score_adj", "500").during("standing first in line")?;
    let null =
        open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty()).during("opening /dev/null")?;
    dup2_stdin(&null).during("closing standard input")?;
    setsid().during("starting a session")?;
    set_no_new_privs(true).during("refusing new privileges")?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable).during("refusing to be traced")?;
    chdir(JOB).during("entering /job")?;
    payload::limit(spec, order.bounded, false).during("setting limits")?;
    let landlock_abi = restrict_paths()?;
    sys::close_others(true).during("closing descriptors")?;
    sys::default_signals();
    filter::install()?;
    tell(socket, &Word::Ready { landlock_abi });
    let (program, arguments) =
        spec.argv.split_first().ok_or("no program").during_job("starting the command")?;
    let error = Command::new(program).args(arguments).env_clear().envs(&spec.env).exec();
    Err(error).during_job(format!("starting {program}"))
}

/// Read and execute in the image, write in three places, five devices. What a daemon mounts besides (its own
/// `/sys`, terminals) is out of reach.
fn restrict_paths() -> Result<Option<u8>, Failure> {
    let abi = ABI::from(sys::landlock_abi());
    if abi == ABI::Unsupported {
        return Ok(None);
    }
    let shown = shown().during("listing the image")?;
    let all = AccessFs::from_all(abi);
    let apply = || {
        let mut rules =
            Ruleset::default().set_compatibility(CompatLevel::HardRequirement).handle_access(all)?;
        if abi >= ABI::V6 {
            rules = rules.scope(Scope::from_all(abi))?;
        }
        rules
            .create()?
            .add_rules(path_beneath_rules(shown, AccessFs::from_read(abi)))?
            .add_rules(path_beneath_rules(WRITTEN, all))?
            .add_rules(path_beneath_rules(DEVICES, all))?
            .restrict_self()
    };
    apply().during("restricting paths")?;
    Ok(u8::try_from(abi as i32).ok())
}

/// The folders of the image. Links at the top of it lead into one of these.
fn shown() -> io::Result<Vec<PathBuf>> {
    let mut shown = Vec::new();
    for entry in fs::read_dir("/")? {
        let entry = entry?;
        let hidden = HIDDEN.iter().any(|name| entry.path().as_os_str() == *name);
        if entry.file_type()?.is_dir() && !hidden {
            shown.push(entry.path());
        }
    }
    Ok(shown)
}
