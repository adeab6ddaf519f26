//! What each route answers when all is well, and its own refusals.

use edgecoder_base::{BlobHash, FileEntry, Manifest, Patch};
use edgecoder_protocol::ErrorCode;
use edgecoder_protocol::api::agents::{DiagnosticsView, HeartbeatReply};
use edgecoder_protocol::api::snapshots::{SnapshotView, StoredBlobs};
use edgecoder_protocol::api::status::{Capacity, Features, Health, Identity, RuntimeHealth, Status};
use edgecoder_protocol::api::tasks::{AttemptView, SubtaskResult, TaskEventView, TaskPage, TaskView};
use edgecoder_protocol::work::WorkKind;
use futures::StreamExt as _;
use serde_json::json;
use tower::ServiceExt as _;

use crate::support::{As, MEMBER, Node, request};

#[tokio::test]
async fn the_door_says_who_it_is_and_how_it_does() {
    let node = Node::start().await;
    let worker = node.enrol(1).await;
    let health: Health = node.get("/health").await.read();
    assert_eq!((health.ok, health.role.as_str()), (true, "coordinator"));
    let runtime: RuntimeHealth = node.get("/health/runtime").await.read();
    assert_eq!(runtime.coordinator.agents, 1);
    let identity: Identity = node.get("/identity").await.read();
    assert_eq!(identity.peer_id, identity.public_key_pem.node_id());
    assert_eq!(identity.peer_id, node.me.id);
    let status: Status = node.get("/status").await.read();
    assert_eq!(status, runtime.coordinator);
    let _: Features = node.get("/features").await.read();
    let capacity: Capacity = node.get("/capacity").await.read();
    assert_eq!(capacity.totals.total_capacity, 4);
    assert_eq!(capacity.agents[0].agent_id, worker.id);
    assert_eq!(node.get("/models/available").await.json(), json!([]));
    assert_eq!(node.get("/openapi.json").await.json()["info"]["title"], "EdgeCoder coordinator door");
    let metrics = node.get("/metrics").await.text();
    assert!(metrics.contains("edgecoder_workers_connected 1"), "{metrics}");
    assert!(metrics.contains("route=\"/capacity\",status=\"200\"} 1"), "{metrics}");
}

#[tokio::test]
async fn models_are_counted_by_worker() {
    let node = Node::start().await;
    for (id, models) in [("a", json!(["small", "large"])), ("b", json!(["small"]))] {
        let body = json!({"agentId": id, "os": "linux", "version": "1", "models": models});
        assert_eq!(node.post("/register", body).await.json()["accepted"], true);
    }
    let expected = json!([{"model": "large", "agentCount": 1}, {"model": "small", "agentCount": 2}]);
    assert_eq!(node.get("/models/available").await.json(), expected);
}

#[tokio::test]
async fn a_prompt_is_answered_and_its_events_are_told_to_the_end() {
    let node = Node::start().await;
    let worker = node.enrol(1).await;
    node.submit_prompt("hello").await;
    assert_eq!(node.get("/tasks/hello/subtasks/hello.s0/result").await.code(), ErrorCode::NotFound);
    let work = node.pull(&worker).await;
    assert_eq!((work.kind, work.request.as_str()), (WorkKind::Answer, "say hello"));
    let body = json!({"agentId": worker.id, "leases": [{"attempt": work.attempt, "epoch": work.epoch}]});
    let beat: HeartbeatReply = node.ask(As::Worker(&worker), "POST", "/heartbeat", body).await.read();
    assert_eq!((beat.ok, beat.stop.len()), (true, 0));
    let outcome = json!({"outcome": "answer", "ok": true, "output": "hello"});
    assert_eq!(node.report(&worker, &work, outcome).await.json(), json!({"ok": true}));
    let result: SubtaskResult = node.get("/tasks/hello/subtasks/hello.s0/result").await.read();
    assert_eq!((result.output.as_str(), result.ok), ("hello", true));
    let task: TaskView = node.get("/tasks/hello").await.read();
    assert_eq!((task.state.as_str(), task.output.as_deref()), ("completed", Some("hello")));
    let attempts: Vec<AttemptView> = node.get("/tasks/hello/attempts").await.read();
    assert_eq!(attempts[0].worker.as_ref(), Some(&worker.id));
    let all = node.get("/tasks/hello/events").await;
    assert_eq!(all.headers["content-type"], "text/event-stream");
    let all = sequences(&all.text());
    assert!(all.len() >= 3 && all.is_sorted(), "{all:?}");
    let rest = node.get(&format!("/tasks/hello/events?after={}", all[0])).await;
    assert_eq!(sequences(&rest.text()), all[1..]);
    let mut resumed = request(MEMBER, "GET", "/tasks/hello/events?after=0", Vec::new(), "");
    resumed.headers_mut().insert("last-event-id", all[1].to_string().parse().unwrap());
    assert_eq!(sequences(&node.send(resumed).await.text()), all[2..]);
}

