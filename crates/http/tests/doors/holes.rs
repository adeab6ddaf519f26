//! One test for each hole that an older coordinator had; the numbers are those of the published list.

use edgecoder_protocol::ErrorCode;
use edgecoder_protocol::api::agents::{HeartbeatReply, PullReply, RegisterReply};
use edgecoder_protocol::api::ledger::{LedgerPage, LedgerVerdict};
use edgecoder_protocol::api::tasks::{TaskPage, TaskView};
use serde_json::{Value, json};

use crate::support::{As, INVITATION, MEMBER, MESH, Node, Worker, now, request};

fn registration(id: &str) -> Value {
    json!({"agentId": id, "os": "linux", "version": "1"})
}

async fn ledger_height(node: &Node) -> u64 {
    let verdict: LedgerVerdict = node.get("/ledger/verify").await.read();
    assert!(verdict.ok, "{verdict:?}");
    verdict.entries
}

#[tokio::test]
async fn hole_01_register_needs_a_credential() {
    for token in [MESH, ""] {
        let node = Node::with_token(token).await;
        for who in [As::Nobody, As::Token(""), As::Token("guess"), As::Bearer("")] {
            let answer = node.ask(who, "POST", "/register", registration("a")).await;
            assert_eq!(answer.code(), ErrorCode::MeshUnauthorized);
        }
        let mut body = registration("a");
        body["registrationToken"] = json!("guess");
        assert_eq!(
            node.ask(As::Nobody, "POST", "/register", body.clone()).await.code(),
            ErrorCode::NodeNotActivated
        );
        body["registrationToken"] = json!(INVITATION);
        let answer = node.ask(As::Nobody, "POST", "/register", body).await;
        assert_eq!(answer.status, 200);
        assert!(!answer.text().contains(MESH) && !answer.text().contains("meshToken"), "{}", answer.text());
    }
}

#[tokio::test]
async fn hole_02_client_ip_headers_open_nothing() {
    let node = Node::start().await;
    for name in
        ["fly-client-ip", "cf-connecting-ip", "x-real-ip", "true-client-ip", "x-forwarded-for", "forwarded"]
    {
        let body = serde_json::to_vec(&registration("a")).unwrap();
        let mut request = request(As::Nobody, "POST", "/register", body, "application/json");
        request.headers_mut().insert(name, "127.0.0.1".parse().unwrap());
        assert_eq!(node.send(request).await.code(), ErrorCode::MeshUnauthorized, "{name}");
    }
}

#[tokio::test]
async fn hole_03_agent_id_cannot_be_taken_over() {
    let node = Node::start().await;
    let (owner, thief) = (node.enrol(1).await, Worker::new(2));
    let mut stolen = owner.registration();
    assert_eq!(node.post("/register", stolen.clone()).await.code(), ErrorCode::SignatureMissing);
    stolen["publicKeyPem"] = json!(thief.key.public());
    assert_eq!(node.post("/register", stolen.clone()).await.code(), ErrorCode::KeyAlreadyBound);
    let body = serde_json::to_vec(&stolen).unwrap();
    let mut forged = request(As::Forger(&owner, &thief), "POST", "/register", body, "application/json");
    forged.headers_mut().insert("x-mesh-token", MESH.parse().unwrap());
    // The thief's own key verifies the signature, but the id belongs to the first key.
    assert_eq!(node.send(forged).await.code(), ErrorCode::KeyAlreadyBound);
    let pull = json!({"agentId": owner.id});
    for path in ["/pull", "/heartbeat"] {
        assert_eq!(node.post(path, pull.clone()).await.code(), ErrorCode::SignatureMissing, "{path}");
    }
    assert_eq!(node.ask(As::Worker(&owner), "POST", "/pull", pull).await.status, 200);
}

#[tokio::test]
async fn hole_03_the_nodes_own_id_cannot_be_taken_over() {
    let node = Node::start().await;
    let mut body = registration(node.me.id.as_str());
    assert_eq!(node.post("/register", body.clone()).await.code(), ErrorCode::SignatureMissing);
    body["publicKeyPem"] = json!(Worker::new(2).key.public());
    assert_eq!(node.post("/register", body).await.code(), ErrorCode::KeyAlreadyBound);
    assert_eq!(node.register(&node.me).await.status, 200);
}

