//! A coordinator, its own worker, and a small Python repository.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use edgecoder_base::{
    BlobHash, Blobs, FileEntry, Level, Manifest, NodeId, NodeKey, Patch, Timestamp, Verifier,
};
use edgecoder_coordinator::{Coordinator, Handle, LocalWorkSource};
use edgecoder_inference::{Engine, ScriptedEngine};
use edgecoder_protocol::WorkSource;
use edgecoder_protocol::api::agents::RegisterRequest;
use edgecoder_protocol::api::tasks::{SubmitTask, TaskView};
use edgecoder_protocol::work::HiddenVerifier;
use edgecoder_sandbox::{Fault, Sandbox};
use edgecoder_store::{BlobDir, Location, Store};
use edgecoder_worker::capsule::{CapsuleShelf, Capsules};
use edgecoder_worker::{Config, Deps, Worker};
use edgecoder_workspace::Trees;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub(crate) const CALC: &str = "def double(n):\n    return n * 2\n";
pub(crate) const TESTS: &str = "import unittest\nfrom calc import triple\n\n\nclass TripleTest(unittest.TestCase):\n    \
                                def test_triple(self):\n        self.assertEqual(triple(2), 6)\n        \
                                self.assertEqual(triple(5), 15)\n\n\nif __name__ == '__main__':\n    unittest.main()\n";
pub(crate) const HIDDEN: &str =
    "from calc import triple\nassert [triple(n) for n in range(-3, 40)] == [3 * n for n in range(-3, 40)]\n";

fn clock() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap())
}

fn entropy() -> u128 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    u128::from(NEXT.fetch_add(1, Ordering::Relaxed))
}

/// The launcher, built with the workspace and lying beside the tests' folder.
pub(crate) fn jail() -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    let jail = tests.parent().and_then(Path::parent).unwrap().join("edgecoder-jail");
    assert!(jail.is_file(), "build the launcher first: cargo build -p edgecoder-sandbox");
    jail
}

/// Everything a task needs, in one folder that goes away.
pub(crate) struct Rig {
    pub(crate) handle: Handle,
    pub(crate) blobs: BlobDir,
    key: Arc<NodeKey>,
    folder: tempfile::TempDir,
    tasks: JoinSet<()>,
    shutdown: CancellationToken,
    /// Layers that its workers' sandboxes lack.
    pub(crate) faults: Vec<Fault>,
}

