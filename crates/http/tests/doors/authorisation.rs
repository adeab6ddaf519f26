//! Every route against every caller. A route that is not in this table fails the test.

use std::collections::BTreeSet;

use edgecoder_protocol::ErrorCode::{
    self, AgentIdMismatch, AgentNotRegistered, MeshUnauthorized, SignatureInvalid, SignatureMissing,
};
use serde_json::{Value, json};

use crate::support::{As, INVITATION, MEMBER, MESH, Node, Worker};

#[derive(Debug, Clone, Copy, PartialEq)]
enum Door {
    Open,
    Mesh,
    MeshOrSigned,
    Signed,
}

fn table(agent: &Worker) -> Vec<(Door, &'static str, &'static str, Value)> {
    let named = json!({"agentId": agent.id});
    let result = json!({"agentId": agent.id, "taskId": "t", "subtaskId": "t.s0", "ok": true});
    let diagnostics = json!({"agentId": agent.id, "events": []});
    let none = Value::Null;
    vec![
        (Door::Open, "GET", "/health", none.clone()),
        (Door::Open, "GET", "/health/runtime", none.clone()),
        (Door::Open, "GET", "/identity", none.clone()),
        (Door::Open, "GET", "/metrics", none.clone()),
        (Door::Signed, "POST", "/heartbeat", named.clone()),
        (Door::Signed, "POST", "/pull", named),
        (Door::Signed, "POST", "/result", result),
        (Door::Signed, "POST", "/agent/diagnostics", diagnostics),
        (Door::Mesh, "GET", "/agent/diagnostics/{agentId}", none.clone()),
        (Door::Mesh, "POST", "/submit", json!({"taskId": "t", "prompt": "p"})),
        (Door::Mesh, "POST", "/tasks", json!({"request": "r"})),
        (Door::Mesh, "GET", "/tasks", none.clone()),
        (Door::Mesh, "GET", "/tasks/{id}", none.clone()),
        (Door::Mesh, "GET", "/tasks/{id}/events", none.clone()),
        (Door::Mesh, "GET", "/tasks/{id}/attempts", none.clone()),
        (Door::Mesh, "GET", "/tasks/{id}/patch", none.clone()),
        (Door::Mesh, "GET", "/tasks/{id}/trace", none.clone()),
        (Door::Mesh, "POST", "/tasks/{id}/cancel", none.clone()),
        (Door::Mesh, "POST", "/tasks/{id}/review", json!({"decision": "approve"})),
        (Door::Mesh, "GET", "/tasks/{taskId}/subtasks/{subtaskId}/result", none.clone()),
        (Door::Mesh, "POST", "/snapshots", json!({"manifest": {"files": []}})),
        (Door::MeshOrSigned, "PUT", "/blobs/{hash}", none.clone()),
        (Door::MeshOrSigned, "POST", "/blobs", none.clone()),
        (Door::MeshOrSigned, "GET", "/blobs/{hash}", none.clone()),
        (Door::Mesh, "GET", "/status", none.clone()),
        (Door::Mesh, "GET", "/features", none.clone()),
        (Door::Mesh, "GET", "/capacity", none.clone()),
        (Door::Mesh, "GET", "/models/available", none.clone()),
        (Door::Mesh, "GET", "/ledger/snapshot", none.clone()),
        (Door::Mesh, "GET", "/ledger/verify", none),
    ]
}

/// What each caller is told; none: let in.
fn expected(door: Door, callers: &str) -> Option<ErrorCode> {
    match (door, callers) {
        (Door::Open, _) => None,
        (Door::Mesh | Door::MeshOrSigned, "member" | "bearer") => None,
        (Door::Mesh, _) => Some(MeshUnauthorized),
        (Door::MeshOrSigned | Door::Signed, "agent") => None,
        (Door::MeshOrSigned, "another agent") => None,
        (Door::Signed, "another agent") => Some(AgentIdMismatch),
        (Door::Signed, "nobody" | "member" | "bearer") => Some(SignatureMissing),
        (_, "forger") => Some(SignatureInvalid),
        (_, "stranger") => Some(AgentNotRegistered),
        (_, _) => Some(MeshUnauthorized),
    }
}

fn filled(path: &str, agent: &Worker) -> String {
    let hash = edgecoder_base::BlobHash::of(b"").to_string();
    path.replace("{agentId}", agent.id.as_str())
        .replace("{id}", "nothing")
        .replace("{taskId}", "nothing")
        .replace("{subtaskId}", "nothing.s0")
        .replace("{hash}", &hash)
}

const REFUSALS: [ErrorCode; 7] = [
    AgentIdMismatch,
    AgentNotRegistered,
    MeshUnauthorized,
    SignatureInvalid,
    SignatureMissing,
    ErrorCode::Forbidden,
    ErrorCode::RequestReplayed,
];

#[tokio::test]
async fn every_route_lets_in_its_callers_and_nobody_else() {
    let node = Node::start().await;
    let (agent, another, stranger) = (node.enrol(1).await, node.enrol(2).await, Worker::new(3));
    let callers = [
        ("nobody", As::Nobody),
        ("wrong token", As::Token("wrong")),
        ("empty token", As::Token("")),
        ("invited only", As::Token(INVITATION)),
        ("member", MEMBER),
        ("bearer", As::Bearer(MESH)),
        ("agent", As::Worker(&agent)),
        ("another agent", As::Worker(&another)),
        ("forger", As::Forger(&agent, &another)),
        ("stranger", As::Worker(&stranger)),
    ];
    for (door, method, path, body) in table(&agent) {
        for (name, who) in callers {
            let answer = node.ask(who, method, &filled(path, &agent), body.clone()).await;
            let refusal = answer.outcome().filter(|code| REFUSALS.contains(code));
            assert_eq!(refusal, expected(door, name), "{name}: {method} {path}: {}", answer.text());
        }
    }
}

#[test]
fn no_route_is_missing_in_the_table() {
    let agent = Worker::new(1);
    let mut known: BTreeSet<(String, String)> =
        table(&agent).iter().map(|(_, method, path, _)| ((*method).to_owned(), (*path).to_owned())).collect();
    // Whoever may register is the business of the tests of holes 1 to 3.
    known.insert(("POST".to_owned(), "/register".to_owned()));
    let openapi = serde_json::to_value(edgecoder_http::coordinator::openapi()).unwrap();
    let mut described = BTreeSet::new();
    for (path, methods) in openapi["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys() {
            described.insert((method.to_uppercase(), path.clone()));
        }
    }
    assert_eq!(known, described);
}
