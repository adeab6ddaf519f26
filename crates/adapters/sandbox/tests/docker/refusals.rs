//! What is refused, by whose fault, and that nothing else runs in its place.

use edgecoder_base::Level;
use edgecoder_sandbox::docker::look;
use edgecoder_sandbox::{Config, DockerConfig, Error, Job, JobFile, Sandbox};
use tokio_util::sync::CancellationToken;

use crate::rig::{Rig, config};

async fn refused(config: Config, job: Job) -> Error {
    Sandbox::new(config).unwrap().run(job, CancellationToken::new()).await.unwrap_err()
}

#[tokio::test]
async fn without_a_daemon_nothing_runs() {
    let tree = tempfile::tempdir().unwrap();
    for required in [true, false] {
        let config = Config { required, ..config("/nonexistent/docker.sock".into()) };
        let error = refused(config, Job::new(tree.path(), "true")).await;
        assert!(
            matches!(&error, Error::Unavailable { reason, .. } if reason.contains("/nonexistent")),
            "{error:?}"
        );
        assert!(!error.is_retryable());
    }
    assert!(look("/nonexistent/docker.sock".as_ref(), None).await.is_err());
}

#[tokio::test]
async fn a_missing_image_is_named_and_not_fetched() {
    let Some(rig) = Rig::new() else { return };
    let docker = DockerConfig { image: Some("edgecoder/none:1".into()), socket: rig.socket.clone() };
    let error = refused(Config { docker, ..config(rig.socket.clone()) }, rig.job("true")).await;
    assert!(matches!(&error, Error::ImageMissing { image } if image == "edgecoder/none:1"), "{error:?}");
    assert!(error.to_string().contains("edgecoder sandbox images build"), "{error}");
}

#[tokio::test]
async fn a_level_out_of_reach_is_refused() {
    let Some(rig) = Rig::new() else { return };
    let seen = look(&rig.socket, None).await.unwrap();
    let above = if seen.level() == Level::D2 { Level::S3 } else { Level::S4 };
    for required in [true, false] {
        let job = Job { min_level: above, ..rig.job("true") };
        let error = refused(Config { required, ..config(rig.socket.clone()) }, job).await;
        assert!(matches!(&error, Error::Unavailable { .. }), "{error:?}");
    }
    let job = Job { min_level: seen.level(), ..rig.job("true") };
    match rig.run_job(job).await {
        Ok(report) => assert!(report.level >= seen.level(), "{report:?}"),
        // A rootless daemon without groups of its own.
        Err(Error::Unavailable { reason, .. }) => assert!(reason.contains("only S2"), "{reason}"),
        Err(error) => panic!("{error:?}"),
    }
}

#[tokio::test]
async fn a_job_that_cannot_be_laid_out_is_the_jobs_fault() {
    let Some(rig) = Rig::new() else { return };
    std::os::unix::fs::symlink("/tmp", rig.tree.path().join("way")).unwrap();
    for path in ["../x", "src", "way/x", "README/x"] {
        let job = Job { files: vec![JobFile::write(path, "x")], ..rig.job("true") };
        let error = rig.run_job(job).await.unwrap_err();
        assert!(matches!(&error, Error::InvalidJob(_)), "{path}: {error:?}");
    }
    let error = rig.run_job(Job { root: "/nonexistent".into(), ..rig.job("true") }).await.unwrap_err();
    assert!(matches!(&error, Error::InvalidJob(_)), "{error:?}");
}

#[tokio::test]
async fn the_daemon_says_what_it_is() {
    let Some(rig) = Rig::new() else { return };
    let seen = look(&rig.socket, Some("edgecoder/none:1")).await.unwrap();
    assert!(!seen.version.is_empty() && !seen.podman, "{seen:?}");
    assert!(seen.images[0].1.as_ref().is_some_and(|id| id.starts_with("sha256:")), "{seen:?}");
    assert_eq!(seen.images.last(), Some(&("edgecoder/none:1".into(), None)));
}
