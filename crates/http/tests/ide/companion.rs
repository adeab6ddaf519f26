//! The companion over the door: events, approvals, sessions, the token, and what a client that hangs up leaves behind.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use edgecoder_agent::budget::estimate;
use edgecoder_base::{Blobs, Secret};
use edgecoder_companion::{Companion, Deps};
use edgecoder_http::ide::Config;
use edgecoder_http::serve;
use edgecoder_inference::ScriptedEngine;
use edgecoder_sandbox::Sandbox;
use edgecoder_store::BlobDir;
use edgecoder_workspace::Trees;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use crate::rig::{Answer, Rig, entropy, now, request};

const TOKEN: &str = "the-token-of-the-door";
/// Generous: it is only reached by a failing test.
const SOON: Duration = Duration::from_secs(20);

/// A door with a companion, and a project with one file.
struct Desk {
    rig: Rig,
    companion: Companion,
    home: TempDir,
}

impl Desk {
    fn new(engine: ScriptedEngine) -> Self {
        let home = tempfile::tempdir().unwrap();
        let at = |name: &str| home.path().join(name);
        std::fs::create_dir(at("project")).unwrap();
        std::fs::write(at("project/a.py"), "x = 1\n").unwrap();
        let blobs: Arc<dyn Blobs> = Arc::new(BlobDir::open(at("blobs")).unwrap());
        let sandbox = Sandbox::new(edgecoder_sandbox::Config::default()).unwrap();
        let deps = Deps::new(sandbox, Trees::new(at("trees")).unwrap(), blobs, now, entropy);
        let companion = Companion::new(edgecoder_companion::Config::new(at("sessions")), deps);
        let config = Config { token: Secret::new(TOKEN.to_owned()), ..Config::default() };
        let rig = Rig::with_companion(engine, &config, companion.clone());
        Self { rig, companion, home }
    }

    fn root(&self) -> String {
        self.home.path().join("project").display().to_string()
    }

    async fn send(&self, method: &str, path: &str, body: &Value) -> Answer {
        self.rig.send(authorised(method, path, body)).await
    }

    async fn chat(&self, more: Value) -> Answer {
        let mut body =
            json!({"messages": [{"role": "user", "content": "hello"}], "projectRoot": self.root()});
        if let (Some(body), Value::Object(more)) = (body.as_object_mut(), more) {
            body.extend(more);
        }
        self.send("POST", "/v1/ide/chat", &body).await
    }
}

fn authorised(method: &str, path: &str, body: &Value) -> Request<Body> {
    let mut asked = request(method, path, body);
    asked.headers_mut().insert("authorization", format!("Bearer {TOKEN}").parse().unwrap());
    asked
}

fn call(name: &str, arguments: &Value) -> String {
    format!("<tool_call>\n{}\n</tool_call>", json!({"name": name, "arguments": arguments}))
}

fn kinds(events: &[Value]) -> Vec<&str> {
    events.iter().filter_map(|event| event["type"].as_str()).collect()
}

#[tokio::test]
async fn a_chat_reads_a_file_and_answers() {
    let engine = ScriptedEngine::new().reply(call("read_file", &json!({"path": "a.py"}))).reply("x is 1");
    let desk = Desk::new(engine.clone());
    let answer = desk.chat(json!({})).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let events = answer.events();
    assert_eq!(kinds(&events), ["tool_call", "tool_result", "text", "done"], "{}", answer.text);
    assert!(answer.text.starts_with("event: tool_call\ndata: {"), "{}", answer.text);
    let (call, result, done) = (&events[0], &events[1], &events[3]);
    assert_eq!(
        (&call["tool"], &call["args"]["path"], &call["requires_approval"]),
        (&json!("read_file"), &json!("a.py"), &json!(false))
    );
    assert_eq!((&result["id"], &result["result"]), (&call["id"], &json!("x = 1")));
    assert_eq!(
        (&events[2]["content"], &done["reason"], &done["iterations"]),
        (&json!("x is 1"), &json!("stop"), &json!(2))
    );
    assert_eq!(done["edgecoder"]["route"], "local");
    let told: Vec<String> =
        engine.requests()[1].messages.iter().map(|message| message.content.clone()).collect();
    assert_eq!(told.last().unwrap(), "x = 1");
}

