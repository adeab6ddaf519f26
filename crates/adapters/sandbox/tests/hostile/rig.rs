//! The sandbox around the program of all attempts, as one account or another.

use std::fmt;
use std::fs::{self, Permissions};
use std::num::NonZeroU32;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use edgecoder_base::Level;
use edgecoder_sandbox::{Config, Job, Limits, Report, Sandbox};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::program::{copy, program};

/// The user that owns nothing.
const NOBODY: u32 = 65534;

/// Who starts the launcher.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Account {
    /// Whoever runs the tests.
    Own,
    /// An unprivileged user; possible only for root.
    Nobody,
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Own => write!(f, "as uid {}", rustix::process::getuid().as_raw()),
            Self::Nobody => write!(f, "as uid {NOBODY}"),
        }
    }
}

impl Account {
    /// What the sandbox of this account amounts to where groups bound it.
    pub(crate) fn level(self) -> Level {
        if self == Self::Own && rustix::process::getuid().is_root() { Level::S3 } else { Level::S2 }
    }

    pub(crate) fn all() -> Vec<Self> {
        if rustix::process::getuid().is_root() { vec![Self::Own, Self::Nobody] } else { vec![Self::Own] }
    }
}

/// A tree with the hostile program in it, and a sandbox.
pub(crate) struct Rig {
    pub(crate) tree: TempDir,
    pub(crate) sandbox: Sandbox,
    config: Config,
    account: Account,
    folder: TempDir,
}

/// How many times slower than usual this machine is, where it is an emulated one.
const SLOWNESS: &str = "EDGECODER_TEST_SLOWNESS";

/// Small enough to be reached at once.
pub(crate) fn limits() -> Limits {
    let slowness = std::env::var(SLOWNESS).map_or(1, |times| times.parse().unwrap());
    Limits {
        wall: Duration::from_secs(20) * slowness,
        cpu: Duration::from_secs(10) * slowness,
        memory_bytes: 160 << 20,
        processes: 48,
        output_bytes: 64 << 10,
        disk_bytes: 24 << 20,
        artefact_bytes: 1 << 20,
    }
}

impl Rig {
    pub(crate) fn new(account: Account) -> Self {
        Self::around(account, "")
    }

    /// A sandbox whose launcher is started by the words of `before`, a shell's.
    pub(crate) fn around(account: Account, before: &str) -> Self {
        let tree = tempfile::tempdir().unwrap();
        // Anybody may come in; what lies inside is the account's.
        fs::set_permissions(tree.path(), Permissions::from_mode(0o755)).unwrap();
        let launcher = tempfile::tempdir().unwrap();
        fs::set_permissions(launcher.path(), Permissions::from_mode(0o755)).unwrap();
        let program = launcher.path().join("edgecoder-jail");
        copy(Path::new(env!("CARGO_BIN_EXE_edgecoder-jail")), &program);
        let become_account = match account {
            Account::Own => String::new(),
            Account::Nobody => format!("setpriv --reuid {NOBODY} --regid {NOBODY} --clear-groups"),
        };
        let script = launcher.path().join("start");
        let text = format!("#!/bin/sh\n{before}\nexec {become_account} {}\n", program.display());
        let draft = launcher.path().join("draft");
        fs::write(&draft, text).unwrap();
        copy(&draft, &script);
        let config = Config { jail: Some(script), ..Config::default() };
        let sandbox = Sandbox::new(config.clone()).unwrap();
        let rig = Self { tree, sandbox, config, account, folder: launcher };
        rig.own(rig.tree.path());
        rig
    }

    /// Gives `path` to the account.
    pub(crate) fn own(&self, path: &Path) {
        if self.account == Account::Nobody {
            chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
        }
    }

    /// The same with a quota of processor time.
    pub(crate) fn with_quota(mut self, millicores: u32) -> Self {
        self.config.millicores = NonZeroU32::new(millicores);
        self.sandbox = Sandbox::new(self.config.clone()).unwrap();
        self
    }

    /// Puts the hostile program into the tree.
    pub(crate) fn with_program(self) -> Self {
        let place = self.tree.path().join("hostile");
        copy(&program(), &place);
        self.own(&place);
        self
    }

    /// The launcher's program, which nobody else runs.
    pub(crate) fn launcher(&self) -> PathBuf {
        self.folder.path().join("edgecoder-jail")
    }

    pub(crate) fn job(&self, command: &str) -> Job {
        Job { limits: limits(), ..Job::new(self.tree.path(), command) }
    }

    pub(crate) fn run(&self, job: Job) -> Report {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(self.sandbox.run(job, CancellationToken::new())).unwrap()
    }

    /// A process of the same account, to be found unharmed.
    pub(crate) fn bystander(&self) -> Child {
        use std::os::unix::process::CommandExt;
        let mut command = Command::new("sleep");
        command.arg("60").stdin(Stdio::null()).stdout(Stdio::null());
        if self.account == Account::Nobody {
            command.uid(NOBODY).gid(NOBODY);
        }
        command.spawn().unwrap()
    }
}