impl Rig {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key = Arc::new(NodeKey::from_seed(&[6; 32]));
        let location = Location::Sqlite(folder.path().join("queue.db"));
        let deps = edgecoder_store::Deps { node: key.public().node_id(), key: Arc::clone(&key) };
        let store = Store::open(edgecoder_store::Config { location }, deps).await.unwrap();
        let blobs = BlobDir::open(folder.path().join("blobs")).unwrap();
        let deps = edgecoder_coordinator::Deps {
            store,
            blobs: blobs.clone(),
            key: Arc::clone(&key),
            decomposer: None,
            clock,
            entropy,
        };
        let coordinator = Coordinator::build(edgecoder_coordinator::Config::default(), deps);
        let handle = coordinator.handle();
        let shutdown = CancellationToken::new();
        let mut tasks = JoinSet::new();
        let stop = shutdown.clone();
        tasks.spawn(async move { coordinator.run(stop).await.unwrap() });
        Self { handle, blobs, key, folder, tasks, shutdown, faults: Vec::new() }
    }

    /// Starts the node's own worker over `engine`, under the name of one of its runs.
    pub(crate) fn start_worker(&mut self, engine: ScriptedEngine, session: &str) -> CancellationToken {
        let stop = self.shutdown.child_token();
        let worker = self.worker(Arc::new(engine), session);
        let token = stop.clone();
        self.tasks.spawn(async move { worker.run(token).await.unwrap() });
        stop
    }

    fn worker(&self, engine: Arc<dyn Engine>, session: &str) -> Worker {
        let id = self.handle.id().clone();
        let sandbox =
            edgecoder_sandbox::Config { jail: Some(jail()), ..edgecoder_sandbox::Config::default() };
        let config = Config {
            agent_id: id.clone(),
            os: "linux".into(),
            mode: "swarm-only".into(),
            provider: "edgecoder-local".into(),
            sandbox_mode: "process".into(),
            public_key: self.key.public(),
            registration_token: None,
            max_concurrent: 2,
            larger_model: None,
            session: session.into(),
            journals: self.journals(),
            shared_blobs: true,
        };
        let deps = Deps {
            source: Arc::new(self.handle.local_source(id)),
            engine,
            sandbox: Sandbox::new(sandbox).unwrap().with_faults(self.faults.clone()),
            trees: Trees::new(self.folder.path().join("trees")).unwrap(),
            capsules: Some(Capsules::new(self.shelf())),
            blobs: Arc::new(self.blobs.clone()),
            clock,
        };
        Worker::build(config, deps)
    }

    pub(crate) fn shelf(&self) -> CapsuleShelf {
        CapsuleShelf::open(self.folder.path().join("capsules")).unwrap()
    }

    pub(crate) fn journals(&self) -> PathBuf {
        self.folder.path().join("journals")
    }

    /// A worker of somebody else that has only the model `name`.
    pub(crate) async fn stranger(&self, name: &str) -> (NodeId, LocalWorkSource) {
        let id: NodeId = name.parse().unwrap();
        let source = self.handle.local_source(id.clone());
        let request = RegisterRequest {
            agent_id: id.clone(),
            device_id: None,
            os: "linux".into(),
            version: "1".into(),
            mode: None,
            registration_token: None,
            local_model_provider: "edgecoder-local".into(),
            client_type: "edgecoder-native".into(),
            max_concurrent_tasks: 64,
            power_telemetry: None,
            public_key_pem: None,
            x25519_public_key: None,
            sandbox_mode: None,
            binary_integrity: None,
            sandbox_level: Some(Level::S3),
            models: vec![name.to_owned()],
            session: None,
        };
        source.register(request).await.unwrap();
        (id, source)
    }

    pub(crate) fn file(&self, path: &str, text: &str) -> FileEntry {
        let hash = self.blobs.write(text.as_bytes()).unwrap();
        FileEntry { path: path.into(), hash, size: text.len() as u64, executable: false }
    }

    /// The repository that every test changes.
    pub(crate) fn snapshot(&self) -> BlobHash {
        let files = vec![
            self.file("README.md", "A calculator.\n"),
            self.file("calc.py", CALC),
            self.file("setup.py", "from setuptools import setup\nsetup()\n"),
            self.file("tests/__init__.py", ""),
            self.file("tests/test_calc.py", TESTS),
        ];
        self.blobs.write(&Manifest { files }.to_bytes()).unwrap()
    }

    pub(crate) fn request(&self) -> SubmitTask {
        SubmitTask {
            snapshot: Some(self.snapshot()),
            verifier: Some(Verifier {
                command: "/usr/bin/python3 -m unittest -q".into(),
                timeout_ms: 60_000,
            }),
            submitter: "ada".into(),
            ..SubmitTask::new("Add a function triple(n) to calc.py that returns n times three.")
        }
    }

    pub(crate) fn hidden(&self) -> HiddenVerifier {
        HiddenVerifier {
            file: self.blobs.write(HIDDEN.as_bytes()).unwrap(),
            path: ".hidden_check.py".into(),
            verifier: Verifier {
                command: "PYTHONPATH=. /usr/bin/python3 .hidden_check.py".into(),
                timeout_ms: 60_000,
            },
        }
    }

    /// Waits until `done` holds of the task.
    pub(crate) async fn until(
        &self,
        task: &edgecoder_base::TaskId,
        done: impl Fn(&TaskView) -> bool,
    ) -> TaskView {
        let mut pulse = self.handle.pulse();
        loop {
            pulse.mark_unchanged();
            let view = self.handle.task(task).await.unwrap();
            if done(&view) {
                return view;
            }
            pulse.changed().await.unwrap();
        }
    }
}

/// A patch that makes `path` contain `text`, whatever it contained.
pub(crate) fn patch(changes: &[(&str, Option<&str>, &str)]) -> Patch {
    let mut patch = Patch::default();
    for (path, before, after) in changes {
        patch.set(path, before.map(|text| BlobHash::of(text.as_bytes())), Some((*after).to_owned()));
    }
    patch
}
