//! Over real connections: whoever hangs up frees the engine's slot at once; a page of another origin does not get in.

use std::time::Duration;

use edgecoder_http::serve;
use edgecoder_inference::ScriptedEngine;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use crate::rig::{Rig, chat};

/// Generous: it is only reached by a failing test.
const SOON: Duration = Duration::from_secs(20);

async fn ask(address: std::net::SocketAddr, path: &str, headers: &str, body: &Value) -> TcpStream {
    let body = body.to_string();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\n{headers}content-length: {}\r\n\r\n",
        body.len()
    );
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all((head + &body).as_bytes()).await.unwrap();
    stream
}

/// Waits until so many answers are in the making.
async fn running(rig: &Rig, expected: u64) {
    let reached = async {
        while rig.switch.load().running != expected {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(SOON, reached).await.unwrap_or_else(|_| panic!("{:?}", rig.switch.load()));
}

#[tokio::test]
async fn whoever_hangs_up_frees_the_slot_at_once() {
    let tools = crate::rig::reads();
    let messages = json!([{"role": "user", "content": "x"}]);
    for (path, body) in [
        ("/v1/chat/completions", chat(json!({"stream": true}))),
        ("/v1/chat/completions", chat(json!({"stream": true, "tools": tools, "n": 2}))),
        ("/v1/chat/completions", chat(json!({}))),
        ("/v1/responses", json!({"model": "scripted", "input": "x", "stream": true})),
        ("/v1/messages", json!({"model": "scripted", "max_tokens": 9, "messages": messages, "stream": true})),
        ("/api/chat", chat(json!({}))),
        ("/api/generate", json!({"model": "scripted", "prompt": "x", "stream": false})),
    ] {
        let rig = Rig::new(ScriptedEngine::new().hang_after("some words").hang_after("more words"));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let mut door = tokio::task::JoinSet::new();
        door.spawn(serve(listener, rig.router.clone(), stop.clone()));
        let stream = body.get("stream").is_none_or(|stream| stream == true) && path != "/v1/chat/completions"
            || body.get("stream") == Some(&json!(true));
        let mut client = ask(address, path, "", &body).await;
        if stream {
            let mut first = [0; 16];
            client.read_exact(&mut first).await.unwrap();
            assert_eq!(&first[..12], b"HTTP/1.1 200", "{path}");
        }
        running(&rig, if body.get("n").is_some() { 2 } else { 1 }).await;
        drop(client);
        running(&rig, 0).await;
        stop.cancel();
        door.join_next().await.unwrap().unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_closing_door_ends_streams_with_an_error() {
    let rig = Rig::new(ScriptedEngine::new().hang_after("some words"));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let mut door = tokio::task::JoinSet::new();
    door.spawn(serve(listener, rig.router.clone(), stop.clone()));
    let mut client =
        ask(address, "/v1/chat/completions", "connection: close\r\n", &chat(json!({"stream": true}))).await;
    running(&rig, 1).await;
    let mut first = [0; 16];
    client.read_exact(&mut first).await.unwrap();
    stop.cancel();
    let mut rest = String::new();
    client.read_to_string(&mut rest).await.unwrap();
    assert!(rest.contains("shutting_down") && !rest.contains("[DONE]"), "{rest}");
    door.join_next().await.unwrap().unwrap().unwrap();
}