#[tokio::test]
async fn hole_04_signed_body_cannot_be_swapped() {
    let node = Node::start().await;
    let worker = node.enrol(1).await;
    let body = serde_json::to_vec(&json!({"agentId": worker.id})).unwrap();
    let other = serde_json::to_vec(&json!({"agentId": worker.id, "waitMs": 1})).unwrap();
    let send = |path: &'static str, body: &[u8], signed: &edgecoder_protocol::signing::SignedHeaders| {
        let mut request = request(As::Nobody, "POST", path, body.to_vec(), "application/json");
        for (name, value) in signed.to_pairs() {
            request.headers_mut().insert(name, value.parse().unwrap());
        }
        node.send(request)
    };
    let signed = worker.sign("POST", "/pull", &body);
    assert_eq!(send("/pull", &other, &signed).await.code(), ErrorCode::SignatureInvalid);
    assert_eq!(send("/heartbeat", &body, &signed).await.code(), ErrorCode::SignatureInvalid);
    let mut redated = signed.clone();
    redated.timestamp = now();
    redated.nonce = "another".into();
    assert_eq!(send("/pull", &body, &redated).await.code(), ErrorCode::SignatureInvalid);
    assert_eq!(send("/pull", &body, &signed).await.status, 200);
    assert_eq!(send("/pull", &body, &signed).await.code(), ErrorCode::RequestReplayed);
}

#[tokio::test]
async fn hole_06_an_unknown_agent_pulls_nothing() {
    let node = Node::start().await;
    node.submit_prompt("t").await;
    let stranger = Worker::new(9);
    let body = json!({"agentId": stranger.id});
    assert_eq!(
        node.ask(As::Worker(&stranger), "POST", "/pull", body.clone()).await.code(),
        ErrorCode::AgentNotRegistered
    );
    assert_eq!(node.post("/pull", body).await.code(), ErrorCode::AgentNotRegistered);
}

#[tokio::test]
async fn hole_08_an_unset_token_opens_nothing() {
    let node = Node::with_token("").await;
    for path in ["/status", "/capacity", "/agent/diagnostics/a", "/ledger/snapshot", "/tasks"] {
        for who in [As::Nobody, As::Token(""), As::Bearer("")] {
            assert_eq!(
                node.ask(who, "GET", path, Value::Null).await.code(),
                ErrorCode::MeshUnauthorized,
                "{path}"
            );
        }
    }
}

#[tokio::test]
async fn hole_21_results_can_be_fetched() {
    let node = Node::start().await;
    let worker = node.enrol(1).await;
    node.submit_prompt("t").await;
    let work = node.pull(&worker).await;
    // The published shape, as older workers send it.
    let body = json!({
        "subtaskId": work.subtask, "taskId": work.task, "agentId": worker.id, "ok": true, "output": "42",
        "durationMs": 5,
    });
    assert_eq!(node.ask(As::Worker(&worker), "POST", "/result", body).await.json(), json!({"ok": true}));
    let result = node.get("/tasks/t/subtasks/t.s0/result").await;
    assert_eq!(result.json(), json!({"output": "42", "ok": true}));
    assert_eq!(node.get("/tasks/t").await.json()["output"], "42");
}

#[tokio::test]
async fn hole_22_an_idle_worker_that_registers_again_and_again_is_welcome_and_free() {
    let node = Node::start().await;
    let worker = node.enrol(1).await;
    let before = ledger_height(&node).await;
    for _ in 0..1_000 {
        let reply: RegisterReply = node.register(&worker).await.read();
        assert!(reply.accepted);
    }
    assert_eq!(ledger_height(&node).await, before);
    node.submit_prompt("t").await;
    node.pull(&worker).await;
}