#[tokio::test]
async fn hello_costs_few_tokens() {
    let engine = ScriptedEngine::new().with_context(32_768).reply("hi");
    let desk = Desk::new(engine.clone());
    std::fs::create_dir(desk.home.path().join("project/.git")).unwrap();
    desk.chat(json!({})).await;
    let tokens: u32 = engine.requests()[0].messages.iter().map(|message| estimate(&message.content)).sum();
    assert!((500..2_000).contains(&tokens), "{tokens} tokens");
}

#[tokio::test]
async fn hole_07_nobody_is_served_without_the_token() {
    let desk = Desk::new(ScriptedEngine::new());
    for (method, path) in [
        ("POST", "/v1/ide/chat"),
        ("GET", "/v1/ide/project"),
        ("POST", "/v1/ide/project"),
        ("POST", "/v1/ide/tool-approval"),
        ("GET", "/v1/ide/sessions"),
        ("POST", "/v1/ide/sessions"),
        ("GET", "/v1/ide/sessions/x"),
        ("POST", "/v1/ide/sessions/x/mode"),
    ] {
        let body = json!({"projectRoot": desk.root()});
        let answer = desk.rig.send(request(method, path, &body)).await;
        assert_eq!(
            (answer.status, &answer.json()["code"]),
            (401, &json!("ide_unauthorized")),
            "{method} {path}"
        );
        let mut wrong = request(method, path, &body);
        wrong.headers_mut().insert("x-api-key", "any".parse().unwrap());
        assert_eq!(desk.rig.send(wrong).await.status, 401, "{method} {path}");
    }
    assert_eq!(desk.companion.project(), None);
}

#[tokio::test]
async fn hole_07_an_action_is_done_after_its_own_approval_only() {
    let write = |path: &str| call("write_file", &json!({"path": path, "content": "y\n"}));
    let desk = Desk::new(ScriptedEngine::new().reply(write("b.py")).reply("done"));
    let chat = desk.chat(json!({}));
    let approve = async {
        let id = loop {
            match desk.companion.waiting().pop() {
                Some(id) => break id,
                None => tokio::task::yield_now().await,
            }
        };
        let decide = |id: &str| json!({"id": id, "approved": true});
        let forged = desk.send("POST", "/v1/ide/tool-approval", &decide(&id[..id.len() - 1])).await;
        assert_eq!((forged.status, &forged.json()["code"]), (404, &json!("not_found")));
        let approved = desk.send("POST", "/v1/ide/tool-approval", &decide(&id)).await;
        assert_eq!(approved.json(), json!({"ok": true}));
        assert_eq!(desk.send("POST", "/v1/ide/tool-approval", &decide(&id)).await.status, 404, "once");
    };
    let (answer, ()) = tokio::join!(chat, approve);
    assert_eq!(kinds(&answer.events()), ["tool_call", "diff", "tool_result", "text", "done"]);
    let diff = &answer.events()[1];
    let hunk = json!({"oldStart": 0, "oldLines": 0, "newStart": 1, "newLines": 1, "content": "+y\n"});
    assert_eq!((&diff["file"], &diff["hunks"][0]), (&json!("b.py"), &hunk));
    assert_eq!(std::fs::read_to_string(desk.home.path().join("project/b.py")).unwrap(), "y\n");
}

