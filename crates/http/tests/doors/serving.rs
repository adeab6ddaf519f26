//! Doors on real sockets: they answer, stop at once, and do not wait for those who wait for news.

use axum::http::Request;
use edgecoder_http::{Metrics, control, ide, portal, serve};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use crate::support::{As, MESH, Node, Worker, ask_router, request};

async fn talk(address: std::net::SocketAddr, head: &str, body: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!("{head}\r\nhost: x\r\ncontent-length: {}\r\n\r\n", body.len());
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(body).await.unwrap();
    stream
}

async fn rest(mut stream: TcpStream) -> String {
    let mut text = Vec::new();
    stream.read_to_end(&mut text).await.unwrap();
    String::from_utf8_lossy(&text).into_owned()
}

async fn waiting_pull(address: std::net::SocketAddr, worker: &Worker) -> TcpStream {
    let body = serde_json::to_vec(&json!({"agentId": worker.id, "waitMs": 30_000})).unwrap();
    let mut head = "POST /pull HTTP/1.1\r\ncontent-type: application/json".to_owned();
    for (name, value) in worker.sign("POST", "/pull", &body).to_pairs() {
        head.push_str(&format!("\r\n{name}: {value}"));
    }
    talk(address, &head, &body).await
}

/// Another connection's answer: by then the door has taken up what came before it.
async fn status(address: std::net::SocketAddr) {
    let head = format!("GET /status HTTP/1.1\r\nconnection: close\r\nx-mesh-token: {MESH}");
    assert!(rest(talk(address, &head, b"").await).await.contains("200 OK"));
}

#[tokio::test]
async fn a_worker_that_hung_up_gets_no_lease() {
    let node = Node::start().await;
    let (gone, here) = (node.enrol(1).await, node.enrol(2).await);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let shutdown = CancellationToken::new();
    let serving = serve(listener, node.router.clone(), shutdown.clone());
    let clients = async {
        let pull = waiting_pull(address, &gone).await;
        status(address).await;
        drop(pull);
        status(address).await;
        node.submit_prompt("t").await;
        assert_eq!(node.pull(&here).await.task.as_str(), "t");
        shutdown.cancel();
    };
    tokio::join!(serving, clients).0.unwrap();
}

#[tokio::test]
async fn whoever_waits_goes_home_when_the_door_closes() {
    let node = Node::start().await;
    let worker = node.enrol(1).await;
    node.submit_prompt("t").await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let shutdown = CancellationToken::new();
    let serving = serve(listener, node.router.clone(), shutdown.clone());
    let clients = async {
        let head = format!("GET /tasks/t/events HTTP/1.1\r\nx-mesh-token: {MESH}");
        let mut events = talk(address, &head, b"").await;
        let mut first = [0; 1024];
        assert!(events.read(&mut first).await.unwrap() > 0);
        node.post("/tasks/t/cancel", json!(null)).await;
        let forever = format!("GET /tasks/t/events?follow=forever HTTP/1.1\r\nx-mesh-token: {MESH}");
        let mut forever = talk(address, &forever, b"").await;
        assert!(forever.read(&mut first).await.unwrap() > 0);

        let pull = waiting_pull(address, &worker).await;
        status(address).await;
        shutdown.cancel();
        (rest(events).await, rest(forever).await, rest(pull).await)
    };
    let (served, (_, forever, pull)) = tokio::join!(serving, clients);
    served.unwrap();
    assert!(forever.ends_with("0\r\n\r\n"), "the stream was cut: {forever}");
    assert!(pull.contains("shutting_down"), "{pull}");
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn whoever_does_not_finish_a_head_is_sent_away() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let shutdown = CancellationToken::new();
    let serving = serve(listener, control::router(&Metrics::new()), shutdown.clone());
    let slow = async {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET /health HTTP/1.1\r\nx-slow: ").await.unwrap();
        assert!(!rest(stream).await.contains("200 OK"));
        shutdown.cancel();
    };
    tokio::join!(serving, slow).0.unwrap();
}

#[tokio::test]
async fn a_request_id_is_on_every_answer_and_the_callers_is_kept() {
    let node = Node::start().await;
    let mut asked = request(As::Nobody, "GET", "/health", Vec::new(), "");
    asked.headers_mut().insert("x-request-id", "mine-1".parse().unwrap());
    assert_eq!(node.send(asked).await.headers["x-request-id"], "mine-1");
    let fresh = node.get("/health").await.headers["x-request-id"].clone();
    assert!(fresh.to_str().unwrap().starts_with("req_"));
}

#[tokio::test]
async fn doors_without_a_role_say_that_they_are_alive() {
    let metrics = Metrics::new();
    for (role, router) in [
        ("control", control::router(&metrics)),
        ("ide", ide::closed(&metrics)),
        ("portal", portal::router(&metrics)),
    ] {
        let get = |path: &str| Request::get(path).body(axum::body::Body::empty()).unwrap();
        assert_eq!(ask_router(&router, get("/health")).await.json()["role"], role);
        let openapi = ask_router(&router, get("/openapi.json")).await.json();
        assert_eq!(openapi["info"]["title"], format!("EdgeCoder {role} door"));
        let page = ask_router(&router, get("/metrics")).await.text();
        assert!(page.contains(&format!("door=\"{role}\"")), "{page}");
        assert_eq!(ask_router(&router, get("/v1/anything")).await.status, 404);
    }
}
