//! The queue as its callers see it, on a real database.
#![expect(clippy::unwrap_used, reason = "a test that fails here fails")]

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use edgecoder_base::{Blobs, FileEntry, Level, Manifest, NodeId, NodeKey, PublicKey, Timestamp, Verifier};
use edgecoder_coordinator::{Config, Coordinator, Deps, Handle};
use edgecoder_protocol::api::agents::{
    HeartbeatRequest, HeldLease, PullRequest, RegisterRequest, ResultRequest,
};
use edgecoder_protocol::api::tasks::{ReviewDecision, ReviewRequest, SubmitTask, TaskView};
use edgecoder_protocol::work::{Assignment, Outcome, Rejection, Report, Verdict};
use edgecoder_protocol::{ErrorCode, WorkError, WorkSource};
use edgecoder_store::{BlobDir, Location, Store};

static NOW: AtomicI64 = AtomicI64::new(1_000_000);

fn clock() -> Timestamp {
    Timestamp::from_millis(NOW.fetch_add(1, Ordering::Relaxed))
}

fn entropy() -> u128 {
    static NEXT: AtomicI64 = AtomicI64::new(1);
    u128::try_from(NEXT.fetch_add(1, Ordering::Relaxed)).unwrap()
}

struct House {
    handle: Handle,
    blobs: BlobDir,
    _folder: tempfile::TempDir,
}

fn key() -> Arc<NodeKey> {
    Arc::new(NodeKey::from_seed(&[5; 32]))
}

async fn house() -> House {
    let folder = tempfile::tempdir().unwrap();
    let location = Location::Sqlite(folder.path().join("queue.db"));
    let deps = edgecoder_store::Deps { node: key().public().node_id(), key: key() };
    let store = Store::open(edgecoder_store::Config { location }, deps).await.unwrap();
    let blobs = BlobDir::open(folder.path().join("blobs")).unwrap();
    let deps = Deps { store, blobs: blobs.clone(), key: key(), decomposer: None, clock, entropy };
    let handle = Coordinator::build(Config::default(), deps).handle();
    House { handle, blobs, _folder: folder }
}

impl House {
    fn snapshot(&self) -> edgecoder_base::BlobHash {
        let hash = self.blobs.write(b"print(1)\n").unwrap();
        let entry = FileEntry { path: "a.py".into(), hash, size: 9, executable: false };
        self.blobs.write(&Manifest { files: vec![entry] }.to_bytes()).unwrap()
    }

    fn request(&self) -> SubmitTask {
        SubmitTask {
            snapshot: Some(self.snapshot()),
            verifier: Some(Verifier::new("true")),
            submitter: "ada".into(),
            ..SubmitTask::new("add a function")
        }
    }

    async fn submit(&self) -> TaskView {
        self.handle.submit(self.request(), None).await.unwrap()
    }

    async fn worker(&self, id: NodeId, key: Option<PublicKey>) -> edgecoder_coordinator::LocalWorkSource {
        let source = self.handle.local_source(id.clone());
        source.register(registration(id, key, Level::S3)).await.unwrap();
        source
    }

    async fn own(&self) -> edgecoder_coordinator::LocalWorkSource {
        self.worker(self.handle.id().clone(), Some(key().public())).await
    }
}

fn registration(id: NodeId, key: Option<PublicKey>, level: Level) -> RegisterRequest {
    RegisterRequest {
        agent_id: id,
        device_id: None,
        os: "debian".into(),
        version: "1".into(),
        mode: None,
        registration_token: None,
        local_model_provider: "edgecoder-local".into(),
        client_type: "edgecoder-native".into(),
        max_concurrent_tasks: 4,
        power_telemetry: None,
        public_key_pem: key,
        x25519_public_key: None,
        sandbox_mode: None,
        binary_integrity: None,
        sandbox_level: Some(level),
        models: vec!["tiny".into()],
        session: Some("s1".into()),
    }
}

async fn pull(source: &dyn WorkSource, id: &NodeId) -> Option<Assignment> {
    source.pull(PullRequest { agent_id: id.clone(), wait_ms: 0 }).await.unwrap().work
}

fn result(id: &NodeId, work: &Assignment, outcome: Outcome) -> ResultRequest {
    ResultRequest {
        subtask_id: work.subtask.clone(),
        task_id: work.task.clone(),
        agent_id: id.clone(),
        ok: true,
        output: String::new(),
        error: None,
        duration_ms: None,
        report_nonce: None,
        report_signature: None,
        attempt: Some(work.attempt.clone()),
        epoch: Some(work.epoch),
        report: Some(Report::of(outcome)),
    }
}

fn candidate(house: &House) -> Outcome {
    Outcome::Candidate {
        patch: house.blobs.write(b"{\"changes\":[]}").unwrap(),
        summary: "x".into(),
        claimed_pass: true,
    }
}