async fn waits(desk: &Desk, actions: usize) {
    let reached = async {
        while desk.companion.waiting().len() != actions {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(SOON, reached).await.unwrap();
}

async fn running(desk: &Desk, answers: u64) {
    let reached = async {
        while desk.rig.switch.load().running != answers {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(SOON, reached).await.unwrap();
}

#[tokio::test]
async fn hole_07_who_hangs_up_frees_the_slot_and_gives_up_its_own_actions() {
    let write = call("write_file", &json!({"path": "b.py", "content": "y\n"}));
    let engine = ScriptedEngine::new().reply(write.clone()).reply(write).hang_after("some words");
    let desk = Desk::new(engine);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let mut door = tokio::task::JoinSet::new();
    door.spawn(serve(listener, desk.rig.router.clone(), stop.clone()));
    let ask = async || {
        let body =
            json!({"messages": [{"role": "user", "content": "go"}], "projectRoot": desk.root()}).to_string();
        let head = format!(
            "POST /v1/ide/chat HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {TOKEN}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all((head + &body).as_bytes()).await.unwrap();
        let mut first = [0; 12];
        stream.read_exact(&mut first).await.unwrap();
        assert_eq!(&first, b"HTTP/1.1 200");
        stream
    };
    let one = ask().await;
    waits(&desk, 1).await;
    let other = ask().await;
    waits(&desk, 2).await;
    drop(one);
    waits(&desk, 1).await;
    let thinking = ask().await;
    running(&desk, 1).await;
    drop(thinking);
    running(&desk, 0).await;
    assert_eq!(desk.companion.waiting().len(), 1, "the other's action still waits");
    drop(other);
    waits(&desk, 0).await;
    stop.cancel();
    door.join_next().await.unwrap().unwrap().unwrap();
    assert!(!Path::new(&desk.root()).join("b.py").is_file());
}

#[tokio::test]
async fn what_is_wrong_is_said_before_the_stream_or_as_its_last_event() {
    let desk = Desk::new(ScriptedEngine::new().fail(edgecoder_inference::Error::Overloaded));
    for (more, status, words) in [
        (json!({"githubToken": "ghp_x"}), 400, "githubToken"),
        (json!({"mode": "yolo"}), 400, "`ask`, `edit` or `read`"),
        (json!({"messages": []}), 400, "messages"),
        (json!({"messages": [{"role": "tool", "content": "x"}]}), 400, "messages[0].role"),
        (json!({"temperature": 1}), 400, "temperature"),
        (json!({"projectRoot": "/nonexistent"}), 400, "projectRoot"),
        (json!({"sessionId": "sess_x", "projectRoot": null}), 404, "no session"),
    ] {
        let answer = desk.chat(more.clone()).await;
        assert_eq!(answer.status, status, "{more}: {}", answer.text);
        assert!(answer.json()["message"].as_str().unwrap().contains(words), "{more}: {}", answer.text);
    }
    let failed = desk.chat(json!({})).await.events();
    assert_eq!((&failed[0]["type"], &failed[0]["code"]), (&json!("error"), &json!("rate_limited")));
}

#[tokio::test]
async fn a_project_is_set_and_a_session_is_kept() {
    let desk = Desk::new(ScriptedEngine::new().reply("hi").reply("again"));
    let none = desk.send("GET", "/v1/ide/project", &Value::Null).await;
    assert_eq!(none.json(), json!({"projectRoot": null}));
    let set = desk.send("POST", "/v1/ide/project", &json!({"projectRoot": desk.root()})).await.json();
    assert_eq!((&set["ok"], set["projectRoot"].is_string()), (&json!(true), true));
    let opened = desk.send("POST", "/v1/ide/sessions", &json!({"projectRoot": desk.root()})).await.json();
    let id = opened["sessionId"].as_str().unwrap().to_owned();
    let chat = desk.chat(json!({"sessionId": id})).await;
    assert_eq!(chat.events().last().unwrap()["sessionId"], json!(id));
    let mode = desk.send("POST", &format!("/v1/ide/sessions/{id}/mode"), &json!({"mode": "read"})).await;
    assert_eq!(mode.json(), json!({"ok": true}));
    let kept = desk.send("GET", &format!("/v1/ide/sessions/{id}"), &Value::Null).await.json();
    assert_eq!(kept["mode"], "read");
    assert_eq!(kinds(kept["seen"].as_array().unwrap()), ["person", "text", "done"]);
    let listed = desk.send("GET", "/v1/ide/sessions", &Value::Null).await.json();
    assert_eq!(
        (&listed["sessions"][0]["sessionId"], &listed["sessions"][0]["title"]),
        (&json!(id), &json!("hello"))
    );
}

#[tokio::test]
async fn a_door_without_a_companion_says_so() {
    let config = Config { token: Secret::new(TOKEN.to_owned()), ..Config::default() };
    let rig = Rig::with(ScriptedEngine::new(), &config, Arc::new(edgecoder_http::ide::Nowhere));
    let answer = rig.send(authorised("GET", "/v1/ide/project", &Value::Null)).await;
    assert_eq!((answer.status, &answer.json()["code"]), (501, &json!("not_available")));
}