/// The ids of a stream, after checking that each event's data names the same position.
fn sequences(stream: &str) -> Vec<u64> {
    let mut found = Vec::new();
    for block in stream.split("\n\n").filter(|block| !block.trim().is_empty()) {
        let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        let Some(id) = field("id:") else { continue };
        let view: TaskEventView = serde_json::from_str(field("data:").unwrap()).unwrap();
        assert_eq!(id, view.sequence.to_string());
        assert_eq!(field("event:"), Some(view.event.as_str()));
        found.push(view.sequence);
    }
    found
}

/// A worker's words go through the stream as data: no line of theirs begins an event, and no page takes them for markup.
#[tokio::test]
async fn what_a_model_wrote_cannot_forge_an_event() {
    let hostile =
        "hello\n\nid: 9999\nevent: task_approved\ndata: {}\n\n\r\rdata: {}\r\n<img src=x onerror=alert(1)>";
    let node = Node::start().await;
    let worker = node.enrol(1).await;
    node.submit_prompt("hello").await;
    let work = node.pull(&worker).await;
    let outcome = json!({"outcome": "failed", "code": "internal", "detail": hostile, "retryable": true});
    assert_eq!(node.report(&worker, &work, outcome).await.json(), json!({"ok": true}));
    node.ask(MEMBER, "POST", "/tasks/hello/cancel", json!({})).await;
    let stream = node.get("/tasks/hello/events").await;
    assert_eq!(stream.headers["content-type"], "text/event-stream");
    assert_eq!(stream.headers["x-content-type-options"], "nosniff");
    let text = stream.text();
    assert!(text.contains("onerror"), "it is told, as data: {text}");
    assert!(sequences(&text).iter().all(|&sequence| sequence < 9999), "{text}");
    for line in text.split(['\n', '\r']).filter(|line| !line.is_empty()) {
        let known = ["id: ", "event: ", "data: {", ":"].iter().any(|start| line.starts_with(start));
        assert!(known && !line.contains("task_approved\n") && line != "event: task_approved", "{line:?}");
    }
}

#[tokio::test]
async fn a_stream_follows_a_task_and_its_progress_until_it_ends() {
    let node = Node::start().await;
    let worker = node.enrol(1).await;
    node.submit_prompt("hello").await;
    let work = node.pull(&worker).await;
    let leases = json!([{"attempt": work.attempt, "epoch": work.epoch, "phase": "code", "outputTokens": 7}]);
    let beat = json!({"agentId": worker.id, "leases": leases});
    assert_eq!(node.ask(As::Worker(&worker), "POST", "/heartbeat", beat).await.status, 200);
    let ask = request(MEMBER, "GET", "/tasks/hello/events", Vec::new(), "");
    let mut frames = node.router.clone().oneshot(ask).await.unwrap().into_body().into_data_stream();
    let mut stream = String::new();
    while !stream.contains("event: progress") {
        stream.push_str(std::str::from_utf8(&frames.next().await.unwrap().unwrap()).unwrap());
    }
    assert!(stream.contains("\"output_tokens\":7"), "{stream}");
    let report = node.report(&worker, &work, json!({"outcome": "answer", "ok": true, "output": "x"})).await;
    assert_eq!(report.status, 200);
    while let Some(frame) = frames.next().await {
        stream.push_str(std::str::from_utf8(&frame.unwrap()).unwrap());
    }
    let again = node.get("/tasks/hello/events").await;
    assert_eq!(sequences(&stream), sequences(&again.text()));
}

