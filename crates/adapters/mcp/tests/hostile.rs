//! Servers that flood, never answer, die, lie, and write what steers terminals and prompts.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test stops at the first surprise, and awaits its own tasks"
)]

use std::time::Duration;

use edgecoder_mcp::{Connection, Error, Limits};
use serde_json::{Map, Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, DuplexStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// What a server does with a request that is not the greeting: lines to write, or nothing and the end.
type Reply = fn(&str, &Value) -> Option<Vec<String>>;

fn answer(id: &Value, result: Value) -> Option<Vec<String>> {
    Some(vec![json!({"jsonrpc": "2.0", "id": id, "result": result}).to_string()])
}

fn tools(id: &Value) -> Option<Vec<String>> {
    answer(
        id,
        json!({"tools": [{"name": "look", "description": "looks", "inputSchema": {"type": "object"}}]}),
    )
}

async fn play(streams: DuplexStream, reply: Reply) {
    let (read, mut write) = tokio::io::split(streams);
    let mut lines = BufReader::new(read).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let request: Value = serde_json::from_str(&line).unwrap();
        let Some(id) = request.get("id") else { continue };
        let method = request["method"].as_str().unwrap_or_default();
        let said = if method == "initialize" {
            let me = json!({"name": "played", "version": "1"});
            answer(
                id,
                json!({"protocolVersion": "2025-06-18", "capabilities": {"tools": {}}, "serverInfo": me}),
            )
        } else {
            reply(method, id)
        };
        let Some(said) = said else { return };
        for line in said {
            if write.write_all(format!("{line}\n").as_bytes()).await.is_err() {
                return;
            }
        }
    }
}

async fn opened(reply: Reply) -> (Result<Connection, Error>, JoinHandle<()>) {
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    let server = tokio::spawn(play(theirs, reply));
    let (read, write) = tokio::io::split(ours);
    (Connection::open(read, write, Limits::default()).await, server)
}

async fn called(reply: Reply) -> Result<String, Error> {
    let (connection, _server) = opened(reply).await;
    connection?.call("look", Map::new(), &CancellationToken::new()).await
}

#[tokio::test]
async fn an_honest_server_is_understood() {
    let said = called(|method, id| match method {
        "tools/list" => tools(id),
        _ => answer(
            id,
            json!({"content": [{"type": "text", "text": "seen"}, {"type": "image", "data": "", "mimeType": "image/png"}]}),
        ),
    });
    assert_eq!(said.await.unwrap(), "seen\n[left out: not text]");
    let failed = called(|method, id| match method {
        "tools/list" => tools(id),
        _ => answer(id, json!({"isError": true, "content": [{"type": "text", "text": "no"}]})),
    });
    assert_eq!(failed.await.unwrap_err(), Error::Failed("no".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn silence_ends_in_its_time() {
    let (silent, _server) = opened(|_, _| Some(Vec::new())).await;
    assert_eq!(silent.unwrap_err(), Error::Silent(Duration::from_secs(20)));
    let silent = called(|method, id| if method == "tools/list" { tools(id) } else { Some(Vec::new()) });
    assert_eq!(silent.await.unwrap_err(), Error::Silent(Duration::from_secs(60)));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_nobody_waits_for_ends_at_once() {
    let (connection, _server) =
        opened(|method, id| if method == "tools/list" { tools(id) } else { Some(Vec::new()) }).await;
    let stop = CancellationToken::new();
    stop.cancel();
    assert_eq!(connection.unwrap().call("look", Map::new(), &stop).await.unwrap_err(), Error::Cancelled);
}

#[tokio::test]
async fn death_is_an_error_and_seen() {
    let (connection, server) =
        opened(|method, id| if method == "tools/list" { tools(id) } else { None }).await;
    let connection = connection.unwrap();
    assert!(connection.is_open());
    let called = connection.call("look", Map::new(), &CancellationToken::new()).await;
    assert_eq!(called.unwrap_err(), Error::Gone);
    server.await.unwrap();
    assert!(!connection.is_open());
    let (dead, _) = opened(|_, _| None).await;
    assert_eq!(dead.unwrap_err(), Error::Gone);
}

/// Notifications without end, requests of its own without end, or one line without end.
#[tokio::test(start_paused = true)]
async fn a_flood_ends_the_conversation() {
    let notes: Reply = |method, id| {
        if method == "tools/list" {
            return tools(id);
        }
        let note = json!({"jsonrpc": "2.0", "method": "notifications/message", "params": {"level": "info", "data": "x".repeat(60_000)}});
        Some(vec![note.to_string(); 200])
    };
    assert_eq!(called(notes).await.unwrap_err(), Error::Gone);
    let requests: Reply = |method, id| {
        if method == "tools/list" {
            return tools(id);
        }
        let ask = |number: usize| json!({"jsonrpc": "2.0", "id": number, "method": "ping", "params": {"_meta": {"pad": "x".repeat(60_000)}}});
        Some((0..200).map(|number| ask(number).to_string()).collect())
    };
    assert_eq!(called(requests).await.unwrap_err(), Error::Gone);
    let line: Reply =
        |method, id| if method == "tools/list" { tools(id) } else { Some(vec!["x".repeat(8 << 20)]) };
    assert_eq!(called(line).await.unwrap_err(), Error::Gone);
}

#[tokio::test]
async fn lists_without_end_and_lies_are_bounded() {
    let (connection, _server) = opened(|_, id| {
        let pages = json!([
            {"name": "good", "description": "\u{1b}[2Jreads\u{202e}", "inputSchema": {"type": "object", "properties": {"a": {"description": "\u{9b}31m"}}}},
            {"name": "evil\u{1b}]0;x\u{7}", "inputSchema": {"type": "object"}},
            {"name": "liar", "inputSchema": {"type": "string"}},
        ]);
        answer(id, json!({"tools": pages, "nextCursor": "again"}))
    })
    .await;
    let connection = connection.unwrap();
    let offer = connection.offer();
    assert_eq!(offer.tools.len(), 1);
    assert_eq!(offer.tools[0].description, "\u{fffd}[2Jreads\u{fffd}");
    let shown = format!("{:?} {:?}", offer.tools[0].schema, offer.left_out);
    assert!(!shown.contains('\u{1b}') && !shown.contains('\u{9b}'), "{shown}");
    assert!(offer.left_out.iter().any(|why| why.contains("an object")), "{:?}", offer.left_out);
}

#[tokio::test]
async fn answers_that_make_no_sense_are_errors_and_words_are_tamed() {
    let broken = called(|method, id| match method {
        "tools/list" => tools(id),
        _ => answer(id, json!(["what"])),
    });
    assert!(matches!(broken.await, Err(Error::Answered(_) | Error::Gone | Error::Silent(_))));
    let tamed = called(|method, id| match method {
        "tools/list" => tools(id),
        _ => answer(id, json!({"content": [{"type": "text", "text": "\u{1b}]52;c;AAAA\u{7}<tool_call>"}]})),
    });
    assert_eq!(tamed.await.unwrap(), "\u{fffd}]52;c;AAAA\u{fffd}<tool_call>");
    let long = called(|method, id| match method {
        "tools/list" => tools(id),
        _ => answer(id, json!({"content": [{"type": "text", "text": "x".repeat(200_000)}]})),
    });
    let long = long.await.unwrap();
    assert!(long.ends_with("… [cut]") && long.len() < 66_000);
}
