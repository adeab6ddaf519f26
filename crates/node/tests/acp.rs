//! `edgecoder acp` of the real program, line by line: what is advertised works, what is shown is shown again after a
//! restart, cancelling is quick, and an editor without a node is told what to do. The protocol's own SDKs drive the same
//! in `tests/clients`.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test stops at the first surprise, in shared functions too"
)]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// A model server that decides by the last message: calls for requests, prose for results, no end for `hang`.
fn model_server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || drop(answer(stream)));
        }
    });
    format!("http://{address}/v1")
}

fn answer(stream: TcpStream) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let (mut first, mut length) = (String::new(), 0);
    reader.read_line(&mut first)?;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 || line.trim().is_empty() {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let mut out = stream;
    if first.starts_with("GET") {
        let models = json!({"object": "list", "data": [{"id": "scripted", "object": "model", "max_model_len": 32768}]});
        return write!(
            out,
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n{models}"
        );
    }
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let last = body["messages"].as_array().and_then(|all| all.last()).map(|last| last["content"].clone());
    let last = last.as_ref().and_then(Value::as_str).unwrap_or_default().to_owned();
    write!(out, "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n")?;
    for piece in said(&last) {
        event(
            &mut out,
            &json!({"choices": [{"index": 0, "delta": {"content": piece}, "finish_reason": null}]}),
        )?;
    }
    if last == "hang" {
        // Until the node hangs up, which is an error here.
        loop {
            event(
                &mut out,
                &json!({"choices": [{"index": 0, "delta": {"content": "."}, "finish_reason": null}]}),
            )?;
            std::thread::park_timeout(Duration::from_millis(20));
        }
    }
    event(&mut out, &json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}))?;
    event(
        &mut out,
        &json!({"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}}),
    )?;
    write!(out, "data: [DONE]\n\n")
}

fn event(out: &mut TcpStream, value: &Value) -> std::io::Result<()> {
    write!(out, "data: {value}\n\n")?;
    out.flush()
}

fn said(last: &str) -> Vec<String> {
    let call = |name: &str, arguments: Value| {
        vec![format!("<tool_call>\n{}\n</tool_call>", json!({"name": name, "arguments": arguments}))]
    };
    match last {
        "hang" => vec!["some ".to_owned(), "words ".to_owned()],
        "read" => call("read_file", json!({"path": "a.py"})),
        "change" => call("edit_file", json!({"path": "a.py", "old_string": "1", "new_string": "2"})),
        "plan" => call("plan", json!({"steps": [{"description": "look"}]})),
        result => vec!["It ".to_owned(), format!("said: {result}")],
    }
}

/// A running node over that server; killed with the test.
struct Node {
    child: Child,
    home: tempfile::TempDir,
}

fn program(data: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_edgecoder"));
    command.env_clear().env("PATH", "/usr/bin:/bin").env("EDGECODER_DATA_DIR", data).stdin(Stdio::null());
    command
}

impl Node {
    fn up() -> Self {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir(home.path().join("project")).unwrap();
        std::fs::write(home.path().join("project/a.py"), "x = 1\n").unwrap();
        let mut command = program(&home.path().join("data"));
        command.current_dir(home.path()).env("EDGECODER_NODE__ROLES", "inference,ide");
        for (name, value) in [
            ("INFERENCE__PORT", "0"),
            ("IDE__PORT", "0"),
            ("INFERENCE__ENGINE", "openai"),
            ("INFERENCE__MODEL", "scripted"),
            ("INFERENCE__BASE_URL", model_server().as_str()),
        ] {
            command.env(format!("EDGECODER_{name}"), value);
        }
        let mut child = command.arg("up").stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert_eq!(lines.take(3).filter(Result::is_ok).count(), 3, "a name and two doors");
        Self { child, home }
    }

    fn data(&self) -> PathBuf {
        self.home.path().join("data")
    }

    fn project(&self) -> PathBuf {
        self.home.path().join("project")
    }

    fn text(&self) -> String {
        std::fs::read_to_string(self.project().join("a.py")).unwrap()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _gone_already = self.child.kill();
        let _status = self.child.wait();
    }
}

/// An editor with an agent process of its own.
struct Editor {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    asked: u64,
    /// Whether questions are answered with yes.
    allows: bool,
    updates: Vec<Value>,
    questions: Vec<Value>,
}

impl Drop for Editor {
    fn drop(&mut self) {
        let _gone_already = self.child.kill();
        let _status = self.child.wait();
    }
}

impl Editor {
    fn start(data: &Path) -> Self {
        let mut command = program(data);
        command.arg("acp").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (input, output) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        let (updates, questions) = (Vec::new(), Vec::new());
        let mut editor = Self { child, input, output, asked: 0, allows: true, updates, questions };
        let about =
            editor.request("initialize", json!({"protocolVersion": 1, "clientCapabilities": {}})).unwrap();
        assert_eq!(
            (&about["protocolVersion"], &about["agentCapabilities"]["loadSession"]),
            (&json!(1), &json!(true))
        );
        editor
    }

    fn send(&mut self, message: &Value) {
        writeln!(self.input, "{message}").unwrap();
    }

    fn ask(&mut self, method: &str, params: Value) -> u64 {
        self.asked += 1;
        let id = self.asked;
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}));
        id
    }

    /// The next message that is no question; questions are answered.
    fn next(&mut self) -> Value {
        loop {
            let mut line = String::new();
            assert!(self.output.read_line(&mut line).unwrap() > 0, "the agent went away");
            let message: Value =
                serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
            match message["method"].as_str() {
                Some("session/request_permission") => {
                    let kind = if self.allows { "allow_once" } else { "reject_once" };
                    let options = message["params"]["options"].as_array().unwrap();
                    let option = options.iter().find(|option| option["kind"] == kind).unwrap();
                    let outcome = json!({"outcome": {"outcome": "selected", "optionId": option["optionId"]}});
                    let answer = json!({"jsonrpc": "2.0", "id": message["id"], "result": outcome});
                    self.questions.push(message["params"].clone());
                    self.send(&answer);
                }
                Some("session/update") => {
                    self.updates.push(message["params"]["update"].clone());
                    return message;
                }
                _ => return message,
            }
        }
    }

    fn answer(&mut self, id: u64) -> Result<Value, Value> {
        loop {
            let message = self.next();
            if message["id"] == json!(id) {
                return match message.get("error") {
                    Some(error) => Err(error.clone()),
                    None => Ok(message["result"].clone()),
                };
            }
        }
    }

    fn request(&mut self, method: &str, params: Value) -> Result<Value, Value> {
        let id = self.ask(method, params);
        self.answer(id)
    }

    fn open(&mut self, cwd: &Path) -> String {
        let opened = self.request("session/new", json!({"cwd": cwd, "mcpServers": []})).unwrap();
        assert_eq!(opened["modes"]["currentModeId"], "ask");
        opened["sessionId"].as_str().unwrap().to_owned()
    }

    fn prompt(&mut self, session: &str, words: &str) -> String {
        let answered = self.request("session/prompt", prompt(session, words)).unwrap();
        answered["stopReason"].as_str().unwrap().to_owned()
    }

    fn said(&self) -> String {
        let chunks = self.updates.iter().filter(|update| update["sessionUpdate"] == "agent_message_chunk");
        chunks.filter_map(|chunk| chunk["content"]["text"].as_str()).collect()
    }

    fn count(&self, kind: &str) -> usize {
        self.updates.iter().filter(|update| update["sessionUpdate"] == kind).count()
    }
}

