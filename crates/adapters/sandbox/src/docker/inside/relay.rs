//! The life of the command as the box sees it: start it, pass its output on, keep its limits, end all of it.

use std::fs::File;
use std::io::{self, Read};
use std::net::Shutdown;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitOptions, WaitStatus, kill_process_group, pidfd_open, wait,
};

use super::bounds::Bounds;
use super::command::{Order, Word};
use super::{COMMAND, FRAME_BYTES, lay, say};
use crate::docker::BOX;
use crate::docker::wire::{BoxLaunch, Channel};
use crate::execution::Exit;
use crate::jail::collect::{self, Collected};
use crate::jail::{During, sys};
use crate::launch::{Failure, Outcome};

/// How often processor time is read and orphans are reaped.
const TICK: Duration = Duration::from_millis(100);

/// One command that was started.
struct Started {
    pid: Pid,
    pidfd: OwnedFd,
    streams: [(Channel, Option<File>); 2],
    landlock_abi: Option<u8>,
}

/// Runs the command to its end and takes what it left.
pub(super) fn run(
    launch: &BoxLaunch,
    bounds: &Bounds,
    output: &mut File,
) -> Result<(Outcome, Vec<Vec<u8>>), Failure> {
    let spec = &launch.launch;
    let deadline = Instant::now() + Duration::from_millis(spec.limits.wall_ms);
    let started = start(Order { launch: spec.clone(), bounded: bounds.hold() })?;
    let landlock_abi = started.landlock_abi;
    let mut running = Running { started, launch, bounds, output, passed: 0, ended: None };
    let cause = running.watch(deadline)?;
    running.end_all()?;
    let (reaped, bounded) = (sys::reaped(), bounds.layers());
    let layers = crate::launch::Layers {
        landlock_abi,
        cpu_ms: bounded.cpu_ms.or(Some(reaped.cpu_ms)),
        memory_peak_bytes: bounded.memory_peak_bytes.or(Some(reaped.largest_bytes)),
        ..bounded
    };
    let out_of_time = layers.cpu_ms >= Some(spec.limits.cpu_ms);
    let exit = Exit::judged(cause, running.ended, bounds.ran_out_of_memory(), out_of_time);
    let job = lay::open_job().during("opening /job")?;
    let Collected { entries, bytes } = collect::collect(&job, &spec.collect, spec.limits.artefact_bytes);
    Ok((Outcome::Ended { exit, layers, artefacts: entries }, bytes))
}

/// Starts this program again as the process that becomes the command, and hears that it is about to.
fn start(order: Order) -> Result<Started, Failure> {
    let (mut ours, theirs) = UnixStream::pair().during("opening a socket")?;
    let mut child = Command::new(BOX)
        .arg(COMMAND)
        .env_clear()
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .during("starting the command's process")?;
    serde_json::to_writer(&mut ours, &order).during("telling the command's process")?;
    ours.shutdown(Shutdown::Write).during("telling the command's process")?;
    let mut said = String::new();
    ours.read_to_string(&mut said).during("hearing the command's process")?;
    let mut ready = None;
    for line in said.lines() {
        match serde_json::from_str(line).during("understanding the command's process")? {
            Word::Ready { landlock_abi } => ready = Some(landlock_abi),
            Word::Failed(failure) => return Err(failure),
        }
    }
    let landlock_abi = ready.ok_or("it ended without a word").during("starting the command's process")?;
    let pid =
        i32::try_from(child.id()).ok().and_then(Pid::from_raw).ok_or("no process id").during("starting")?;
    let pidfd = pidfd_open(pid, PidfdFlags::empty()).during("watching the command")?;
    let file = |stream: Option<OwnedFd>| stream.map(File::from);
    let streams = [
        (Channel::Stdout, file(child.stdout.take().map(OwnedFd::from))),
        (Channel::Stderr, file(child.stderr.take().map(OwnedFd::from))),
    ];
    Ok(Started { pid, pidfd, streams, landlock_abi })
}

struct Running<'a> {
    started: Started,
    launch: &'a BoxLaunch,
    bounds: &'a Bounds,
    output: &'a mut File,
    /// Bytes of output so far.
    passed: u64,
    /// How the command itself ended.
    ended: Option<Exit>,
}

