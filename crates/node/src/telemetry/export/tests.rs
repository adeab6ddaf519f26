//! A collector that listens gets the spans with their ids; one that does not costs nothing but the spans.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tracing_subscriber::Layer as _;
use tracing_subscriber::layer::SubscriberExt;

use super::*;

/// Takes one request and answers it; its head and body.
async fn receive(listener: &TcpListener) -> (String, Vec<u8>) {
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut bytes = Vec::new();
    let head = loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
        assert_ne!(stream.read_buf(&mut bytes).await.unwrap(), 0, "the request breaks off");
    };
    let text = String::from_utf8(bytes[..head].to_vec()).unwrap().to_lowercase();
    let length = text.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    let length: usize = length.parse().unwrap();
    while bytes.len() < head + length {
        assert_ne!(stream.read_buf(&mut bytes).await.unwrap(), 0, "the body breaks off");
    }
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
    (text, bytes.split_off(head))
}

/// One span like a worker's, and one of somebody else.
fn work(export: &Export) {
    let subscriber = tracing_subscriber::registry().with(export.layer().with_filter(filter()));
    tracing::subscriber::with_default(subscriber, || {
        tracing::info_span!(target: "hyper", "foreign").in_scope(|| {});
        tracing::info_span!(target: "edgecoder_worker", "attempt", task = "t1", subtask = "t1.s0", attempt = "t1.s0.a1")
            .in_scope(|| {});
    });
}

#[tokio::test]
async fn closing_sends_the_last_spans_with_their_ids_and_none_of_others() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let export = Export::open(&url, "worker").unwrap();
    work(&export);
    let ((head, body), ()) = tokio::join!(receive(&listener), export.close());
    assert!(head.starts_with("post /v1/traces ") && head.contains("application/x-protobuf"), "{head}");
    let has = |text: &str| body.windows(text.len()).any(|window| window == text.as_bytes());
    for text in ["edgecoder", "worker", "attempt", "t1.s0.a1", "t1.s0", "task", "subtask"] {
        assert!(has(text), "{text}");
    }
    assert!(!has("foreign"));
}

#[tokio::test]
async fn a_collector_that_is_gone_or_never_answers_ends_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mute = format!("http://{}", listener.local_addr().unwrap());
    for url in ["http://127.0.0.1:1", &mute] {
        let export = Export::open(url, "node").unwrap();
        work(&export);
        export.close().await;
    }
}

#[test]
fn an_address_may_name_the_path_or_leave_it_out() {
    for url in ["http://c:4318", "http://c:4318/", "http://c:4318/v1/traces"] {
        assert_eq!(endpoint(url), "http://c:4318/v1/traces");
    }
    assert_eq!(endpoint("http://c/otlp"), "http://c/otlp/v1/traces");
}
