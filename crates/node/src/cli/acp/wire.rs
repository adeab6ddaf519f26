//! JSON-RPC over lines, in both directions: their requests come in, our answers, updates and questions go out. Own types
//! and not the protocol's SDK: its crates change how the whole program writes JSON objects (ADR 15).

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::{mpsc, oneshot};

/// Lines on their way out: an update waits for an editor that does not read.
const IN_FLIGHT: usize = 64;
/// Longest line that is read: a prompt with the files that were put into it.
const MAX_LINE_BYTES: usize = 16 << 20;

/// Codes of JSON-RPC and of the protocol.
pub(super) const PARSE_ERROR: i64 = -32_700;
pub(super) const INVALID_REQUEST: i64 = -32_600;
pub(super) const METHOD_NOT_FOUND: i64 = -32_601;
pub(super) const INVALID_PARAMS: i64 = -32_602;
pub(super) const INTERNAL_ERROR: i64 = -32_603;
pub(super) const AUTH_REQUIRED: i64 = -32_000;
pub(super) const NOT_FOUND: i64 = -32_002;

/// An error as the editor is told it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) code: i64,
    pub(super) message: String,
    /// The node's own code, for programs.
    pub(super) node_code: Option<String>,
}

impl Fault {
    pub(super) fn new(code: i64, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), node_code: None }
    }

    fn to_json(&self) -> Value {
        let mut error = json!({"code": self.code, "message": self.message});
        if let Some(code) = &self.node_code {
            error["data"] = json!({"code": code});
        }
        error
    }
}

/// What the editor says to a question of ours.
type Answer = Result<Value, String>;

/// What the editor sent.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Incoming {
    /// It waits for an answer.
    Request { id: Value, method: String, params: Value },
    /// It does not.
    Notification { method: String, params: Value },
    /// It answers a question of ours.
    Answer { id: u64, outcome: Answer },
    /// It makes no sense.
    Garbled(Value, Fault),
}

#[derive(Debug, Deserialize)]
struct Line {
    #[serde(default)]
    id: Option<Value>,
    method: Option<String>,
    #[serde(default)]
    params: Value,
    result: Option<Value>,
    error: Option<Value>,
}

/// Reads one line.
pub(super) fn parse(line: &[u8]) -> Incoming {
    let value: Value = match serde_json::from_slice(line) {
        Ok(value) => value,
        Err(error) => return Incoming::Garbled(Value::Null, Fault::new(PARSE_ERROR, error.to_string())),
    };
    let id = value.get("id").cloned().unwrap_or_default();
    let Ok(line) = serde_json::from_value::<Line>(value) else {
        return Incoming::Garbled(id, Fault::new(INVALID_REQUEST, "this is no message of JSON-RPC"));
    };
    match (line.method, line.id, line.result, line.error) {
        (Some(method), Some(id), ..) if !id.is_null() => {
            Incoming::Request { id, method, params: line.params }
        }
        (Some(method), ..) => Incoming::Notification { method, params: line.params },
        (None, Some(id), result, error) if result.is_some() || error.is_some() => {
            let outcome =
                error.map_or_else(|| Ok(result.unwrap_or_default()), |error| Err(error.to_string()));
            id.as_u64().map_or_else(
                || Incoming::Garbled(Value::Null, Fault::new(INVALID_REQUEST, "nobody asked that")),
                |id| Incoming::Answer { id, outcome },
            )
        }
        _ => Incoming::Garbled(id, Fault::new(INVALID_REQUEST, "there is neither a method nor a result")),
    }
}

