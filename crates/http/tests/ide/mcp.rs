//! MCP on the door and over streams, with a queue that is played.

use std::path::PathBuf;
use std::sync::Arc;

use axum::body::Body;
use axum::http::Request;
use edgecoder_base::{Level, Secret, TaskId, Usage};
use edgecoder_http::Error;
use edgecoder_http::ide::Config;
use edgecoder_http::mcp::{Applied, Apply, Server, Submit, Submitted, Tasks, serve_streams};
use edgecoder_protocol::ErrorCode;
use edgecoder_protocol::api::tasks::{TaskSummary, TaskView};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use parking_lot::Mutex;
use rmcp::ServiceExt as _;
use rmcp::model::{CallToolRequestParams, ReadResourceRequestParams};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::rig::{Answer, Rig, says};

const DIFF: &str = "--- a/a.py\n+++ b/a.py\n@@ -1 +1 @@\n-old\n+new\n";

/// A queue of one task that is proven after it was looked at so many times.
#[derive(Debug, Default)]
struct ScriptedTasks {
    looks_until_proven: usize,
    done: Mutex<Done>,
}

#[derive(Debug, Default)]
struct Done {
    looks: usize,
    submitted: Vec<Submit>,
    applied: Vec<Apply>,
    cancelled: bool,
}

fn refused(code: ErrorCode, message: &str) -> Error {
    Error { code, message: message.to_owned() }
}

impl ScriptedTasks {
    fn proven_after(looks_until_proven: usize) -> Arc<Self> {
        Arc::new(Self { looks_until_proven, ..Self::default() })
    }

    fn view(&self, id: &TaskId) -> Result<TaskView, Error> {
        if id.as_str() != "task_1" {
            return Err(refused(ErrorCode::NotFound, "there is no such task"));
        }
        let mut done = self.done.lock();
        done.looks += 1;
        let state = match (done.cancelled, done.looks > self.looks_until_proven) {
            (true, _) => "cancelled",
            (false, true) => "review",
            (false, false) => "running",
        };
        let result = json!({
            "patches": [], "lines_added": 1, "lines_removed": 1, "tests": {"passed": 3, "failed": 0},
            "verified_by_user": true, "level": Level::S3, "attempt": "task_1.s0.a0",
            "notes": [{"concern": "build", "path": "Makefile"}],
        });
        let mut view = json!({
            "id": id, "state": state, "request": "mend it", "has_hidden_verifier": false, "privacy": "devices",
            "priority": 50, "project": "default", "samples": 1, "created_at": "2026-01-01T00:00:00Z",
            "updated_at": "2026-01-01T00:00:01Z", "subtasks": [],
            "usage": Usage::default(),
        });
        if state == "review" {
            view["result"] = result;
        }
        Ok(serde_json::from_value(view).unwrap())
    }
}

impl Tasks for ScriptedTasks {
    fn submit(&self, submit: Submit) -> BoxFuture<'_, Result<Submitted, Error>> {
        self.done.lock().submitted.push(submit);
        let left_out = vec![".env (secret)".to_owned()];
        let task = self.view(&TaskId::new("task_1").unwrap());
        std::future::ready(task.map(|task| Submitted { task, left_out })).boxed()
    }

    fn task<'a>(&'a self, id: &'a TaskId) -> BoxFuture<'a, Result<TaskView, Error>> {
        std::future::ready(self.view(id)).boxed()
    }

    fn newest(&self) -> BoxFuture<'_, Result<Vec<TaskSummary>, Error>> {
        let summary = json!({
            "id": "task_1", "state": "review", "title": "mend it",
            "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:01Z",
        });
        std::future::ready(Ok(vec![serde_json::from_value(summary).unwrap()])).boxed()
    }

    fn diff<'a>(&'a self, _: &'a TaskId) -> BoxFuture<'a, Result<String, Error>> {
        std::future::ready(Ok(DIFF.to_owned())).boxed()
    }

    fn trace<'a>(&'a self, _: &'a TaskId) -> BoxFuture<'a, Result<String, Error>> {
        std::future::ready(Ok("{}\n".to_owned())).boxed()
    }

    fn cancel<'a>(&'a self, id: &'a TaskId) -> BoxFuture<'a, Result<TaskView, Error>> {
        self.done.lock().cancelled = true;
        std::future::ready(self.view(id)).boxed()
    }

    fn apply(&self, apply: Apply) -> BoxFuture<'_, Result<Applied, Error>> {
        let outcome = if apply.accept_notes {
            Ok(Applied { repo: "/repo".into(), paths: vec!["a.py".into()], already: false })
        } else {
            Err(refused(ErrorCode::InvalidRequest, "the patch has 1 review notes"))
        };
        self.done.lock().applied.push(apply);
        std::future::ready(outcome).boxed()
    }
}

