//! The queue as a session meets it: a real coordinator on a real database, with a worker that does what the test says.

use std::sync::Arc;

use edgecoder_base::{BlobHash, Blobs, Level, NodeKey, Patch, PrivacyTier, TaskId, Verifier};
use edgecoder_companion::{Error, Event, TaskQueue};
use edgecoder_coordinator::{Coordinator, Handle, LocalWorkSource};
use edgecoder_protocol::api::agents::{PullRequest, RegisterRequest, ResultRequest};
use edgecoder_protocol::api::tasks::{SubmitTask, TaskView};
use edgecoder_protocol::work::{Assignment, Outcome, Report, Verdict};
use edgecoder_protocol::{ErrorCode, WorkSource as _};
use edgecoder_store::{BlobDir, Location, Store};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use serde_json::{Value, json};

use crate::rig::{Line, Rig, Seen, entropy, now};

/// The queue of a coordinator in this process, as a node hands it to the companion.
#[derive(Debug)]
struct Queue(Handle);

fn refused(error: edgecoder_coordinator::Error) -> Error {
    Error::new(error.code, error.message)
}

impl TaskQueue for Queue {
    fn submit(&self, request: SubmitTask) -> BoxFuture<'_, Result<TaskView, Error>> {
        async { self.0.submit(request, None).await.map_err(refused) }.boxed()
    }

    fn task(&self, id: TaskId) -> BoxFuture<'_, Result<TaskView, Error>> {
        async move { self.0.task(&id).await.map_err(refused) }.boxed()
    }

    fn patches(&self, id: TaskId) -> BoxFuture<'_, Result<Vec<Patch>, Error>> {
        async move { self.0.patches(&id).await.map_err(refused) }.boxed()
    }
}

/// A companion with a queue behind it, and the queue's worker.
struct House {
    rig: Rig,
    handle: Handle,
    blobs: BlobDir,
    worker: LocalWorkSource,
    _folder: tempfile::TempDir,
}

impl House {
    async fn with(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key = Arc::new(NodeKey::from_seed(&[5; 32]));
        let location = Location::Sqlite(folder.path().join("queue.db"));
        let deps = edgecoder_store::Deps { node: key.public().node_id(), key: Arc::clone(&key) };
        let store = Store::open(edgecoder_store::Config { location }, deps).await.unwrap();
        let blobs = BlobDir::open(folder.path().join("blobs")).unwrap();
        let deps = edgecoder_coordinator::Deps {
            store,
            blobs: blobs.clone(),
            key: Arc::clone(&key),
            decomposer: None,
            clock: now,
            entropy,
        };
        let handle = Coordinator::build(edgecoder_coordinator::Config::default(), deps).handle();
        let worker = handle.local_source(handle.id().clone());
        worker.register(registration(&handle, &key)).await.unwrap();
        let (queue, shared) = (handle.clone(), blobs.clone());
        let rig = Rig::with(files, |config, deps| {
            deps.tasks = Some(Arc::new(Queue(queue)));
            deps.blobs = Arc::new(shared);
            config.tier = PrivacyTier::Local;
        });
        Self { rig, handle, blobs, worker, _folder: folder }
    }

    async fn call(&self, tool: &'static str, arguments: Value, approve: bool) -> Seen {
        self.rig.chat([Line::Calls(tool, arguments)], approve).await
    }

    /// A task about the project as it is, submitted from a session.
    async fn submitted(&self) -> String {
        let seen =
            self.call("submit_task", json!({"request": "say two", "verify": "grep two a.py"}), true).await;
        let told = seen.results()[0].clone().unwrap();
        told.split_once(':').unwrap().0.to_owned()
    }

    async fn status(&self, id: &str) -> String {
        let seen = self.call("task_status", json!({"id": id}), false).await;
        assert!(!seen.actions()[0].2, "looking needs nobody");
        seen.results()[0].clone().unwrap()
    }

    async fn apply(&self, id: &str, approve: bool) -> Seen {
        self.call("apply_task", json!({"id": id}), approve).await
    }

    /// The worker proposes `changes`, and judges them proven.
    async fn prove(&self, changes: &[(&str, Option<&str>, &str)]) {
        let mut patch = Patch::default();
        for (path, before, after) in changes {
            let before = before.map(|text| BlobHash::of(text.as_bytes()));
            patch.set(path, before, Some((*after).to_owned()));
        }
        let patch = self.blobs.write(&patch.to_bytes()).unwrap();
        self.report(Outcome::Candidate { patch, summary: "x".into(), claimed_pass: true }).await;
        let verdict = Verdict {
            rejections: Vec::new(),
            tests: None,
            log: None,
            diff: None,
            lines: (1, 1),
            level: Level::S3,
            degraded: Vec::new(),
            verified_by_user: true,
            notes: Vec::new(),
        };
        self.report(Outcome::Judged { verdict }).await;
    }

    async fn report(&self, outcome: Outcome) {
        let pulled = self.worker.pull(PullRequest { agent_id: self.handle.id().clone(), wait_ms: 0 }).await;
        let Assignment { subtask, task, attempt, epoch, .. } = pulled.unwrap().work.unwrap();
        let result = ResultRequest {
            subtask_id: subtask,
            task_id: task,
            agent_id: self.handle.id().clone(),
            ok: true,
            output: String::new(),
            error: None,
            duration_ms: None,
            report_nonce: None,
            report_signature: None,
            attempt: Some(attempt),
            epoch: Some(epoch),
            report: Some(Report::of(outcome)),
        };
        self.worker.result(result).await.unwrap();
    }

    async fn task(&self, id: &str) -> TaskView {
        self.handle.task(&TaskId::new(id.to_owned()).unwrap()).await.unwrap()
    }
}