fn judged(rejections: Vec<Rejection>) -> Outcome {
    let verdict = Verdict {
        rejections,
        tests: None,
        log: None,
        diff: None,
        lines: (1, 0),
        level: Level::S3,
        degraded: Vec::new(),
        verified_by_user: true,
        notes: Vec::new(),
    };
    Outcome::Judged { verdict }
}

#[tokio::test]
async fn a_task_goes_from_submit_to_a_receipt_and_its_ledger_verifies() {
    let house = house().await;
    let own = house.own().await;
    let id = house.handle.id().clone();
    let task = house.submit().await;
    let work = pull(&own, &id).await.unwrap();
    own.result(result(&id, &work, candidate(&house))).await.unwrap();
    let work = pull(&own, &id).await.unwrap();
    own.result(result(&id, &work, judged(vec![]))).await.unwrap();
    let task = house.handle.task(&task.id).await.unwrap();
    assert_eq!(task.state, "review");
    let receipt = task.result.unwrap().receipt.unwrap();
    let receipt: serde_json::Value =
        serde_json::from_slice(&house.handle.blob(receipt).await.unwrap()).unwrap();
    assert_eq!(receipt["receipt"]["task"], task.id.to_string());
    let review = ReviewRequest { decision: ReviewDecision::Approve, note: None, accept_notes: false };
    assert_eq!(house.handle.review(&task.id, review, "ada").await.unwrap().state, "approved");
    let verdict = house.handle.verify_ledger().await.unwrap();
    assert!(verdict.ok && verdict.entries >= 8 && verdict.checkpoints > 0, "{verdict:?}");
}

#[tokio::test]
async fn the_same_submission_twice_is_one_task() {
    let house = house().await;
    let first = house.handle.submit(house.request(), Some("k".into())).await.unwrap();
    let again = house.handle.submit(house.request(), Some("k".into())).await.unwrap();
    assert_eq!(first.id, again.id);
    let mut other = house.request();
    other.priority = 51;
    let refused = house.handle.submit(other, Some("k".into())).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::IdempotencyMismatch);
}

#[tokio::test]
async fn nothing_is_accepted_over_content_that_is_not_here() {
    let house = house().await;
    let mut request = house.request();
    request.snapshot = Some(edgecoder_base::BlobHash::of(b"nowhere"));
    let refused = house.handle.submit(request, None).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::SnapshotIncomplete);
    let manifest = Manifest {
        files: vec![FileEntry {
            path: "a".into(),
            hash: edgecoder_base::BlobHash::of(b"?"),
            size: 1,
            executable: false,
        }],
    };
    let offered = house.handle.offer_snapshot(manifest).await.unwrap();
    assert_eq!(offered.missing.len(), 1);
    let mut request = house.request();
    request.snapshot = Some(offered.snapshot);
    let refused = house.handle.submit(request, None).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::SnapshotIncomplete);
}

#[tokio::test]
async fn what_nobody_connected_can_run_is_refused_with_the_reason() {
    let house = house().await;
    house.own().await;
    let mut request = house.request();
    request.model = Some("qwen-900b".into());
    let refused = house.handle.submit(request, None).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::NoEligibleWorker);
    assert!(refused.message.contains("qwen-900b"), "{refused}");
}

#[tokio::test]
async fn a_waiting_worker_is_woken_by_a_submission() {
    let house = house().await;
    let own = house.own().await;
    let id = house.handle.id().clone();
    let waiting = own.pull(PullRequest { agent_id: id, wait_ms: 30_000 });
    let (pulled, task) = tokio::join!(waiting, house.submit());
    assert_eq!(pulled.unwrap().work.unwrap().task, task.id);
}

#[tokio::test]
async fn a_row_that_the_woken_worker_may_not_take_wakes_one_that_may() {
    let house = house().await;
    let stranger: NodeId = "stranger".parse().unwrap();
    let far = house.worker(stranger.clone(), None).await;
    let own = house.own().await;
    let id = house.handle.id().clone();
    let task = house.submit().await;
    let work = pull(&far, &stranger).await.unwrap();
    let waiting_far = far.pull(PullRequest { agent_id: stranger.clone(), wait_ms: 30_000 });
    let waiting_own = own.pull(PullRequest { agent_id: id, wait_ms: 30_000 });
    let report = async { far.result(result(&stranger, &work, candidate(&house))).await.unwrap() };
    tokio::pin!(waiting_far);
    let (judge, ()) = tokio::select! {
        _ = &mut waiting_far => panic!("a stranger may not judge"),
        both = async { tokio::join!(waiting_own, async { report.await; }) } => both,
    };
    let judge = judge.unwrap().work.unwrap();
    assert_eq!((judge.task, judge.kind.as_str()), (task.id, "verify"));
}