#[tokio::test]
async fn hole_25_a_result_whose_answer_was_lost_is_kept_and_may_be_sent_again() {
    let node = Node::start().await;
    let worker = node.enrol(1).await;
    node.submit_prompt("t").await;
    let work = node.pull(&worker).await;
    let answer = json!({"outcome": "answer", "ok": true, "output": "42"});
    assert_eq!(node.report(&worker, &work, answer.clone()).await.status, 200);
    let height = ledger_height(&node).await;
    // The worker never heard that; the coordinator is gone, comes back, and is told again.
    let node = node.restarted().await;
    assert_eq!(node.get("/tasks/t").await.json()["output"], "42");
    assert_eq!(node.report(&worker, &work, answer).await.status, 200);
    assert_eq!(node.get("/tasks/t").await.json()["output"], "42");
    assert_eq!(ledger_height(&node).await, height, "the same result is no second entry");
}

#[tokio::test]
async fn hole_26_a_lease_outlives_two_missed_heartbeats() {
    let node = Node::start().await;
    let worker = node.enrol(1).await;
    let reply: RegisterReply = node.register(&worker).await.read();
    node.submit_prompt("t").await;
    let work = node.pull(&worker).await;
    let asked = now();
    let body = json!({"agentId": worker.id, "leases": [{"attempt": work.attempt, "epoch": work.epoch}]});
    let beat: HeartbeatReply = node.ask(As::Worker(&worker), "POST", "/heartbeat", body).await.read();
    assert!(beat.lease_until.since(asked).as_millis() >= u128::from(reply.heartbeat_ms) * 3);
    assert_eq!(beat.requeued, 0);
}

#[tokio::test]
async fn hole_27_only_the_holder_of_the_lease_reports() {
    let node = Node::start().await;
    let (holder, other, stranger) = (node.enrol(1).await, node.enrol(2).await, Worker::new(3));
    node.submit_prompt("t").await;
    let answer = json!({"outcome": "answer", "ok": true, "output": "x"});
    let work = node.pull(&holder).await;
    assert_eq!(node.report(&stranger, &work, answer.clone()).await.code(), ErrorCode::AgentNotRegistered);
    assert_eq!(node.report(&other, &work, answer.clone()).await.code(), ErrorCode::LeaseLost);
    let body = json!({"subtaskId": work.subtask, "taskId": work.task, "agentId": other.id, "ok": true, "output": "x"});
    assert_eq!(node.ask(As::Worker(&other), "POST", "/result", body).await.code(), ErrorCode::LeaseLost);
    let mut stale = work.clone();
    stale.epoch += 1;
    assert_eq!(node.report(&holder, &stale, answer.clone()).await.code(), ErrorCode::LeaseLost);
    assert_eq!(node.report(&holder, &work, answer).await.status, 200);
}

#[tokio::test]
async fn hole_29_what_was_asked_for_reaches_the_worker() {
    let node = Node::start().await;
    let worker = node.enrol(1).await;
    node.announce(&worker, "large").await;
    let file = node.put_blob(b"x = 1\n").await;
    let manifest = json!({"manifest": {"files": [{"path": "a.py", "hash": file, "size": 6}]}});
    let snapshot = node.post("/snapshots", manifest).await.json()["snapshot"].clone();
    let task = json!({
        "id": "t", "request": "add f", "snapshot": snapshot, "model": "large", "privacy": "public",
        "verifier": {"command": "true", "timeout_ms": 1234},
        "limits": {"max_completions": 3, "max_output_tokens": 99, "wall_ms": 4567},
    });
    let answer = node.post("/tasks", task).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let work = node.pull(&worker).await;
    assert_eq!((work.task.as_str(), work.subtask.as_str()), ("t", "t.s0"));
    assert_eq!((work.model.as_deref(), work.limits.wall_ms), (Some("large"), 4567));
    assert_eq!(work.verifier.unwrap().timeout_ms, 1234);
}

#[tokio::test]
async fn hole_31_a_worker_that_changed_its_model_gets_the_work_of_the_new_one() {
    let node = Node::start().await;
    let worker = node.enrol(1).await;
    node.announce(&worker, "small").await;
    let file = node.put_blob(b"x = 1\n").await;
    let manifest = json!({"manifest": {"files": [{"path": "a.py", "hash": file, "size": 6}]}});
    let snapshot = node.post("/snapshots", manifest).await.json()["snapshot"].clone();
    let large = node.enrol(2).await;
    node.announce(&large, "large").await;
    let task =
        json!({"id": "t", "request": "add f", "snapshot": snapshot, "model": "large", "privacy": "public"});
    let answer = node.post("/tasks", task).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let pull = node.ask(As::Worker(&worker), "POST", "/pull", json!({"agentId": worker.id})).await;
    assert!(pull.read::<PullReply>().work.is_none(), "it has not got the model");
    node.announce(&worker, "large").await;
    assert_eq!(node.pull(&worker).await.task.as_str(), "t");
}

