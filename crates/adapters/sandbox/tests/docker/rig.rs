//! A small tree and a sandbox of mode `docker` around it, where there is a daemon.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use bollard::models::ContainerCreateBody;
use bollard::query_parameters::{ListContainersOptionsBuilder, RemoveContainerOptionsBuilder};
use bollard::{API_DEFAULT_VERSION, Docker};
use edgecoder_sandbox::docker::IMAGES;
use edgecoder_sandbox::{Config, DockerConfig, Error, Job, Limits, Mode, Report, Sandbox};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

/// For what happens soon after, on a machine that does much else.
const SOON: Duration = Duration::from_secs(60);

pub(crate) struct Rig {
    pub(crate) tree: TempDir,
    pub(crate) sandbox: Sandbox,
    pub(crate) socket: PathBuf,
}

/// Bounds that no test reaches unless it means to.
pub(crate) fn limits() -> Limits {
    Limits {
        wall: Duration::from_secs(60),
        cpu: Duration::from_secs(30),
        memory_bytes: 256 << 20,
        processes: 64,
        output_bytes: 64 << 10,
        disk_bytes: 64 << 20,
        artefact_bytes: 1 << 20,
    }
}

pub(crate) fn config(socket: PathBuf) -> Config {
    let docker = DockerConfig { socket, ..DockerConfig::default() };
    Config { mode: Mode::Docker, docker, ..Config::default() }
}

impl Rig {
    /// None, said aloud, without a daemon.
    pub(crate) fn new() -> Option<Self> {
        let Ok(named) = std::env::var("EDGECODER_TEST_DOCKER") else {
            println!("skipped: EDGECODER_TEST_DOCKER names no dockerd");
            return None;
        };
        let socket = PathBuf::from(named.strip_prefix("unix://").unwrap_or(&named));
        let tree = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(tree.path().join("src/deep")).unwrap();
        for (path, content) in [
            ("README", "read me\n"),
            ("src/calc.py", "def add(a, b):\n    return a + b\n"),
            ("src/deep/x", "x\n"),
        ] {
            std::fs::write(tree.path().join(path), content).unwrap();
        }
        let sandbox = Sandbox::new(config(socket.clone())).unwrap();
        Some(Self { tree, sandbox, socket })
    }

    pub(crate) fn job(&self, command: &str) -> Job {
        Job { limits: limits(), ..Job::new(self.tree.path(), command) }
    }

    pub(crate) async fn run_job(&self, job: Job) -> Result<Report, Error> {
        self.sandbox.run(job, CancellationToken::new()).await
    }

    pub(crate) async fn run(&self, command: &str) -> Report {
        self.run_job(self.job(command)).await.unwrap()
    }

    pub(crate) async fn client(&self) -> Docker {
        let path = self.socket.to_string_lossy();
        Docker::connect_with_unix(&path, 60, API_DEFAULT_VERSION).unwrap().negotiate_version().await.unwrap()
    }

    /// Containers with these labels, in whatever state.
    pub(crate) async fn containers(&self, labels: &[String]) -> Vec<String> {
        let filters = HashMap::from([("label", labels.to_vec())]);
        let options = ListContainersOptionsBuilder::new().all(true).filters(&filters).build();
        let found = self.client().await.list_containers(Some(options)).await.unwrap();
        found.into_iter().filter_map(|container| container.id).collect()
    }

    /// Asks until no container of these labels is left.
    pub(crate) async fn await_none(&self, labels: &[String]) {
        let started = Instant::now();
        loop {
            let left = self.containers(labels).await;
            if left.is_empty() {
                return;
            }
            assert!(started.elapsed() < SOON, "left: {left:?}");
            tokio::task::yield_now().await;
        }
    }

    /// A container that somebody else made and never started.
    pub(crate) async fn plant(&self, labels: HashMap<String, String>) -> String {
        let body = ContainerCreateBody {
            image: Some(IMAGES[0].0.to_owned()),
            labels: Some(labels),
            ..ContainerCreateBody::default()
        };
        self.client().await.create_container(None, body).await.unwrap().id
    }

    pub(crate) async fn remove(&self, id: &str) {
        let options = RemoveContainerOptionsBuilder::new().force(true).build();
        self.client().await.remove_container(id, Some(options)).await.unwrap();
    }
}

/// The label of containers that this process started.
pub(crate) fn own() -> Vec<String> {
    vec!["edgecoder.sandbox=1".to_owned(), format!("edgecoder.owner.pid={}", std::process::id())]
}
