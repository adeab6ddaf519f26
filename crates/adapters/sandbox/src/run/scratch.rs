//! A run without a launcher: a scratch copy of the tree, a process group, and whatever confinement the launch names.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{Child, Command};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::error::Error;
use crate::execution::{Exit, Job, JobFile, Output, Report};
use crate::launch::HostLaunch;
use crate::output::drain;

/// How long output may still arrive after the group was killed. A process that left the group can hold the
/// stream open for ever.
const LINGER: Duration = Duration::from_millis(500);

/// Kills the group when the run's future is dropped as well as when it ends.
struct Group(Pid);

impl Group {
    fn kill(&self) {
        // An empty group is what we want; there is nobody to tell.
        let _gone = kill_process_group(self.0, Signal::KILL);
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}

/// How a job is launched in a scratch copy of its tree.
pub(super) type Launching = fn(&Config, &Job, &Path) -> Result<HostLaunch, Error>;

/// `launching` is asked twice: whether it takes the job at all, before a file is copied, and then for the launch itself.
pub(super) async fn run(
    launching: Launching,
    config: &Config,
    job: &Job,
    cancel: &CancellationToken,
) -> Result<Report, Error> {
    launching(config, job, Path::new("/"))?;
    let started = Instant::now();
    let (root, files) = (job.root.clone(), job.files.clone());
    let scratch = tokio::task::spawn_blocking(move || scratch(&root, &files))
        .await
        .map_err(|error| Error::Scratch(io::Error::other(error)))?
        .map_err(Error::Scratch)?;
    // macOS reaches its temporary folder by a link, and enforces the path behind it.
    let folder = scratch.path().canonicalize().map_err(Error::Scratch)?;
    let launch = launching(config, job, &folder)?;
    let (mut child, group) = start(&launch, &folder).map_err(while_doing("the start"))?;
    let (flood, ended) = (Notify::new(), CancellationToken::new());
    let drained = drained(&mut child, job.limits.output_bytes, &flood, &ended);
    let end = async {
        let end = tokio::select! {
            biased;
            () = cancel.cancelled() => Err(Error::Cancelled),
            status = child.wait() => status.map(exit_of).map_err(while_doing("awaiting the end")),
            () = flood.notified() => Ok(Exit::OutputFlood),
            () = tokio::time::sleep(job.limits.wall) => Ok(Exit::WallTimeout),
        };
        group.kill();
        ended.cancel();
        end
    };
    let (exit, streams) = tokio::join!(end, drained);
    let (stdout, stderr) = streams.map_err(while_doing("draining the output"))?;
    Ok(Report {
        exit: exit?,
        stdout,
        stderr,
        wall: started.elapsed(),
        level: launch.level,
        degraded: launch.degraded,
        layers: None,
        artefacts: Vec::new(),
    })
}

fn while_doing(doing: &'static str) -> impl FnOnce(io::Error) -> Error {
    move |source| Error::Launcher { doing, source }
}

fn start(launch: &HostLaunch, folder: &Path) -> io::Result<(Child, Group)> {
    let (program, arguments) =
        launch.argv.split_first().ok_or_else(|| io::Error::other("the launch names no program"))?;
    let child = Command::new(program)
        .args(arguments)
        .env_clear()
        .envs(&launch.env)
        .current_dir(folder)
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let leader = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    let group = Group(leader.ok_or_else(|| io::Error::other("no process id"))?);
    Ok((child, group))
}

/// Both streams to their end, or to a moment after the run `ended`.
fn drained<'a>(
    child: &mut Child,
    limit: usize,
    flood: &'a Notify,
    ended: &'a CancellationToken,
) -> impl Future<Output = io::Result<(Output, Output)>> + use<'a> {
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    async move {
        let (Some(stdout), Some(stderr)) = (stdout, stderr) else { return Ok(Default::default()) };
        let leave = CancellationToken::new();
        let both = async {
            tokio::try_join!(drain(stdout, limit, flood, &leave), drain(stderr, limit, flood, &leave))
        };
        tokio::pin!(both);
        let overdue = async {
            ended.cancelled().await;
            tokio::time::sleep(LINGER).await;
        };
        tokio::select! {
            biased;
            both = &mut both => both,
            () = overdue => {
                leave.cancel();
                both.await
            }
        }
    }
}

fn exit_of(status: ExitStatus) -> Exit {
    match (status.code(), status.signal()) {
        (Some(code), _) => Exit::Code(code),
        (None, signal) => Exit::Signal(signal.unwrap_or_default()),
    }
}

/// A private copy of the tree with the files laid over it. Links and special files are left out, as in a
/// snapshot.
fn scratch(root: &Path, files: &[JobFile]) -> io::Result<tempfile::TempDir> {
    let scratch = tempfile::tempdir()?;
    copy(root, scratch.path())?;
    for file in files {
        let to = scratch.path().join(&file.path);
        match fs::remove_file(&to) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let Some(content) = &file.content else { continue };
        if let Some(parent) = to.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(&to, content)?;
        let mode = if file.executable { 0o755 } else { 0o644 };
        fs::set_permissions(&to, Permissions::from_mode(mode))?;
    }
    Ok(scratch)
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (kind, target) = (entry.file_type()?, to.join(entry.file_name()));
        if kind.is_dir() {
            fs::create_dir(&target)?;
            copy(&entry.path(), &target)?;
        } else if kind.is_file() {
            fs::copy(entry.path(), &target)?;
            let mode = fs::metadata(&target)?.permissions().mode() | 0o200;
            fs::set_permissions(&target, Permissions::from_mode(mode))?;
        }
    }
    Ok(())
}