#[tokio::test]
async fn hole_32_what_is_not_valid_is_the_callers_fault() {
    let node = Node::start().await;
    for (path, body) in [
        ("/submit", json!({"taskId": "t", "prompt": ""})),
        ("/submit", json!({"taskId": "t", "prompt": "p", "priority": 101})),
        ("/tasks", json!({"request": ""})),
        ("/tasks", json!({"request": "r", "samples": 0})),
        ("/register", json!({"agentId": "a", "os": "x", "version": "1"})),
        ("/register", json!({"agentId": "a", "os": "linux", "version": "1", "maxConcurrentTasks": 65})),
    ] {
        assert_eq!(node.post(path, body.clone()).await.code(), ErrorCode::InvalidRequest, "{path} {body}");
    }
}

#[tokio::test]
async fn hole_35_what_the_ledger_shows_is_what_was_hashed() {
    let node = Node::start().await;
    let worker = node.enrol(1).await;
    node.submit_prompt("t").await;
    let work = node.pull(&worker).await;
    node.report(&worker, &work, json!({"outcome": "answer", "ok": true, "output": "x"})).await;
    let page: LedgerPage = node.get("/ledger/snapshot").await.read();
    let mut before = "GENESIS".to_owned();
    for record in &page.records {
        assert_eq!(record.prev_hash, before);
        assert!(record.hash.starts_with(&record.id));
        before.clone_from(&record.hash);
    }
    assert_eq!(page.proof.unwrap().hash, before);
    assert_eq!(ledger_height(&node).await, page.records.len() as u64);
}

#[tokio::test]
async fn hole_40_a_worker_cannot_tell_how_long_it_took() {
    let node = Node::start().await;
    let worker = node.enrol(1).await;
    node.submit_prompt("t").await;
    let work = node.pull(&worker).await;
    let mut body = json!({
        "subtaskId": work.subtask, "taskId": work.task, "agentId": worker.id, "ok": true, "output": "x",
        "durationMs": -1,
    });
    assert_eq!(
        node.ask(As::Worker(&worker), "POST", "/result", body.clone()).await.code(),
        ErrorCode::InvalidRequest
    );
    body["durationMs"] = json!(1_000_000_000_000_u64);
    assert_eq!(node.ask(As::Worker(&worker), "POST", "/result", body).await.status, 200);
    let task: TaskView = node.get("/tasks/t").await.read();
    assert_eq!(task.usage, edgecoder_base::Usage::default());
    assert!(!node.get("/ledger/snapshot").await.text().contains("1000000000000"));
}

#[tokio::test]
async fn hole_47_the_queue_its_leases_and_its_workers_survive_a_restart() {
    let node = Node::start().await;
    let worker = node.enrol(1).await;
    node.submit_prompt("held").await;
    let held = node.pull(&worker).await;
    node.submit_prompt("waiting").await;
    let node = node.restarted().await;
    let answer = json!({"outcome": "answer", "ok": true, "output": "x"});
    assert_eq!(node.report(&worker, &held, answer).await.status, 200);
    assert_eq!(node.pull(&worker).await.task.as_str(), "waiting");
    assert_eq!(node.get("/tasks/held").await.json()["state"], "completed");
    ledger_height(&node).await;
}

