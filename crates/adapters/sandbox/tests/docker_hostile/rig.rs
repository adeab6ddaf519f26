//! The same rig as the hostile corpus has, around containers of the daemon under test.

use std::fmt;
use std::num::NonZeroU32;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use edgecoder_base::Level;
use edgecoder_sandbox::docker::look;
use edgecoder_sandbox::{Config, DockerConfig, Job, Limits, Mode, Report, Sandbox};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use crate::program::{copy, program};
use crate::socket;

/// The user of box and payload.
const NOBODY: u32 = 65534;

/// Whose sandbox it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Account {
    /// The daemon's, whoever asks it.
    Own,
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "in a container")
    }
}

impl Account {
    pub(crate) fn all() -> Vec<Self> {
        vec![Self::Own]
    }

    pub(crate) fn level(self) -> Level {
        static LEVEL: OnceLock<Level> = OnceLock::new();
        let socket = socket().expect("checked before any test");
        *LEVEL.get_or_init(|| runtime().block_on(look(&socket, None)).unwrap().level())
    }
}

/// A tree and a sandbox around it.
pub(crate) struct Rig {
    pub(crate) tree: TempDir,
    pub(crate) sandbox: Sandbox,
    config: Config,
}

/// As small as the hostile corpus has them; a container is slower to come up.
pub(crate) fn limits() -> Limits {
    Limits {
        wall: Duration::from_secs(20),
        cpu: Duration::from_secs(10),
        memory_bytes: 160 << 20,
        processes: 48,
        output_bytes: 64 << 10,
        disk_bytes: 24 << 20,
        artefact_bytes: 1 << 20,
    }
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

impl Rig {
    pub(crate) fn new(_account: Account) -> Self {
        let docker =
            DockerConfig { socket: socket().expect("checked before any test"), ..DockerConfig::default() };
        let config = Config { mode: Mode::Docker, docker, ..Config::default() };
        Self { tree: tempfile::tempdir().unwrap(), sandbox: Sandbox::new(config.clone()).unwrap(), config }
    }

    /// Nothing can be put around a container: the daemon makes its namespaces.
    pub(crate) fn around(account: Account, _before: &str) -> Self {
        Self::new(account)
    }

    pub(crate) fn own(&self, _path: &Path) {}

    /// The same with a quota of processor time.
    pub(crate) fn with_quota(mut self, millicores: u32) -> Self {
        self.config.millicores = NonZeroU32::new(millicores);
        self.sandbox = Sandbox::new(self.config.clone()).unwrap();
        self
    }

    pub(crate) fn with_program(self) -> Self {
        copy(&program(), &self.tree.path().join("hostile"));
        self
    }

    pub(crate) fn job(&self, command: &str) -> Job {
        Job { limits: limits(), ..Job::new(self.tree.path(), command) }
    }

    pub(crate) fn run(&self, job: Job) -> Report {
        runtime().block_on(self.sandbox.run(job, CancellationToken::new())).unwrap()
    }

    /// A process outside, of the payload's user where that can be, to be found unharmed.
    pub(crate) fn bystander(&self) -> Child {
        use std::os::unix::process::CommandExt;
        let mut command = Command::new("sleep");
        command.arg("60").stdin(Stdio::null()).stdout(Stdio::null());
        if rustix::process::getuid().is_root() {
            command.uid(NOBODY).gid(NOBODY);
        }
        command.spawn().unwrap()
    }
}
