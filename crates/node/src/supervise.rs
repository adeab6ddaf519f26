//! A child process that is kept running: started again with growing pauses when it ends, asked to stop before it
//! is killed, and gone when this process is gone. Its standard input stays open as long as we live, so a child
//! that reads end-of-file there knows that it is alone.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How to run and restart a child.
#[derive(Debug, Clone)]
pub(crate) struct ChildSpec {
    /// What it is called in logs.
    pub(crate) name: &'static str,
    /// The program, normally our own.
    pub(crate) program: PathBuf,
    /// Its arguments.
    pub(crate) args: Vec<OsString>,
    /// Pause before the first restart; doubles with every failure in a row.
    pub(crate) first_pause: Duration,
    /// Longest pause.
    pub(crate) longest_pause: Duration,
    /// A child that ran this long was healthy: its end is the first failure again.
    pub(crate) healthy_after: Duration,
    /// Time between asking to stop and killing.
    pub(crate) grace: Duration,
}

impl ChildSpec {
    /// The usual bounds.
    pub(crate) fn new(name: &'static str, program: PathBuf, args: Vec<OsString>) -> Self {
        Self {
            name,
            program,
            args,
            first_pause: Duration::from_millis(250),
            longest_pause: Duration::from_secs(30),
            healthy_after: Duration::from_secs(60),
            grace: Duration::from_secs(5),
        }
    }

    /// Pause before the restart after `failures` (from 1) in a row.
    fn pause(&self, failures: u32) -> Duration {
        self.first_pause
            .saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1)))
            .min(self.longest_pause)
    }
}

/// Where the child stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ChildState {
    /// Not started yet.
    Starting,
    /// Alive.
    Running {
        /// Its process.
        pid: u32,
    },
    /// Ended; another is started after the pause.
    Restarting {
        /// How it ended.
        reason: String,
        /// The pause.
        pause: Duration,
    },
    /// Stopped for good.
    Stopped,
}

/// Owner of one child.
#[derive(Debug)]
pub(crate) struct Supervisor {
    spec: ChildSpec,
    state: watch::Sender<ChildState>,
}

impl Supervisor {
    /// Nothing is started before [`run`](Self::run).
    pub(crate) fn new(spec: ChildSpec) -> (Self, watch::Receiver<ChildState>) {
        let (state, seen) = watch::channel(ChildState::Starting);
        (Self { spec, state }, seen)
    }

    /// Keeps the child running until `shutdown`; the child has ended when this returns. Must not run on a
    /// blocking thread: a child that asked to die with its parent dies with the *thread* that started it.
    pub(crate) async fn run(self, shutdown: CancellationToken) {
        let mut failures = 0;
        while !shutdown.is_cancelled() {
            let started = Instant::now();
            let Some(reason) = self.run_once(&shutdown).await else { break };
            failures = if started.elapsed() >= self.spec.healthy_after { 1 } else { failures + 1 };
            let pause = self.spec.pause(failures);
            tracing::warn!(child = self.spec.name, reason, ?pause, "child ended; starting it again");
            self.state.send_replace(ChildState::Restarting { reason, pause });
            tokio::select! {
                biased;
                () = shutdown.cancelled() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
        self.state.send_replace(ChildState::Stopped);
    }

    /// One life of the child: how it ended, or none when it was stopped.
    async fn run_once(&self, shutdown: &CancellationToken) -> Option<String> {
        let mut child = match self.spawn() {
            Ok(child) => child,
            Err(error) => return Some(format!("cannot start {}: {error}", self.spec.program.display())),
        };
        // Waiting for a child closes its standard input unless we hold it; an open one means "your parent lives".
        let lifeline = child.stdin.take();
        let pid = child.id().unwrap_or_default();
        tracing::info!(child = self.spec.name, pid, "child started");
        self.state.send_replace(ChildState::Running { pid });
        tokio::select! {
            biased;
            () = shutdown.cancelled() => {
                self.stop(&mut child, lifeline).await;
                None
            }
            ended = child.wait() => Some(match ended {
                Ok(status) => status.to_string(),
                Err(error) => error.to_string(),
            }),
        }
    }

    fn spawn(&self) -> std::io::Result<Child> {
        Command::new(&self.spec.program)
            .args(&self.spec.args)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
    }

    async fn stop(&self, child: &mut Child, lifeline: Option<ChildStdin>) {
        ask_to_stop(child);
        drop(lifeline);
        if tokio::time::timeout(self.spec.grace, child.wait()).await.is_err() {
            tracing::warn!(child = self.spec.name, grace = ?self.spec.grace, "child did not stop; killing it");
            let _gone_already = child.kill().await;
        }
    }
}

/// Elsewhere than on Unix there is no polite signal: the closed standard input asks.
fn ask_to_stop(child: &Child) {
    #[cfg(unix)]
    if let Some(pid) =
        child.id().and_then(|pid| i32::try_from(pid).ok()).and_then(rustix::process::Pid::from_raw)
    {
        let _gone_already = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
    }
    #[cfg(not(unix))]
    let _ = child;
}

/// Called by a child of ours when it starts. It must not outlive the node, however that ends; and a Ctrl-C at the
/// node's terminal is the node's business, which stops its children in order.
pub(crate) fn become_child() {
    #[cfg(unix)]
    if let Err(error) = rustix::process::setpgid(None, None) {
        tracing::warn!(%error, "cannot leave the terminal's process group");
    }
    #[cfg(target_os = "linux")]
    {
        let kill = Some(rustix::process::Signal::KILL);
        if let Err(error) = rustix::process::set_parent_process_death_signal(kill) {
            tracing::warn!(%error, "cannot ask to die with the parent");
        }
    }
}

#[cfg(all(test, unix))]
mod tests;
