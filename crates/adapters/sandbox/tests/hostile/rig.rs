//! The program of all attempts, compiled once, and the sandbox around it, as one account or another.

use std::fmt;
use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use edgecoder_sandbox::{Config, Job, Limits, Report, Sandbox};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

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
    pub(crate) fn all() -> Vec<Self> {
        if rustix::process::getuid().is_root() { vec![Self::Own, Self::Nobody] } else { vec![Self::Own] }
    }
}

/// A tree with the hostile program in it, and a sandbox.
pub(crate) struct Rig {
    pub(crate) tree: TempDir,
    pub(crate) sandbox: Sandbox,
    account: Account,
    folder: TempDir,
}

/// Small enough to be reached at once.
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
        let rig = Self { tree, sandbox: Sandbox::new(config).unwrap(), account, folder: launcher };
        rig.own(rig.tree.path());
        rig
    }

    /// Gives `path` to the account.
    pub(crate) fn own(&self, path: &Path) {
        if self.account == Account::Nobody {
            chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
        }
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

/// An executable copy, written by another process: a program that one of ours still holds open to write, if only
/// between fork and exec of another thread, cannot be started.
fn copy(from: &Path, to: &Path) {
    let done = Command::new("install").args(["-m", "755"]).args([from, to]).status().unwrap();
    assert!(done.success(), "{} cannot be copied", from.display());
}

/// The compiled program. Whoever comes first compiles it, the others wait.
fn program() -> PathBuf {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hostile/programs");
    let place = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let lock = File::create(place.join("hostile.lock")).unwrap();
    lock.lock().unwrap();
    let program = place.join("hostile");
    let mut files: Vec<PathBuf> = fs::read_dir(sources).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let changed = |path: &Path| fs::metadata(path).and_then(|found| found.modified());
    let newest = files.iter().map(|path| changed(path).unwrap()).max();
    if changed(&program).ok() < newest {
        let sources = files.iter().filter(|path| path.extension().is_some_and(|kind| kind == "c"));
        let compiled = Command::new("cc")
            .args(["-O1", "-Wall", "-Wextra", "-Werror", "-pthread", "-o"])
            .arg(&program)
            .args(sources)
            .status()
            .expect("the hostile corpus needs a C compiler");
        assert!(compiled.success(), "the hostile programs do not compile");
    }
    program
}
