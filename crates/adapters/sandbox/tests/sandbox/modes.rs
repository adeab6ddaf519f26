//! Refusals, the unconfined mode, and what the probe says.

use std::time::Duration;

use edgecoder_base::Level;
use edgecoder_sandbox::{Config, Error, Exit, JobFile, Limits, Mode, Sandbox};
use tokio_util::sync::CancellationToken;

use crate::rig::{Rig, config, limits};

#[tokio::test]
async fn the_probe_measures_a_level() {
    let probe = Rig::new().sandbox.probe().await;
    assert_eq!(probe.reason, None);
    assert!(probe.level >= Some(Level::S2), "{probe:?}");
}

#[tokio::test]
async fn a_missing_launcher_is_a_refusal_unless_the_sandbox_is_not_required() {
    let rig = Rig::new();
    let missing = Config { jail: Some("/nonexistent/jail".into()), ..config() };
    let strict = Sandbox::new(missing.clone()).unwrap();
    let refused = strict.run(rig.job("true"), CancellationToken::new()).await;
    assert!(matches!(refused, Err(Error::Unavailable { .. })), "{refused:?}");
    assert!(strict.probe().await.level.is_none());

    let lax = Sandbox::new(Config { required: false, ..missing }).unwrap();
    let report = lax.run(rig.job("true"), CancellationToken::new()).await.unwrap();
    assert_eq!((report.exit, report.level), (Exit::Code(0), Level::S0));
    assert!(report.degraded.iter().any(|words| words.contains("/nonexistent/jail")), "{report:?}");
}

#[tokio::test]
async fn a_launcher_that_says_nothing_is_an_error() {
    let rig = Rig::new();
    let sandbox = Sandbox::new(Config { jail: Some("/bin/false".into()), ..config() }).unwrap();
    let error = sandbox.run(rig.job("true"), CancellationToken::new()).await;
    assert!(matches!(error, Err(Error::NoReport { .. })), "{error:?}");
}

#[tokio::test]
async fn an_unusable_tool_chain_is_named() {
    let rig = Rig::new();
    for path in ["/nonexistent/tools", "/etc", "/proc/self", "/"] {
        let config = Config { tool_chains: vec![path.into()], ..config() };
        let refused = Sandbox::new(config).unwrap().run(rig.job("true"), CancellationToken::new()).await;
        let Err(Error::Unavailable { reason, .. }) = refused else { panic!("{path}: {refused:?}") };
        assert!(reason.contains(path), "{reason}");
    }
}

#[tokio::test]
async fn without_confinement_the_tree_is_still_untouched() {
    let rig = Rig::new();
    let sandbox = Sandbox::new(Config { mode: Mode::None, ..config() }).unwrap();
    let mut job = rig.job("cat README >>src/calc.py; rm README; ls; echo $TERM");
    job.files = vec![JobFile::write("README", "patched"), JobFile::write("new/file", "")];
    let report = sandbox.run(job, CancellationToken::new()).await.unwrap();
    assert_eq!((report.stdout.text(), report.level), ("new\nsrc\ndumb\n".into(), Level::S0));
    assert_eq!(std::fs::read_to_string(rig.tree.path().join("README")).unwrap(), "read me\n");

    let mut job = rig.job("sleep 7008 & sleep 7008");
    job.limits = Limits { wall: Duration::from_millis(200), ..limits() };
    let report = sandbox.run(job, CancellationToken::new()).await.unwrap();
    assert_eq!(report.exit, Exit::WallTimeout);
    // A process that left the group keeps the pipe open; the run ends all the same.
    let report = sandbox.run(rig.job("setsid sleep 20 & echo left"), CancellationToken::new()).await.unwrap();
    assert_eq!((report.exit, report.stdout.text()), (Exit::Code(0), "left\n".into()));
    assert!(report.wall < Duration::from_secs(15), "{report:?}");
    let mut job = rig.job("true");
    job.files = vec![JobFile::write("../x", "")];
    let refused = sandbox.run(job, CancellationToken::new()).await;
    assert!(matches!(refused, Err(Error::InvalidJob(_))));
}