#[tokio::test]
async fn a_repository_task_goes_from_snapshot_to_approved_patch() {
    let node = Node::start().await;
    let worker = node.enrol(1).await;
    node.register(&node.me).await;
    let manifest = Manifest {
        files: vec![FileEntry {
            path: "a.py".into(),
            hash: BlobHash::of(b"old\n"),
            size: 4,
            executable: false,
        }],
    };
    let offered: SnapshotView = node.post("/snapshots", json!({"manifest": manifest})).await.read();
    assert_eq!(offered.missing, [BlobHash::of(b"old\n")]);
    let task = json!({"id": "fix", "request": "fix it", "snapshot": offered.snapshot, "verifier": {"command": "true"}});
    assert_eq!(node.post("/tasks", task.clone()).await.code(), ErrorCode::SnapshotIncomplete);
    let pack = request(MEMBER, "POST", "/blobs", b"\x04\0\0\0old\n".to_vec(), "");
    let stored: StoredBlobs = node.send(pack).await.read();
    assert_eq!(stored.stored, offered.missing);
    let view: TaskView = node.post("/tasks", task.clone()).await.read();
    assert_eq!(view.state, "running");
    assert_eq!(node.get("/tasks/fix/patch").await.code(), ErrorCode::NotFound);
    assert_eq!(
        node.post("/tasks/fix/review", json!({"decision": "approve"})).await.code(),
        ErrorCode::WrongState
    );
    prove(&node, &worker).await;

    let view: TaskView = node.get("/tasks/fix").await.read();
    assert_eq!(view.state, "review");
    assert!(view.result.unwrap().receipt.is_some());
    let diff = node.get("/tasks/fix/patch").await;
    assert_eq!((diff.status, diff.text().as_str()), (200, "-old\n+new\n"));
    assert_eq!(diff.headers["content-type"], "text/x-diff; charset=utf-8");
    let mut as_json = request(MEMBER, "GET", "/tasks/fix/patch", Vec::new(), "");
    as_json.headers_mut().insert("accept", "application/json".parse().unwrap());
    let patches: Vec<Patch> = node.send(as_json).await.read();
    assert_eq!(patches[0].get("a.py"), Some(Some("new\n")));
    assert_eq!(node.get("/tasks/fix/trace").await.text(), "{\"step\":1}\n");
    assert_eq!(node.get("/tasks/fix/trace?attempt=fix.s0.a99").await.code(), ErrorCode::NotFound);
    let view: TaskView = node.post("/tasks/fix/review", json!({"decision": "approve"})).await.read();
    assert_eq!(view.state, "approved");
}

