//! The outer process: prepares on the host's side, waits, kills, and tells what happened.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use edgecoder_base::Level;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{CWD, FileType, Gid, Mode, OFlags, ResolveFlags, Uid, fchown, fstat, openat2};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{
    DumpableBehavior, Pid, Signal, WaitOptions, pidfd_send_signal, set_dumpable_behavior, waitpid,
};

use super::During;
use super::cgroup::{self, Cgroup};
use super::collect::{self, Collected};
use super::files::Laid;
use super::first::{self, Prepared};
use super::ids::Ids;
use super::lower;
use super::news::{self, News};
use super::sys::{self, Cloned};
use super::watch::{self, Watch};
use crate::execution::Exit;
use crate::fault::{Fault, trip};
use crate::launch::{Failure, LaunchSpec, Layers, Outcome};

/// How often the processor time of the cgroup is read.
const CPU_CHECK: Duration = Duration::from_millis(100);

/// Runs the launch that stands on standard input. The error is for a node that talks nonsense.
pub(super) fn run() -> io::Result<(UnixStream, Outcome, Vec<Vec<u8>>)> {
    sys::close_others(false)?;
    let mut control = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    let (spec, contents) = LaunchSpec::read(&mut control)?;
    let laid = |(file, content): (&crate::launch::LaidFile, Option<Vec<u8>>)| Laid {
        path: file.path.clone(),
        content,
        mode: if file.executable { 0o755 } else { 0o644 },
    };
    let files = spec.files.iter().zip(contents).map(laid).collect();
    let (outcome, artefacts) = match supervise(&spec, files, &control) {
        Ok(ended) => ended,
        Err(failure) => (Outcome::Failed(failure), Vec::new()),
    };
    Ok((control, outcome, artefacts))
}

/// A run that has begun.
struct Run<'a> {
    pid: Pid,
    pidfd: OwnedFd,
    cgroup: Cgroup,
    control: &'a UnixStream,
    spec: &'a LaunchSpec,
    /// Where `/job` will be handed out, when something of it is wanted.
    job: Option<UnixStream>,
    /// Says go, and by closing that there is nobody left to say anything.
    go: OwnedFd,
}

/// How it ended, and the bytes of the artefacts.
type Ended = (Outcome, Vec<Vec<u8>>);

fn supervise(spec: &LaunchSpec, files: Vec<Laid>, control: &UnixStream) -> Result<Ended, Failure> {
    let deadline = Instant::now() + Duration::from_millis(spec.limits.wall_ms);
    check_ground(spec)?;
    let ids = Ids::choose();
    give_streams(&ids);
    let lower = lower::prepare(&spec.root, &ids)?;
    // The kernel takes its time to list them, so it is asked once.
    let mounts = cgroup::mounts();
    let cgroup = Cgroup::create(spec, &mounts);
    let (job_here, job_there) = match spec.collect.is_empty() {
        true => (None, None),
        false => UnixStream::pair().map(|(a, b)| (Some(a), Some(b))).during("opening a socket")?,
    };
    let gate = spec.workshop.then(|| control.try_clone()).transpose().during("copying the socket")?;
    let (go_read, go_write) = pipe_with(PipeFlags::CLOEXEC).during("opening a pipe")?;
    let (news_read, news_write) = news::pipe().during("opening a pipe")?;
    let bounded = cgroup.bounds_memory() && cgroup.bounds_processes();
    let level = if bounded { Level::S3 } else { Level::S2 };
    if level < spec.min_level {
        return Err(format!("only {level} is possible here"))
            .during(format!("reaching level {}", spec.min_level));
    }
    for namespace in [Fault::UserNamespace, Fault::NetNamespace, Fault::PidNamespace] {
        trip(&spec.faults, namespace).during("creating namespaces")?;
    }
    cgroup.enter().during("entering the cgroup")?;
    let cloned = sys::clone(sys::NAMESPACES).during("creating namespaces");
    // The child stays, and everybody else must be out before the groups can go.
    let out = match cloned {
        Ok(Cloned::Child) => Ok(()),
        Ok(Cloned::Parent(..)) | Err(_) => cgroup.leave().during("leaving the cgroup"),
    };
    match cloned? {
        Cloned::Child => {
            drop((go_write, news_read, job_here, cgroup.forget()));
            let prepared = Prepared { lower, files, ids, mounts, bounded, job: job_there, gate };
            first::main(spec, prepared, go_read, news_write)
        }
        Cloned::Parent(pid, pidfd) => {
            drop((go_read, news_write, job_there, gate, lower, files, mounts));
            let run = Run { pid, pidfd, cgroup, control, spec, job: job_here, go: go_write };
            let cause = out.and_then(|()| run.release(&ids)).and_then(|()| run.watch(deadline));
            run.end(cause, news_read)
        }
    }
}

