//! A small tree and a sandbox around it.

use std::fs;
use std::path::Path;
use std::time::Duration;

use edgecoder_base::Level;
use edgecoder_sandbox::{Config, Exit, Job, Limits, Report, Sandbox};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

pub(crate) struct Rig {
    pub(crate) tree: TempDir,
    pub(crate) sandbox: Sandbox,
}

/// Bounds that no test reaches unless it means to.
pub(crate) fn limits() -> Limits {
    Limits {
        wall: Duration::from_secs(60),
        cpu: Duration::from_secs(30),
        memory_bytes: 512 << 20,
        processes: 64,
        output_bytes: 64 << 10,
        disk_bytes: 64 << 20,
        artefact_bytes: 1 << 20,
    }
}

pub(crate) fn config() -> Config {
    let variable = |name| std::env::var(name).unwrap_or_default();
    let detected = Config::detected(&variable("PATH"), Path::new(&variable("HOME")));
    Config { jail: Some(env!("CARGO_BIN_EXE_edgecoder-jail").into()), ..detected }
}

impl Rig {
    pub(crate) fn new() -> Self {
        let tree = tempfile::tempdir().unwrap();
        fs::create_dir_all(tree.path().join("src/deep")).unwrap();
        for (path, content) in [
            ("README", "read me\n"),
            ("src/calc.py", "def add(a, b):\n    return a + b\n"),
            ("src/deep/x", "x\n"),
        ] {
            fs::write(tree.path().join(path), content).unwrap();
        }
        Self { tree, sandbox: Sandbox::new(config()).unwrap() }
    }

    pub(crate) fn job(&self, command: &str) -> Job {
        Job { limits: limits(), ..Job::new(self.tree.path(), command) }
    }

    pub(crate) async fn run_job(&self, job: Job) -> Report {
        let report = self.sandbox.run(job, CancellationToken::new()).await.unwrap();
        assert!(report.level >= Level::S2, "{report:?}");
        report
    }

    pub(crate) async fn run(&self, command: &str) -> Report {
        self.run_job(self.job(command)).await
    }
}

/// Runs `command` in a fresh sandbox; it must succeed and print exactly `expected`.
#[track_caller]
pub(crate) fn check(command: &str, expected: &str) -> impl Future<Output = ()> {
    let place = std::panic::Location::caller();
    async move {
        let report = Rig::new().run(command).await;
        let said = (report.exit, report.stdout.text());
        assert_eq!(
            said,
            (Exit::Code(0), expected.to_owned()),
            "{place}: {command}\n{}",
            report.stderr.text()
        );
    }
}