/// The next line that is not blank; none at the end. A line that is too long is an error: what follows is unknown.
pub(super) async fn next_line(input: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Option<Vec<u8>>> {
    loop {
        let mut line = Vec::new();
        let read = input.take(MAX_LINE_BYTES as u64 + 1).read_until(b'\n', &mut line).await?;
        if read == 0 {
            return Ok(None);
        }
        if line.len() > MAX_LINE_BYTES {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a line is longer than any message"));
        }
        if !line.trim_ascii().is_empty() {
            return Ok(Some(line));
        }
    }
}

/// The way to the editor. Clones share it.
#[derive(Debug, Clone)]
pub(super) struct Editor {
    out: mpsc::Sender<Vec<u8>>,
    asked: Arc<Mutex<BTreeMap<u64, oneshot::Sender<Answer>>>>,
    next: Arc<AtomicU64>,
}

impl Editor {
    /// The editor, and what is to be written to it.
    pub(super) fn new() -> (Self, mpsc::Receiver<Vec<u8>>) {
        let (out, lines) = mpsc::channel(IN_FLIGHT);
        (Self { out, asked: Arc::default(), next: Arc::default() }, lines)
    }

    async fn send(&self, message: &Value) {
        let mut line = message.to_string().into_bytes();
        line.push(b'\n');
        // An editor that is gone hears nothing; its input ends, and so do we.
        let _gone = self.out.send(line).await;
    }

    /// Answers a request.
    pub(super) async fn answer(&self, id: Value, outcome: Result<Value, Fault>) {
        let message = match outcome {
            Ok(result) => json!({"jsonrpc": "2.0", "id": id, "result": result}),
            Err(fault) => json!({"jsonrpc": "2.0", "id": id, "error": fault.to_json()}),
        };
        self.send(&message).await;
    }

    /// Tells what happens in a session.
    pub(super) async fn update(&self, session: &str, update: Value) {
        let params = json!({"sessionId": session, "update": update});
        self.send(&json!({"jsonrpc": "2.0", "method": "session/update", "params": params})).await;
    }

    /// Asks the editor; an editor that goes away or does not know how has not answered.
    pub(super) async fn ask(&self, method: &str, params: Value) -> Option<Value> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let (sender, answer) = oneshot::channel();
        self.asked.lock().insert(id, sender);
        let _asked = Asked { editor: self, id };
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})).await;
        match answer.await {
            Ok(Ok(result)) => Some(result),
            Ok(Err(refusal)) => {
                tracing::warn!(method, refusal, "the editor did not answer a question");
                None
            }
            Err(_) => None,
        }
    }

    /// The editor answered.
    pub(super) fn answered(&self, id: u64, outcome: Answer) {
        if let Some(sender) = self.asked.lock().remove(&id) {
            let _nobody_waits_any_more = sender.send(outcome);
        }
    }
}

/// A question that waits; taken back when nobody waits for the answer any more.
struct Asked<'a> {
    editor: &'a Editor,
    id: u64,
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        self.editor.asked.lock().remove(&self.id);
    }
}

/// Writes lines until all ways to the editor are gone.
pub(super) async fn write(
    mut lines: mpsc::Receiver<Vec<u8>>,
    mut output: impl AsyncWrite + Unpin,
) -> io::Result<()> {
    while let Some(line) = lines.recv().await {
        output.write_all(&line).await?;
        output.flush().await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_told_apart() {
        let check = |line: &str, expected: Incoming| assert_eq!(parse(line.as_bytes()), expected, "{line}");
        let method = || "m".to_owned();
        let params = Value::Null;
        check(
            r#"{"id": 0, "method": "m"}"#,
            Incoming::Request { id: json!(0), method: method(), params: params.clone() },
        );
        check(
            r#"{"id": "a", "method": "m"}"#,
            Incoming::Request { id: json!("a"), method: method(), params },
        );
        check(
            r#"{"method": "m", "params": {"x": 1}}"#,
            Incoming::Notification { method: method(), params: json!({"x": 1}) },
        );
        check(r#"{"id": 7, "result": {}}"#, Incoming::Answer { id: 7, outcome: Ok(json!({})) });
        check(
            r#"{"id": 7, "result": null}"#,
            Incoming::Garbled(
                json!(7),
                Fault::new(INVALID_REQUEST, "there is neither a method nor a result"),
            ),
        );
        assert!(matches!(
            parse(br#"{"id": 7, "error": {"code": 1}}"#),
            Incoming::Answer { outcome: Err(_), .. }
        ));
        for (line, code) in [
            ("{", PARSE_ERROR),
            ("[]", INVALID_REQUEST),
            ("{}", INVALID_REQUEST),
            (r#"{"id":1,"method":7}"#, INVALID_REQUEST),
        ] {
            assert!(
                matches!(parse(line.as_bytes()), Incoming::Garbled(_, fault) if fault.code == code),
                "{line}"
            );
        }
    }

    #[tokio::test]
    async fn lines_are_bounded_and_blank_ones_skipped() {
        let mut input: &[u8] = b"\n  \n{}\nlast";
        assert_eq!(next_line(&mut input).await.unwrap().unwrap(), b"{}\n");
        assert_eq!(next_line(&mut input).await.unwrap().unwrap(), b"last");
        assert_eq!(next_line(&mut input).await.unwrap(), None);
        let long = vec![b'x'; MAX_LINE_BYTES + 2];
        assert!(next_line(&mut long.as_slice()).await.is_err());
    }
}