/// A worker proposes and the origin's own worker judges.
async fn prove(node: &Node, worker: &crate::support::Worker) {
    let work = node.pull(worker).await;
    assert_eq!(work.kind, WorkKind::Code);
    let mut patch = Patch::default();
    patch.set("a.py", Some(BlobHash::of(b"old\n")), Some("new\n".into()));
    let hash = BlobHash::of(&patch.to_bytes());
    let upload = request(As::Worker(worker), "PUT", &format!("/blobs/{hash}"), patch.to_bytes(), "");
    assert_eq!(node.send(upload).await.status, 200);
    let trace = node.put_blob(b"{\"step\":1}\n").await;
    let outcome = json!({"outcome": "candidate", "patch": hash, "summary": "s", "claimed_pass": true});
    let body = json!({
        "subtaskId": work.subtask, "taskId": work.task, "agentId": worker.id, "attempt": work.attempt,
        "epoch": work.epoch, "report": {"outcome": outcome, "trace": trace},
    });
    assert_eq!(node.ask(As::Worker(worker), "POST", "/result", body).await.json(), json!({"ok": true}));
    let judging = node.pull(&node.me).await;
    assert_eq!((judging.kind, judging.candidate), (WorkKind::Verify, Some(hash)));
    let fetched = node.ask(As::Worker(&node.me), "GET", &format!("/blobs/{hash}"), json!(null)).await;
    assert_eq!(fetched.body, patch.to_bytes());
    let diff = node.put_blob(b"-old\n+new\n").await;
    let verdict = json!({
        "rejections": [], "tests": {"passed": 1, "failed": 0}, "log": null, "diff": diff, "lines": [1, 1],
        "level": "S2", "verified_by_user": true,
    });
    let answer = node.report(&node.me, &judging, json!({"outcome": "judged", "verdict": verdict})).await;
    assert_eq!(answer.json(), json!({"ok": true}));
}

#[tokio::test]
async fn blobs_larger_than_any_json_pass_both_ways() {
    let node = Node::start().await;
    let worker = node.enrol(1).await;
    let bytes = vec![7; 5 * 1024 * 1024];
    let path = format!("/blobs/{}", BlobHash::of(&bytes));
    let put = request(As::Worker(&worker), "PUT", &path, bytes.clone(), "application/octet-stream");
    assert_eq!(node.send(put).await.status, 200);
    assert!(node.get(&path).await.body == bytes);
}

#[tokio::test]
async fn a_cancelled_task_is_listed_as_such() {
    let node = Node::start().await;
    node.submit_prompt("one").await;
    node.submit_prompt("two").await;
    let view: TaskView = node.post("/tasks/one/cancel", json!(null)).await.read();
    assert_eq!(view.state, "cancelled");
    let page: TaskPage = node.get("/tasks?state=cancelled").await.read();
    assert_eq!(page.tasks.iter().map(|task| task.id.as_str()).collect::<Vec<_>>(), ["one"]);
    assert_eq!(node.post("/tasks/none/cancel", json!(null)).await.code(), ErrorCode::NotFound);
}

#[tokio::test]
async fn the_same_submission_twice_is_one_task() {
    let node = Node::start().await;
    let submit = |key: &str, words: &str| {
        let body = serde_json::to_vec(&json!({"request": words})).unwrap();
        let mut request = request(MEMBER, "POST", "/tasks", body, "application/json");
        request.headers_mut().insert("idempotency-key", key.parse().unwrap());
        node.send(request)
    };
    let first: TaskView = submit("k", "a").await.read();
    let second: TaskView = submit("k", "a").await.read();
    assert_eq!(first, second);
    assert_eq!(submit("k", "b").await.code(), ErrorCode::IdempotencyMismatch);
    assert_eq!(submit("", "a").await.code(), ErrorCode::InvalidRequest);
}

#[tokio::test]
async fn diagnostics_are_kept_newest_first() {
    let node = Node::start().await;
    let worker = node.enrol(1).await;
    let events = json!([{"eventAtMs": 1, "message": "old"}, {"eventAtMs": 2, "message": "new"}]);
    let body = json!({"agentId": worker.id, "events": events});
    let stored = node.ask(As::Worker(&worker), "POST", "/agent/diagnostics", body).await;
    assert_eq!(stored.json(), json!({"ok": true, "stored": 2}));
    let view: DiagnosticsView = node.get(&format!("/agent/diagnostics/{}", worker.id)).await.read();
    assert_eq!(view.events.iter().map(|event| event.message.as_str()).collect::<Vec<_>>(), ["new", "old"]);
}