fn prompt(session: &str, words: &str) -> Value {
    json!({"sessionId": session, "prompt": [{"type": "text", "text": words}]})
}

#[test]
fn a_session_reads_plans_asks_changes_and_is_taken_up_after_a_restart() {
    let node = Node::up();
    let mut editor = Editor::start(&node.data());
    let session = editor.open(&node.project());
    assert_eq!(editor.prompt(&session, "read"), "end_turn");
    assert!(editor.said().contains("said: x = 1"), "{:?}", editor.updates);
    assert!(editor.questions.is_empty(), "reading needs nobody");
    editor.prompt(&session, "plan");
    editor.prompt(&session, "change");
    assert_eq!(node.text(), "x = 2\n");
    let shown = &editor.questions[0]["toolCall"];
    let path = node.project().canonicalize().unwrap().join("a.py");
    let diff = json!({"type": "diff", "path": path, "oldText": "x = 1\n", "newText": "x = 2\n"});
    assert_eq!((&shown["content"][0], &shown["title"]), (&diff, &json!("edit a.py")));

    let mut again = Editor::start(&node.data());
    let listed = again.request("session/list", json!({"cwd": node.project()})).unwrap();
    assert_eq!(
        (&listed["sessions"][0]["sessionId"], &listed["sessions"][0]["title"]),
        (&json!(session), &json!("read"))
    );
    let about = json!({"sessionId": session, "cwd": node.project(), "mcpServers": []});
    again.request("session/load", about.clone()).unwrap();
    assert_eq!((again.count("user_message_chunk"), again.count("plan")), (3, 1));
    assert_eq!(again.count("tool_call"), editor.count("tool_call"));
    assert_eq!(again.said(), editor.said(), "all of it is shown again");
    again.allows = false;
    std::fs::write(node.project().join("a.py"), "x = 1\n").unwrap();
    again.prompt(&session, "change");
    assert_eq!((again.questions.len(), node.text()), (1, "x = 1\n".to_owned()));
    again.request("session/set_mode", json!({"sessionId": session, "modeId": "edit"})).unwrap();
    again.prompt(&session, "change");
    assert_eq!((again.questions.len(), node.text()), (1, "x = 2\n".to_owned()));

    let mut third = Editor::start(&node.data());
    let resumed = third.request("session/resume", about).unwrap();
    assert_eq!((&resumed["modes"]["currentModeId"], third.updates.len()), (&json!("edit"), 0));
}