#[tokio::test]
async fn hole_48_an_idle_worker_leaves_nothing_behind_however_long_it_idles() {
    let node = Node::start().await;
    let worker = node.enrol(1).await;
    let idle = async |rounds: usize| {
        for round in 0..rounds {
            node.register(&worker).await;
            let beat = json!({"agentId": worker.id, "leases": []});
            node.ask(As::Worker(&worker), "POST", "/heartbeat", beat).await.json();
            node.ask(As::Worker(&worker), "POST", "/pull", json!({"agentId": worker.id})).await.json();
            let event = json!({"eventAtMs": round, "message": format!("{round:0100}")});
            let told = json!({"agentId": worker.id, "events": [event]});
            let answer = node.ask(As::Worker(&worker), "POST", "/agent/diagnostics", told).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
        }
        let diagnostics = node.get(&format!("/agent/diagnostics/{}", worker.id)).await;
        assert_eq!(diagnostics.status, 200, "{}", diagnostics.text());
        let mut rows = node.rows();
        // Kept for as long as a signature may be replayed, then removed with the next ones.
        rows.remove("nonces");
        (rows, diagnostics.body.len())
    };
    let (before, _) = idle(10).await;
    let (middle, told) = idle(490).await;
    let (after, told_after) = idle(500).await;
    assert_eq!((&before, &middle), (&middle, &after), "rows of the database");
    assert!(told_after < told * 3 / 2, "diagnostics grew from {told} to {told_after} bytes");
}

#[tokio::test]
async fn hole_49_the_ledger_is_read_in_pages_and_verified_beside_other_work() {
    let node = Node::start().await;
    for number in 0..20 {
        node.submit_prompt(&format!("t{number}")).await;
    }
    let first: LedgerPage = node.get("/ledger/snapshot?limit=5").await.read();
    assert_eq!(first.records.len(), 5);
    let after = first.next.unwrap();
    let second: LedgerPage = node.get(&format!("/ledger/snapshot?after={after}&limit=1000000")).await.read();
    assert_eq!(second.records[0].sequence, after + 1);
    assert!(second.records.len() <= 1_000);
    let (verdict, status) = tokio::join!(node.get("/ledger/verify"), node.get("/status"));
    assert_eq!((verdict.json()["ok"].clone(), status.status), (json!(true), 200));
}

#[tokio::test]
async fn hole_50_tasks_are_listed_in_pages_without_gaps() {
    let node = Node::start().await;
    for number in 0..7 {
        node.submit_prompt(&format!("t{number}")).await;
    }
    let mut seen = Vec::new();
    let mut path = "/tasks?limit=3".to_owned();
    loop {
        let page: TaskPage = node.get(&path).await.read();
        assert!(page.tasks.len() <= 3);
        seen.extend(page.tasks.iter().map(|task| task.id.to_string()));
        let Some(next) = page.next else { break };
        path = format!("/tasks?limit=3&cursor={next}");
    }
    seen.sort();
    assert_eq!(seen, (0..7).map(|number| format!("t{number}")).collect::<Vec<_>>());
}

#[tokio::test]
async fn hole_51_a_waiting_worker_gets_work_when_it_comes() {
    let node = Node::start().await;
    let worker = node.enrol(1).await;
    let wait = json!({"agentId": worker.id, "waitMs": 30_000});
    let pull = node.ask(As::Worker(&worker), "POST", "/pull", wait);
    let (pulled, ()) = tokio::join!(pull, node.submit_prompt("t"));
    assert_eq!(pulled.read::<PullReply>().work.unwrap().task.as_str(), "t");
}

#[tokio::test]
async fn hole_51_a_worker_has_as_many_attempts_as_it_said() {
    let node = Node::start().await;
    let worker = node.enrol(1).await;
    for number in 0..5 {
        node.submit_prompt(&format!("t{number}")).await;
    }
    for _ in 0..4 {
        node.pull(&worker).await;
    }
    let fifth = node.ask(As::Worker(&worker), "POST", "/pull", json!({"agentId": worker.id})).await;
    assert!(fifth.read::<PullReply>().work.is_none());
}

#[tokio::test]
async fn keyless_workers_of_older_versions_work_with_the_mesh_token() {
    let node = Node::start().await;
    let mut body = registration("old");
    body["sandboxLevel"] = json!("S2");
    assert_eq!(node.ask(MEMBER, "POST", "/register", body).await.status, 200);
    node.submit_prompt("t").await;
    let reply: PullReply = node.post("/pull", json!({"agentId": "old"})).await.read();
    assert_eq!(reply.subtask.unwrap().input, "say hello");
}