fn rig(tasks: &Arc<ScriptedTasks>) -> Rig {
    let config = Config { token: Secret::new("secret".to_owned()), ..Config::default() };
    Rig::with_tasks(says("hello"), &config, Arc::clone(tasks) as Arc<dyn Tasks>)
}

fn message(token: Option<&str>, body: &Value) -> Request<Body> {
    let request = Request::post("/mcp")
        .header("host", "localhost:4304")
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream");
    let request = match token {
        Some(token) => request.header("authorization", format!("Bearer {token}")),
        None => request,
    };
    // The versions since 2026-07-28 say in headers what the body says.
    let version = body["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"].as_str();
    let request = match version {
        Some(version) => request
            .header("mcp-protocol-version", version)
            .header("mcp-method", body["method"].as_str().unwrap())
            .header(
                "mcp-name",
                body["params"]["name"].as_str().or_else(|| body["params"]["taskId"].as_str()).unwrap_or(""),
            ),
        None => request,
    };
    request.body(Body::from(body.to_string())).unwrap()
}

async fn ask(rig: &Rig, method: &str, params: Value) -> Answer {
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
    rig.send(message(Some("secret"), &body)).await
}

async fn call(rig: &Rig, tool: &str, arguments: Value) -> Value {
    let answer = ask(rig, "tools/call", json!({"name": tool, "arguments": arguments})).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()["result"].clone()
}

fn words(result: &Value) -> &str {
    result["content"][0]["text"].as_str().unwrap()
}

#[tokio::test]
async fn the_token_is_asked_for_even_where_the_rest_of_the_door_is_open() {
    let rig = rig(&ScriptedTasks::proven_after(0));
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"});
    for token in [None, Some("wrong")] {
        assert_eq!(rig.send(message(token, &body)).await.status, 401);
    }
    let mut page = message(Some("secret"), &body);
    page.headers_mut().insert("origin", "https://evil.example".parse().unwrap());
    assert_eq!(rig.send(page).await.status, 403);
    let mut rebound = message(Some("secret"), &body);
    rebound.headers_mut().insert("host", "evil.example:4304".parse().unwrap());
    assert_eq!(rig.send(rebound).await.status, 403);
    let answer = rig.send(message(Some("secret"), &body)).await;
    let tools = answer.json()["result"]["tools"].clone();
    let names: Vec<&str> =
        tools.as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["submit", "status", "result", "cancel", "apply"]);
    assert_eq!(rig.get("/v1/models").await.status, 200);
}

#[tokio::test]
async fn a_task_is_submitted_looked_at_and_applied_by_its_id() {
    let tasks = ScriptedTasks::proven_after(2);
    let rig = rig(&tasks);
    let params = json!({
        "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"},
    });
    let hello = ask(&rig, "initialize", params).await.json();
    assert_eq!(hello["result"]["protocolVersion"], "2025-06-18");
    assert_eq!(hello["result"]["serverInfo"]["name"], "edgecoder");
    let submitted =
        call(&rig, "submit", json!({"request": "mend it", "repo": "/repo", "verify": "make test"})).await;
    assert_eq!(submitted["structuredContent"]["state"], "running");
    assert!(words(&submitted).contains("left out of the snapshot: .env"), "{submitted}");
    let id = submitted["structuredContent"]["id"].clone();
    let early = call(&rig, "result", json!({"id": id})).await;
    assert_eq!((&early["structuredContent"]["settled"], &early["isError"]), (&json!(false), &json!(false)));
    let late = call(&rig, "result", json!({"id": id})).await;
    let outcome = &late["structuredContent"];
    assert_eq!((&outcome["diff"], &outcome["diff_is_cut"]), (&json!(DIFF), &json!(false)));
    assert_eq!(outcome["review_notes"], json!(["Makefile changes how the project is built"]));
    assert!(words(&late).contains("3 tests passed") && words(&late).contains("+new"), "{late}");
    let refused = call(&rig, "apply", json!({"id": id})).await;
    assert_eq!(refused["isError"], true);
    assert!(words(&refused).contains("review notes"), "{refused}");
    let applied = call(&rig, "apply", json!({"id": id, "accept_notes": true})).await;
    assert_eq!(applied["structuredContent"]["paths"], json!(["a.py"]));
    let done = tasks.done.lock();
    assert_eq!(done.submitted[0].repo, Some(PathBuf::from("/repo")));
    assert_eq!(done.applied.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn waiting_for_the_result_tells_the_progress() {
    let rig = rig(&ScriptedTasks::proven_after(3));
    let params = json!({
        "name": "result", "arguments": {"id": "task_1", "wait_s": 60}, "_meta": {"progressToken": "p"},
    });
    let answer = ask(&rig, "tools/call", params).await;
    let events = answer.events();
    let (last, before) = events.split_last().unwrap();
    assert_eq!(last["result"]["structuredContent"]["state"], "review");
    assert_eq!(before[0]["method"], "notifications/progress");
    assert_eq!(before[0]["params"]["progressToken"], "p");
    assert!(before[0]["params"]["message"].as_str().unwrap().contains("task_1 is running"));
}

#[tokio::test]
async fn mistakes_are_told_apart() {
    let rig = rig(&ScriptedTasks::proven_after(0));
    let wrong = call(&rig, "submit", json!({"request": "x", "shell": "rm"})).await;
    assert_eq!(wrong["isError"], true);
    assert!(words(&wrong).contains("unknown field `shell`"), "{wrong}");
    let gone = call(&rig, "status", json!({"id": "task_9"})).await;
    assert!(gone["isError"] == true && words(&gone).contains("not_found"), "{gone}");
    let no_tool = ask(&rig, "tools/call", json!({"name": "run_shell"})).await.json();
    assert_eq!(no_tool["error"]["code"], -32602);
    let no_method = ask(&rig, "shell/run", json!({})).await.json();
    assert_eq!(no_method["error"]["code"], -32601);
    let broken = Request::post("/mcp").header("host", "localhost").header("authorization", "Bearer secret");
    let broken = broken.header("content-type", "application/json");
    let broken = broken.header("accept", "application/json, text/event-stream");
    let answer = rig.send(broken.body(Body::from("{")).unwrap()).await;
    assert!((400..500).contains(&answer.status), "{answer:?}");
    let page = Request::get("/mcp").header("host", "localhost").header("authorization", "Bearer secret");
    assert_eq!(rig.send(page.body(Body::empty()).unwrap()).await.status, 405);
}

/// Fields of each request since 2026-07-28: there is no greeting any more.
fn modern(mut params: Value) -> Value {
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {"extensions": {"io.modelcontextprotocol/tasks": {}}},
    });
    params
}