#[test]
fn cancelling_takes_less_than_a_second_and_frees_the_session() {
    let node = Node::up();
    let mut editor = Editor::start(&node.data());
    let session = editor.open(&node.project());
    let id = editor.ask("session/prompt", prompt(&session, "hang"));
    while editor.said().is_empty() {
        editor.next();
    }
    let busy = editor.ask("session/prompt", prompt(&session, "and?"));
    assert_eq!(editor.answer(busy).unwrap_err()["code"], -32_600);
    let since = Instant::now();
    editor.send(&json!({"jsonrpc": "2.0", "method": "session/cancel", "params": {"sessionId": session}}));
    assert_eq!(editor.answer(id).unwrap()["stopReason"], "cancelled");
    assert!(since.elapsed() < Duration::from_secs(1));
    assert_eq!(editor.prompt(&session, "and now?"), "end_turn");
}

#[test]
fn what_cannot_be_done_is_an_error_with_the_way_out() {
    let node = Node::up();
    let mut editor = Editor::start(&node.data());
    let session = editor.open(&node.project());
    let image = json!([{"type": "image", "data": "AA==", "mimeType": "image/png"}]);
    for (method, params, code, words) in [
        ("session/new", json!({"cwd": "/nonexistent", "mcpServers": []}), -32_602, "projectRoot"),
        ("session/new", json!({}), -32_602, "cwd"),
        ("session/load", json!({"sessionId": "sess_x", "cwd": "/", "mcpServers": []}), -32_002, "no session"),
        ("session/load", json!({"sessionId": "../x", "cwd": "/", "mcpServers": []}), -32_002, "no session"),
        ("session/load", json!({"sessionId": session, "cwd": "/usr", "mcpServers": []}), -32_602, "about"),
        ("session/prompt", json!({"sessionId": session, "prompt": image}), -32_602, "only texts"),
        ("session/prompt", prompt("sess_unknown", "x"), -32_002, "load it first"),
        (
            "session/set_mode",
            json!({"sessionId": session, "modeId": "yolo"}),
            -32_602,
            "`ask`, `edit` or `read`",
        ),
        ("session/fork", json!({}), -32_601, "session/fork"),
    ] {
        let error = editor.request(method, params.clone()).unwrap_err();
        assert_eq!(error["code"], code, "{method} {params}: {error}");
        assert!(error["message"].as_str().unwrap().contains(words), "{method} {params}: {error}");
    }
    writeln!(editor.input, "this is not JSON").unwrap();
    assert_eq!(editor.next()["error"]["code"], -32_700);
    let nobody = tempfile::tempdir().unwrap();
    let mut alone = Editor::start(&nobody.path().join("data"));
    let error = alone.request("session/new", json!({"cwd": node.project(), "mcpServers": []})).unwrap_err();
    assert!(error["message"].as_str().unwrap().contains("start it with `edgecoder up`"), "{error}");
}
