//! The first process of the namespaces: builds the root, starts the payload, and then only reaps.

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Gid, Mode, OFlags, Uid, open};
use rustix::io::Errno;
use rustix::process::{Signal, WaitOptions, WaitStatus, set_parent_process_death_signal, setsid, wait};
use rustix::stdio::{dup2_stderr, dup2_stdin, dup2_stdout};
use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};

use super::During;
use super::files::Laid;
use super::filter;
use super::ids::Ids;
use super::lower::Lower;
use super::news::{News, Sender};
use super::payload;
use super::root;
use super::sys::{self, Cloned};
use crate::execution::Exit;
use crate::fault::{Fault, trip};
use crate::launch::{Failure, LaunchSpec};
use crate::shown::GATE_PORT;

/// What the supervisor made ready on the host's side.
pub(super) struct Prepared {
    pub(super) lower: Lower,
    pub(super) files: Vec<Laid>,
    pub(super) ids: Ids,
    /// The host's mounts, as a mountinfo.
    pub(super) mounts: String,
    /// Whether cgroups bound memory and processes.
    pub(super) bounded: bool,
    /// Where the supervisor waits for `/job`, when it wants something of it.
    pub(super) job: Option<UnixStream>,
    /// Where the node waits for the ear of the gate, in a workshop.
    pub(super) gate: Option<UnixStream>,
}

/// Never returns; every failure is told and ends the process, and with it the namespaces.
pub(super) fn main(spec: &LaunchSpec, prepared: Prepared, go: OwnedFd, mut news: Sender) -> ! {
    if let Err(failure) = start(spec, prepared, &go, &mut news) {
        news.tell(&News::Failed(failure));
    }
    process::exit(1)
}

fn start(spec: &LaunchSpec, prepared: Prepared, go: &OwnedFd, news: &mut Sender) -> Result<(), Failure> {
    die_with_supervisor(go)?;
    setsid().during("starting a session")?;
    let null =
        open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty()).during("opening /dev/null")?;
    dup2_stdin(&null).during("closing standard input")?;
    // Sources below a private home can only be opened now, under the old user, in the new mount namespace; and while
    // the supervisor maps ids and asks the groups who is in them.
    let sources = root::Sources::open(spec)?;
    let mut byte = [0_u8; 1];
    match rustix::io::read(go, &mut byte) {
        Ok(1) => {}
        // The supervisor gave up or died.
        Ok(_) | Err(_) => process::exit(1),
    }
    trip(&spec.faults, Fault::CgroupNamespace)
        .and_then(|()| sys::unshare_cgroup())
        .during("entering a cgroup namespace")?;
    if prepared.ids.root_inside {
        become_user(0)?;
        die_with_supervisor(go)?;
    }
    let Prepared { lower, files, ids, mounts, bounded, job, gate } = prepared;
    let (built, files) = root::build(spec, &sources, lower, files, &ids, &mounts)?;
    drop(sources);
    news.tell(&News::Root {
        overlay: built.overlay,
        lock_isolation: built.lock_isolation,
        proc_mounted: built.proc_mounted,
    });
    if let Some(socket) = job {
        hand_out_job(&socket).during("handing out the tree")?;
    }
    trip(&spec.faults, Fault::Loopback)
        .and_then(|()| sys::loopback_up())
        .during("bringing up the loopback interface")?;
    if let Some(node) = gate {
        hand_out_gate(&node).during("opening the gate")?;
    }
    rustix::system::sethostname(b"box").during("naming the host")?;
    match sys::clone(0).during("starting the payload")? {
        Cloned::Child => payload::main(spec, &files, &ids, bounded, news),
        Cloned::Parent(pid, _pidfd) => {
            drop(files);
            dup2_stdout(&null).during("leaving the output")?;
            dup2_stderr(&null).during("leaving the output")?;
            payload::give_up_privileges(&ids, false)?;
            // Without them no signal from inside reaches the first process of a namespace.
            sys::default_signals();
            trip(&spec.faults, Fault::Seccomp).during("installing the reaper's filter")?;
            filter::install_for_reaping()?;
            reap(pid, news)
        }
    }
}

/// The tree outlives the namespace for as long as somebody holds it.
fn hand_out_job(socket: &UnixStream) -> io::Result<()> {
    let job = open("/job", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    sys::send_descriptor(socket, &job)
}

/// A listener belongs to the network it was made in, whoever holds it.
fn hand_out_gate(node: &UnixStream) -> io::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, GATE_PORT))?;
    sys::send_descriptor(node, &listener)
}

/// Reaps everybody's orphans until the payload itself ends.
fn reap(payload: rustix::process::Pid, news: &mut Sender) -> Result<(), Failure> {
    loop {
        match wait(WaitOptions::empty()) {
            Ok(Some((pid, status))) if pid == payload => {
                news.tell(&News::Ended(exit_of(status)));
                process::exit(0)
            }
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error).during("waiting for the payload"),
        }
    }
}

fn exit_of(status: WaitStatus) -> Exit {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => Exit::Code(code),
        (None, signal) => Exit::Signal(signal.unwrap_or_default()),
    }
}

/// As below; and gone already if the supervisor died before the kernel knew.
fn die_with_supervisor(go: &OwnedFd) -> Result<(), Failure> {
    die_with_parent()?;
    let mut waiting = [PollFd::new(go, PollFlags::empty())];
    poll(&mut waiting, Some(&Timespec::default())).during("asking for the supervisor")?;
    if waiting[0].revents().contains(PollFlags::HUP) {
        process::exit(1)
    }
    Ok(())
}

/// The kernel forgets this at every change of user, so it is said again after each.
pub(super) fn die_with_parent() -> Result<(), Failure> {
    set_parent_process_death_signal(Some(Signal::KILL)).during("tying the child's life to its parent's")
}

/// Becomes user and group `id` of the namespace, with no other group.
pub(super) fn become_user(id: u32) -> Result<(), Failure> {
    let (uid, gid) = (Uid::from_raw(id), Gid::from_raw(id));
    set_thread_groups(&[]).during("leaving groups")?;
    set_thread_res_gid(gid, gid, gid).during("changing the group")?;
    set_thread_res_uid(uid, uid, uid).during("changing the user")
}