#[tokio::test]
async fn a_cancellation_reaches_the_worker_that_is_waiting_in_its_heartbeat() {
    let house = house().await;
    let own = house.own().await;
    let id = house.handle.id().clone();
    let task = house.submit().await;
    let work = pull(&own, &id).await.unwrap();
    let lease = HeldLease {
        attempt: work.attempt.clone(),
        epoch: work.epoch,
        phase: Some("coding".into()),
        output_tokens: None,
    };
    let beat = own.heartbeat(HeartbeatRequest {
        agent_id: id.clone(),
        power_telemetry: None,
        active_model: None,
        active_model_param_size: None,
        model_swap_in_progress: None,
        sandbox_mode: None,
        leases: vec![lease],
        wait_ms: 30_000,
    });
    let cancel = async {
        // The worker is heard first, so that the cancellation finds it waiting.
        while house.handle.progress(&work.attempt).is_none() {
            tokio::task::yield_now().await;
        }
        house.handle.cancel(&task.id, "ada").await.unwrap()
    };
    let (reply, cancelled) = tokio::join!(beat, cancel);
    assert_eq!(cancelled.state, "cancelled");
    assert_eq!(reply.unwrap().stop, std::slice::from_ref(&work.attempt));
    let late = own.result(result(&id, &work, candidate(&house))).await.unwrap_err();
    assert!(matches!(late, WorkError::Refused { code: ErrorCode::LeaseLost, .. }), "{late}");
}

#[tokio::test]
async fn a_restarted_worker_gets_its_attempt_back_under_a_new_epoch() {
    let house = house().await;
    let own = house.own().await;
    let id = house.handle.id().clone();
    house.submit().await;
    let first = pull(&own, &id).await.unwrap();
    assert!(pull(&own, &id).await.is_none());
    let mut again = registration(id.clone(), Some(key().public()), Level::S3);
    again.session = Some("s2".into());
    assert_eq!(own.register(again).await.unwrap().released, 1);
    let second = pull(&own, &id).await.unwrap();
    assert_eq!((second.attempt.clone(), second.epoch), (first.attempt.clone(), first.epoch + 1));
    let stale = own.result(result(&id, &first, candidate(&house))).await.unwrap_err();
    assert!(matches!(stale, WorkError::Refused { code: ErrorCode::LeaseLost, .. }));
    own.result(result(&id, &second, candidate(&house))).await.unwrap();
    own.result(result(&id, &second, candidate(&house))).await.unwrap();
}

#[tokio::test]
async fn an_agent_id_keeps_its_first_key() {
    let house = house().await;
    let id: NodeId = "worker-1".parse().unwrap();
    let mine = NodeKey::from_seed(&[8; 32]).public();
    house.worker(id.clone(), Some(mine)).await;
    let thief = NodeKey::from_seed(&[9; 32]).public();
    let taken = house.handle.register(
        registration(id.clone(), Some(thief), Level::S3),
        edgecoder_coordinator::Trust::MeshToken,
        None,
    );
    assert_eq!(taken.await.unwrap_err().code, ErrorCode::KeyAlreadyBound);
    let unsigned = house.handle.register(
        registration(id, Some(mine), Level::S3),
        edgecoder_coordinator::Trust::MeshToken,
        None,
    );
    assert_eq!(unsigned.await.unwrap_err().code, ErrorCode::SignatureMissing);
}

#[tokio::test]
async fn registering_again_and_again_changes_nothing() {
    let house = house().await;
    let own = house.own().await;
    let before = house.handle.verify_ledger().await.unwrap().entries;
    for _ in 0..50 {
        own.register(registration(house.handle.id().clone(), Some(key().public()), Level::S3)).await.unwrap();
    }
    assert_eq!(house.handle.verify_ledger().await.unwrap().entries, before);
}

#[tokio::test]
async fn a_prompt_without_a_repository_is_answered_and_its_output_can_be_fetched() {
    let house = house().await;
    let own = house.own().await;
    let id = house.handle.id().clone();
    let request = serde_json::json!({"taskId": "t1", "prompt": "say hi", "language": "python"});
    let submitted = house.handle.submit_prompt(serde_json::from_value(request).unwrap()).await.unwrap();
    let work = pull(&own, &id).await.unwrap();
    own.result(result(&id, &work, Outcome::Answer { ok: true, output: "hi".into() })).await.unwrap();
    let task = house.handle.task(&submitted.task_id).await.unwrap();
    assert_eq!((task.state.as_str(), task.output.as_deref(), task.ok), ("completed", Some("hi"), Some(true)));
    let fetched = house.handle.subtask_result(&submitted.task_id, &submitted.subtasks[0]).await.unwrap();
    assert_eq!(fetched.output, "hi");
}