#[tokio::test]
async fn a_client_that_knows_tasks_gets_one_under_our_id_and_polls_it() {
    let tasks = ScriptedTasks::proven_after(2);
    let rig = rig(&tasks);
    let params = modern(json!({"name": "submit", "arguments": {"request": "mend it"}}));
    let created = ask(&rig, "tools/call", params).await.json()["result"].clone();
    assert_eq!((&created["resultType"], &created["taskId"]), (&json!("task"), &json!("task_1")));
    assert_eq!((&created["status"], &created["ttlMs"]), (&json!("working"), &Value::Null));
    // Another door over the same queue, as after a restart of client or node.
    let rig = self::rig(&tasks);
    let poll = || async {
        ask(&rig, "tasks/get", modern(json!({"taskId": "task_1"}))).await.json()["result"].clone()
    };
    assert_eq!(poll().await["status"], "working");
    let ended = poll().await;
    assert_eq!(ended["status"], "completed", "{ended}");
    assert_eq!(ended["result"]["structuredContent"]["diff"], DIFF);
    let ack = ask(&rig, "tasks/cancel", modern(json!({"taskId": "task_1"}))).await.json();
    assert_eq!(ack["result"]["resultType"], "complete");
    assert_eq!(poll().await["status"], "cancelled");
    let gone = ask(&rig, "tasks/get", modern(json!({"taskId": "task_9"}))).await.json();
    assert_eq!(gone["error"]["code"], -32602);
}

#[tokio::test]
async fn over_streams_the_same_server_answers_a_client_and_its_successor() {
    let tasks = ScriptedTasks::proven_after(1);
    let server = Server::new(Arc::clone(&tasks) as Arc<dyn Tasks>);
    for expected in ["running", "review"] {
        let (ours, theirs) = tokio::io::duplex(64 * 1024);
        let (read, write) = tokio::io::split(ours);
        let serving = serve_streams(server.clone(), read, write, CancellationToken::new());
        let asking = async {
            let client = ().serve(tokio::io::split(theirs)).await.unwrap();
            let arguments = json!({"id": "task_1"}).as_object().unwrap().clone();
            let call = CallToolRequestParams::new("status").with_arguments(arguments);
            let answer = client.call_tool(call).await.unwrap();
            assert_eq!(answer.structured_content.unwrap()["state"], expected);
            let listed = client.list_all_resources().await.unwrap();
            assert_eq!(listed[0].uri, "edgecoder://tasks/task_1/diff");
            let read = client.read_resource(ReadResourceRequestParams::new(&listed[0].uri)).await.unwrap();
            assert!(serde_json::to_string(&read.contents).unwrap().contains("+new"));
            client.cancel().await.unwrap();
        };
        let (served, ()) = tokio::join!(serving, asking);
        served.unwrap();
    }
}
