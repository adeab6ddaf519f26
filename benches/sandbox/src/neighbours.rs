//! Whoever starts a command with some confinement, each with the same tree, the same programs in view and its output
//! read to the end.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use edgecoder_sandbox::{Exit, Job, Sandbox};
use tokio::process::Command;
use tokio_util::sync::CancellationToken;

/// One way to run a command.
#[derive(Debug)]
pub(crate) enum Neighbour {
    /// The node's own.
    Ours(Sandbox),
    /// No confinement: the price of a process.
    Bare,
    /// With every namespace, and no filter, no limits, no Landlock.
    Bubblewrap(PathBuf),
    /// Hardened as its manual says.
    Docker { program: PathBuf, image: String },
}

/// What both shells are asked for.
const COMMAND: &str = "true";

impl Neighbour {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Ours(_) => "ours",
            Self::Bare => "bare",
            Self::Bubblewrap(_) => "bubblewrap",
            Self::Docker { .. } => "docker",
        }
    }

    /// Runs one command in `tree` and gives the time from the call to the end of everything.
    pub(crate) async fn start(&self, tree: &Path) -> anyhow::Result<Duration> {
        let started = Instant::now();
        match self {
            Self::Ours(sandbox) => {
                let report = sandbox.run(Job::new(tree, COMMAND), CancellationToken::new()).await?;
                ensure!(report.exit == Exit::Code(0), "ours ended with {:?}", report.exit);
            }
            Self::Bare => output(Command::new("/bin/sh").args(["-c", COMMAND]).current_dir(tree)).await?,
            Self::Bubblewrap(program) => output(&mut bubblewrap(program, tree)).await?,
            Self::Docker { program, image } => output(&mut docker(program, image, tree)).await?,
        }
        Ok(started.elapsed())
    }
}

async fn output(command: &mut Command) -> anyhow::Result<()> {
    let ended = command.stdin(Stdio::null()).output().await.context("starting a neighbour")?;
    ensure!(ended.status.success(), "{:?}: {}", ended.status, String::from_utf8_lossy(&ended.stderr));
    Ok(())
}

/// The trees that ours shows, as far as this machine has them, and a writable layer in memory over `tree`.
fn bubblewrap(program: &Path, tree: &Path) -> Command {
    let mut command = Command::new(program);
    command.args(["--unshare-all", "--unshare-user", "--die-with-parent", "--new-session", "--clearenv"]);
    command.args(["--ro-bind", "/usr", "/usr", "--ro-bind-try", "/opt", "/opt"]);
    for (target, link) in
        [("usr/bin", "/bin"), ("usr/sbin", "/sbin"), ("usr/lib", "/lib"), ("usr/lib64", "/lib64")]
    {
        command.args(["--symlink", target, link]);
    }
    for path in ["/etc/alternatives", "/etc/ssl/certs", "/etc/ld.so.cache"] {
        command.args(["--ro-bind-try", path, path]);
    }
    command.args(["--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--hostname", "box"]);
    command.args(["--ro-bind".as_ref(), tree.as_os_str(), "/job".as_ref()]);
    command.args(["--chdir", "/job", "--setenv", "PATH", "/usr/bin:/bin", "/bin/sh", "-c", COMMAND]);
    command
}

fn docker(program: &Path, image: &str, tree: &Path) -> Command {
    let mut command = Command::new(program);
    command.args(["run", "--rm", "--network", "none", "--read-only", "--cap-drop", "ALL", "--pull", "never"]);
    command.args(["--security-opt", "no-new-privileges", "--user", "65534:65534", "--pids-limit", "128"]);
    command.args(["--memory", "512m", "--memory-swap", "512m", "--log-driver", "none", "--tmpfs", "/tmp"]);
    command.args([
        "--volume",
        &format!("{}:/job:ro", tree.display()),
        "--workdir",
        "/job",
        // Ours have the box there, which expects to be spoken to.
        "--entrypoint",
        "sh",
        image,
        "-c",
        COMMAND,
    ]);
    command
}