fn registration(handle: &Handle, key: &NodeKey) -> RegisterRequest {
    RegisterRequest {
        agent_id: handle.id().clone(),
        device_id: None,
        os: "debian".into(),
        version: "1".into(),
        mode: None,
        registration_token: None,
        local_model_provider: "edgecoder-local".into(),
        client_type: "edgecoder-native".into(),
        max_concurrent_tasks: 4,
        power_telemetry: None,
        public_key_pem: Some(key.public()),
        x25519_public_key: None,
        sandbox_mode: None,
        binary_integrity: None,
        sandbox_level: Some(Level::S3),
        models: vec!["tiny".into()],
        session: Some("s1".into()),
    }
}

fn ids(seen: &Seen) -> Vec<String> {
    let id = |event: &Event| {
        let Event::ToolCall { id, .. } = event else { return None };
        Some(id.clone())
    };
    seen.0.iter().filter_map(id).collect()
}

#[tokio::test]
async fn nothing_is_handed_to_the_queue_before_a_person_agrees() {
    let house = House::with(&[("a.py", "one\n")]).await;
    let arguments = json!({"request": "say two", "verify": "grep two a.py"});
    let rejected = house.call("submit_task", arguments.clone(), false).await;
    let shown = "hand the project to the swarm (as far as local): say two, proven by grep two a.py";
    assert_eq!(rejected.actions(), [("network".to_owned(), shown.to_owned(), true)]);
    assert!(rejected.results()[0].as_ref().unwrap_err().contains("rejected"));
    let pull = PullRequest { agent_id: house.handle.id().clone(), wait_ms: 0 };
    assert!(house.worker.pull(pull).await.unwrap().work.is_none(), "there is no task");
    let id = house.submitted().await;
    let task = house.task(&id).await;
    assert_eq!((task.request.as_str(), task.project.as_str()), ("say two", "project"));
    assert_eq!((task.verifier, task.privacy), (Some(Verifier::new("grep two a.py")), PrivacyTier::Local));
}

#[tokio::test]
async fn a_task_is_watched_until_it_is_proven() {
    let house = House::with(&[("a.py", "one\n")]).await;
    let id = house.submitted().await;
    assert_eq!(house.status(&id).await, format!("{id}: running"));
    let early = house.apply(&id, true).await;
    assert!(!early.actions()[0].2 && early.results()[0].is_err(), "nothing is asked about: {early:?}");
    house.prove(&[("a.py", Some("one\n"), "two\n")]).await;
    assert!(house.status(&id).await.ends_with("it has a proven patch"));
    for id in ["task_nowhere", "../x", ""] {
        for tool in ["task_status", "apply_task"] {
            let seen = house.call(tool, json!({"id": id}), true).await;
            assert!(seen.results()[0].is_err(), "{tool} {id}: {seen:?}");
        }
    }
}

#[tokio::test]
async fn hole_07_a_patch_is_taken_by_an_approval_of_its_own_or_not_at_all() {
    let house = House::with(&[("a.py", "one\n")]).await;
    let submitted =
        house.call("submit_task", json!({"request": "say two", "verify": "grep two a.py"}), true).await;
    let id = submitted.results()[0].clone().unwrap().split_once(':').unwrap().0.to_owned();
    house.prove(&[("a.py", Some("one\n"), "two\n"), ("new/b.py", None, "b\n")]).await;
    let rejected = house.apply(&id, false).await;
    let title = format!("apply {id}: a.py, new/b.py");
    assert_eq!(rejected.actions(), [("write".to_owned(), title, true)]);
    assert_eq!(rejected.names(), ["tool_call", "diff", "diff", "tool_result", "text", "done"]);
    assert!(rejected.results()[0].as_ref().unwrap_err().contains("rejected"));
    assert_eq!((house.rig.text("a.py").as_deref(), house.rig.text("new/b.py")), (Some("one\n"), None));
    assert_eq!(house.task(&id).await.state, "review");
    for old in ids(&submitted).iter().chain(&ids(&rejected)) {
        let again = house.rig.companion.decide(old, true).unwrap_err();
        assert_eq!(again.code, ErrorCode::NotFound, "an approval holds for one action and once");
    }
    let applied = house.apply(&id, true).await;
    assert_eq!(applied.results(), [Ok("written: a.py, new/b.py".to_owned())]);
    assert_eq!(
        (house.rig.text("a.py").as_deref(), house.rig.text("new/b.py").as_deref()),
        (Some("two\n"), Some("b\n"))
    );
}

#[tokio::test]
async fn hole_07_a_patch_is_taken_whole_and_exactly_or_not_at_all() {
    let house = House::with(&[("a.py", "one\n"), ("c.py", "c\n")]).await;
    let id = house.submitted().await;
    house.prove(&[("a.py", Some("one\n"), "two\n"), ("c.py", Some("c\n"), "d\n")]).await;
    std::fs::write(house.rig.project().join("c.py"), "mine\n").unwrap();
    let seen = house.apply(&id, true).await;
    assert!(seen.results()[0].is_err(), "{:?}", seen.results());
    assert_eq!(
        (house.rig.text("a.py").as_deref(), house.rig.text("c.py").as_deref()),
        (Some("one\n"), Some("mine\n"))
    );
}

#[tokio::test]
async fn hole_07_what_runs_by_itself_is_protected_also_where_the_swarm_wrote_it() {
    let house = House::with(&[("a.py", "one\n")]).await;
    let id = house.submitted().await;
    house.prove(&[("Makefile", None, "all:\n")]).await;
    let seen = house.apply(&id, false).await;
    assert_eq!(seen.actions()[0].0, "protected", "{:?}", seen.actions());
    assert_eq!(house.rig.text("Makefile"), None);
}
