//! The launch of a job is a pure function; this is all of it for one job.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use edgecoder_sandbox::{Config, Job, JobFile, LaunchSpec, Limits};

#[test]
fn a_job_becomes_a_launch() {
    let config = Config {
        tool_chains: ["/home/a/.pyenv", "/home/a/.cargo", "/home/a/venv"].map(PathBuf::from).into(),
        path: vec!["/home/a/.pyenv/shims".into(), "/home/a/.cargo/bin".into()],
        millicores: NonZeroU32::new(1500),
        ..Config::default()
    };
    let mut job = Job::new("/var/snapshots/1", "pytest -q");
    job.files = vec![
        JobFile::write("a.py", "x = 1\n"),
        JobFile::delete("b.py"),
        JobFile { executable: true, ..JobFile::write("run", "") },
    ];
    job.env.insert("SEED".into(), "7".into());
    job.limits = Limits { wall: Duration::from_millis(1500), ..Limits::default() };
    insta::assert_json_snapshot!(LaunchSpec::new(&config, &job).unwrap());
}