impl Running<'_> {
    /// Until the command ends, or there is a reason to end it.
    fn watch(&mut self, deadline: Instant) -> Result<Option<Exit>, Failure> {
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(Some(Exit::WallTimeout));
            }
            let orphaned = self.wait_a_little(left.min(TICK))?;
            self.reap()?;
            if orphaned {
                // The node closed its end: it gave up on the run, or died.
                return Ok(Some(Exit::Signal(Signal::KILL.as_raw())));
            }
            if self.ended.is_some() {
                return Ok(None);
            }
            if self.passed > self.launch.flood_bytes {
                return Ok(Some(Exit::OutputFlood));
            }
            if self.bounds.cpu_ms().is_some_and(|used| used >= self.launch.launch.limits.cpu_ms) {
                return Ok(Some(Exit::CpuTimeout));
            }
        }
    }

    /// Passes output on, or waits for some; whether the node is gone.
    fn wait_a_little(&mut self, most: Duration) -> Result<bool, Failure> {
        let timeout = Timespec::try_from(most).during("reading the clock")?;
        let stdin = io::stdin();
        let input = stdin.as_fd();
        let open: Vec<usize> = (0..2).filter(|&at| self.started.streams[at].1.is_some()).collect();
        let mut waiting =
            vec![PollFd::new(&input, PollFlags::IN), PollFd::new(&self.started.pidfd, PollFlags::IN)];
        waiting.extend(open.iter().filter_map(|&at| {
            self.started.streams[at].1.as_ref().map(|stream| PollFd::new(stream, PollFlags::IN))
        }));
        match poll(&mut waiting, Some(&timeout)) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error).during("waiting"),
        }
        let is_ready: Vec<bool> = waiting.iter().map(|one| !one.revents().is_empty()).collect();
        drop(waiting);
        for (&at, _) in open.iter().zip(&is_ready[2..]).filter(|&(_, &ready)| ready) {
            self.pass_on(at)?;
        }
        Ok(is_ready[0])
    }

    /// One piece of a stream that has something, or has ended.
    fn pass_on(&mut self, at: usize) -> Result<(), Failure> {
        let (channel, stream) = &mut self.started.streams[at];
        let Some(open) = stream else { return Ok(()) };
        let mut buffer = [0; FRAME_BYTES];
        match open.read(&mut buffer) {
            Ok(0) => *stream = None,
            Ok(count) => {
                self.passed = self.passed.saturating_add(count as u64);
                say(self.output, *channel, &buffer[..count]).during("passing output on")?;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error).during("reading output"),
        }
        Ok(())
    }

    /// Takes leave of everybody who has died. Orphans come to the first process of the namespace.
    fn reap(&mut self) -> Result<(), Failure> {
        loop {
            match wait(WaitOptions::NOHANG) {
                Ok(Some((pid, status))) => self.note(pid, status),
                Ok(None) | Err(Errno::CHILD) => return Ok(()),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error).during("reaping"),
            }
        }
    }

    fn note(&mut self, pid: Pid, status: WaitStatus) {
        if pid == self.started.pid {
            self.ended = Some(match (status.exit_status(), status.terminating_signal()) {
                (Some(code), _) => Exit::Code(code),
                (None, signal) => Exit::Signal(signal.unwrap_or_default()),
            });
        }
    }

    /// Kills everybody, waits for every death, and passes on what was still in the pipes.
    fn end_all(&mut self) -> Result<(), Failure> {
        loop {
            // As a group, process 1 means everybody but the caller.
            match kill_process_group(Pid::INIT, Signal::KILL) {
                Ok(()) | Err(Errno::SRCH) => {}
                Err(error) => return Err(error).during("killing"),
            }
            match wait(WaitOptions::empty()) {
                Ok(Some((pid, status))) => self.note(pid, status),
                Ok(None) | Err(Errno::INTR) => {}
                Err(Errno::CHILD) => break,
                Err(error) => return Err(error).during("reaping"),
            }
        }
        for at in 0..2 {
            while self.started.streams[at].1.is_some() {
                self.pass_on(at)?;
            }
        }
        Ok(())
    }
}