impl Run<'_> {
    /// Puts the child where it belongs and lets it go. If we die before, its pipe closes and it exits.
    fn release(&self, ids: &Ids) -> Result<(), Failure> {
        trip(&self.spec.faults, Fault::IdMaps)
            .and_then(|()| ids.install(self.pid))
            .during("mapping user ids")?;
        // Not earlier: the maps of a process that cannot be dumped belong to root.
        set_dumpable_behavior(DumpableBehavior::NotDumpable).during("refusing to be traced")?;
        trip(&self.spec.faults, Fault::CgroupEntry)
            .and_then(|()| self.cgroup.join(self.pid))
            .during("joining the cgroup")?;
        // Under pressure the kernel should pick the payload before the node; refused only to the powerless.
        let _best_effort =
            std::fs::write(format!("/proc/{}/oom_score_adj", self.pid.as_raw_nonzero()), "500");
        rustix::io::write(&self.go, b"g").map(drop).during("releasing the child")
    }

    /// Waits for the end, or for a reason to make one.
    fn watch(&self, deadline: Instant) -> Result<Option<Exit>, Failure> {
        let unbounded = !self.cgroup.bounds_memory() && watch::is_possible();
        let mut watch = unbounded.then(|| Watch::new(self.pid, self.spec.limits.memory_bytes));
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(Some(Exit::WallTimeout));
            }
            let mut waiting = [
                PollFd::new(&self.pidfd, PollFlags::IN),
                PollFd::new(self.control, PollFlags::IN | PollFlags::RDHUP),
            ];
            let pause = watch.as_ref().map_or(CPU_CHECK, |watch| watch.pause().min(CPU_CHECK));
            let timeout = Timespec::try_from(left.min(pause)).during("reading the clock")?;
            match poll(&mut waiting, Some(&timeout)) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error).during("waiting"),
            }
            if !waiting[0].revents().is_empty() {
                return Ok(None);
            }
            if !waiting[1].revents().is_empty() {
                // The node closed its end: it gave up on the run, or died.
                return Ok(Some(Exit::Signal(Signal::KILL.as_raw())));
            }
            if watch.as_mut().is_some_and(Watch::is_over) {
                return Ok(Some(Exit::OutOfMemory));
            }
            if self.over_cpu() {
                return Ok(Some(Exit::CpuTimeout));
            }
        }
    }

    fn over_cpu(&self) -> bool {
        self.cgroup.cpu_ms().is_some_and(|used| used >= self.spec.limits.cpu_ms)
    }

    /// Kills what is left, reaps it, and puts together what happened. Killing the first process makes the
    /// kernel kill the whole namespace before `waitpid` returns.
    fn end(self, cause: Result<Option<Exit>, Failure>, news: OwnedFd) -> Result<Ended, Failure> {
        self.cgroup.kill();
        // It may just have ended by itself.
        let _dead_already = pidfd_send_signal(&self.pidfd, Signal::KILL);
        waitpid(Some(self.pid), WaitOptions::empty()).during("reaping")?;
        let reaped = sys::reaped();
        let news = news::hear(news).during("hearing the child")?;
        let mut layers = self.cgroup.layers();
        layers.cpu_ms = layers.cpu_ms.or(Some(reaped.cpu_ms));
        layers.memory_peak_bytes = layers.memory_peak_bytes.or(Some(reaped.largest_bytes));
        let mut ended = None;
        for item in news {
            match item {
                News::Failed(failure) => return Err(failure),
                News::Root { overlay, lock_isolation, proc_mounted } => {
                    layers = Layers { overlay, lock_isolation, proc_mounted, ..layers };
                }
                News::Landlock(abi) => layers.landlock_abi = Some(abi),
                News::Ended(exit) => ended = Some(exit),
            }
        }
        let exit = self.judge(cause?, ended, layers.cpu_ms);
        let Collected { entries, bytes } = self.artefacts()?;
        Ok((Outcome::Ended { exit, layers, artefacts: entries }, bytes))
    }

    fn artefacts(&self) -> Result<Collected, Failure> {
        let Some(socket) = &self.job else { return Ok(Collected::default()) };
        let job = sys::receive_descriptor(socket).during("receiving the tree")?;
        Ok(collect::collect(&job, &self.spec.collect, self.spec.limits.artefact_bytes))
    }

    fn judge(&self, cause: Option<Exit>, ended: Option<Exit>, cpu_ms: Option<u64>) -> Exit {
        let out_of_time = cpu_ms >= Some(self.spec.limits.cpu_ms);
        Exit::judged(cause, ended, self.cgroup.ran_out_of_memory(), out_of_time)
    }
}

/// What no run can do without, asked before anything is begun.
fn check_ground(spec: &LaunchSpec) -> Result<(), Failure> {
    if !spec.faults.is_empty() && !cfg!(debug_assertions) {
        return Err("this launcher has no fault switches").during("reading the launch");
    }
    // Artefacts and laid files are reached by it alone.
    let (flags, resolve) = (OFlags::PATH | OFlags::CLOEXEC, ResolveFlags::NO_SYMLINKS);
    trip(&spec.faults, Fault::Openat2)
        .and_then(|()| Ok(openat2(CWD, "/", flags, Mode::empty(), resolve)?))
        .during("asking for openat2")?;
    Ok(())
}

/// Hands the output pipes to the payload's user, or programs that reopen `/dev/stderr` are refused.
fn give_streams(ids: &Ids) {
    let (uid, gid) = ids.host_payload();
    for stream in [rustix::stdio::stdout(), rustix::stdio::stderr()] {
        let is_pipe = fstat(stream).is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Fifo);
        if ids.root_inside && is_pipe {
            // Only convenience hangs on it.
            let _best_effort = fchown(stream, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)));
        }
    }
}
