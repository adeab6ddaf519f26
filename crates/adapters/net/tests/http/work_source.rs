//! The worker's client: what it signs, what it believes, what it refuses.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, Method, Uri};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{any, get, post};
use edgecoder_base::{BlobHash, NodeKey, Secret, Timestamp};
use edgecoder_net::{HttpWorkSource, Signer};
use edgecoder_protocol::api::agents::{Policy, PullReply, PullRequest, RegisterReply, RegisterRequest};
use edgecoder_protocol::api::snapshots::StoredBlobs;
use edgecoder_protocol::signing::SignedHeaders;
use edgecoder_protocol::{ErrorCode, WorkError, WorkSource};

use crate::door::{Door, refusal, serve};

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

/// Entropy for tests: never the same twice.
static DRAWN: AtomicU64 = AtomicU64::new(0);

fn source(door: &Door) -> HttpWorkSource {
    let key = Arc::new(NodeKey::from_seed(&[3; 32]));
    let signer = Signer {
        agent_id: key.public().node_id(),
        key,
        clock: || NOW,
        entropy: || DRAWN.fetch_add(1, Ordering::Relaxed).into(),
    };
    HttpWorkSource::build(&door.url, signer, Some(Secret::new("mesh".into()))).unwrap()
}

fn pull_request() -> PullRequest {
    PullRequest { agent_id: NodeKey::from_seed(&[3; 32]).public().node_id(), wait_ms: 0 }
}

/// What a coordinator checks of a signed request.
fn verified(method: &Method, uri: &Uri, headers: &HeaderMap, body: &[u8]) -> SignedHeaders {
    let read = SignedHeaders::read(|name| headers.get(name).and_then(|value| value.to_str().ok())).unwrap();
    let key = NodeKey::from_seed(&[3; 32]).public();
    read.verify(&key, NOW, method.as_str(), uri.path(), body).unwrap();
    read
}

async fn pull(router: Router) -> Result<PullReply, WorkError> {
    source(&serve(router).await).pull(pull_request()).await
}

#[tokio::test]
async fn every_request_is_signed_over_its_path_and_body_with_a_fresh_nonce() {
    let (seen, mut nonces) = tokio::sync::mpsc::channel(8);
    let answer = move |method: Method, uri: Uri, headers: HeaderMap, body: Bytes| async move {
        let signed = verified(&method, &uri, &headers, &body);
        seen.try_send(signed.nonce).unwrap();
        let stored = StoredBlobs { stored: vec![BlobHash::of(b"hello")] };
        let blob = || Bytes::from_static(b"hello").into_response();
        match (method.as_str(), uri.path()) {
            ("POST", "/pull") => axum::Json(PullReply::default()).into_response(),
            ("PUT", _) => axum::Json(stored).into_response(),
            _ => blob(),
        }
    };
    let door = serve(Router::new().fallback(any(answer))).await;
    let source = source(&door);
    source.pull(pull_request()).await.unwrap();
    assert_eq!(source.put_blob(b"hello".to_vec()).await.unwrap(), BlobHash::of(b"hello"));
    assert_eq!(source.fetch_blob(BlobHash::of(b"hello")).await.unwrap(), b"hello");
    nonces.close();
    let (mut all, mut count) = (std::collections::BTreeSet::new(), 0);
    while let Some(nonce) = nonces.recv().await {
        all.insert(nonce);
        count += 1;
    }
    assert_eq!((all.len(), count), (3, 3));
}

#[tokio::test]
async fn registration_presents_both_tokens() {
    let reply = RegisterReply {
        accepted: true,
        policy: Policy { cpu_cap_percent: 1, memory_limit_mb: 1, idle_only: false, max_concurrent_tasks: 1 },
        mode: "swarm-only".into(),
        heartbeat_ms: 5_000,
        released: 0,
    };
    let answer = reply.clone();
    let router = Router::new().route(
        "/register",
        post(move |headers: HeaderMap, body: axum::Json<serde_json::Value>| async move {
            assert_eq!(headers["x-mesh-token"], "mesh");
            assert_eq!(body["registrationToken"], "enrol");
            axum::Json(answer)
        }),
    );
    let request: RegisterRequest = serde_json::from_value(serde_json::json!({
        "agentId": "worker-1", "os": "linux", "version": "0.1.0", "registrationToken": "enrol"
    }))
    .unwrap();
    assert_eq!(source(&serve(router).await).register(request).await.unwrap(), reply);
}

#[tokio::test]
async fn refusals_keep_their_code_and_say_whether_to_try_again() {
    for (code, retryable) in [
        (ErrorCode::LeaseLost, false),
        (ErrorCode::AgentNotRegistered, false),
        (ErrorCode::ShuttingDown, true),
        (ErrorCode::StoreUnavailable, true),
    ] {
        let router = Router::new().route("/pull", post(move || async move { refusal(code) }));
        let error = pull(router).await.unwrap_err();
        assert_eq!(error.is_retryable(), retryable, "{code}");
        assert!(matches!(&error, WorkError::Refused { code: got, .. } if *got == code), "{error:?}");
    }
}

#[tokio::test]
async fn what_makes_no_sense_is_no_answer() {
    async fn check(answer: impl IntoResponse + Clone + Send + Sync + 'static, expected: &str) {
        let router = Router::new().route("/pull", post(move || async move { answer.into_response() }));
        let error = pull(router).await.unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
    check("not json", "not understood").await;
    check("{\"subtask\": 5}", "not understood").await;
    check("x".repeat(17 * 1024 * 1024), "larger than").await;
    check((axum::http::StatusCode::BAD_GATEWAY, "proxy says no"), "unreachable").await;
    check((axum::http::StatusCode::IM_A_TEAPOT, "teapot"), "HTTP 418: teapot").await;
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let router = Router::new()
        .route("/pull", post(|| async { Redirect::temporary("/elsewhere") }))
        .route("/elsewhere", any(|| async { Response::new("{}".to_owned()) }));
    assert!(pull(router).await.unwrap_err().to_string().contains("HTTP 307"));
}

#[tokio::test]
async fn a_blob_with_other_content_is_refused() {
    let router = Router::new().route("/blobs/{hash}", get(|| async { "other" }));
    let error = source(&serve(router).await).fetch_blob(BlobHash::of(b"hello")).await.unwrap_err();
    assert!(error.to_string().contains("other content"), "{error}");
}

#[tokio::test]
async fn nobody_there_is_retryable_and_names_the_cause() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let error = source(&Door::nobody(url)).pull(pull_request()).await.unwrap_err();
    assert!(error.is_retryable() && error.to_string().contains("refused"), "{error}");
}

#[test]
fn only_http_addresses_are_taken() {
    for url in ["", "localhost:4301", "ftp://x", "unix:/tmp/x", "http://"] {
        assert!(edgecoder_net::ApiClient::build(url, None).is_err(), "{url:?}");
    }
}
