//! What no honest client sends: each gets a typed refusal with a whole error body, and nothing breaks.

use axum::body::Body;
use axum::http::Request;
use edgecoder_protocol::ErrorCode;
use serde_json::json;

use crate::support::{As, MEMBER, MESH, Node, request};

async fn check(node: &Node, method: &str, path: &str, body: &[u8], kind: &str, code: ErrorCode) {
    let answer = node.send(request(MEMBER, method, path, body.to_vec(), kind)).await;
    let shown: String = String::from_utf8_lossy(body).chars().take(60).collect();
    assert_eq!(answer.outcome(), Some(code), "{method} {path} {shown}");
}

#[tokio::test]
async fn bodies_that_are_not_what_they_should_be_are_refused_by_name() {
    let node = Node::start().await;
    let nested = "{\"request\":".to_owned() + &"[".repeat(10_000);
    let nested_map = "{\"x\":".repeat(10_000);
    for (body, code) in [
        (&b""[..], ErrorCode::MalformedJson),
        (b"{", ErrorCode::MalformedJson),
        (b"{\"request\":\"r\"} {}", ErrorCode::MalformedJson),
        (b"{\"request\":\"\xff\xfe\"}", ErrorCode::MalformedJson),
        (b"\xef\xbb\xbf{\"request\":\"r\"}", ErrorCode::MalformedJson),
        (nested.as_bytes(), ErrorCode::InvalidRequest),
        (nested_map.as_bytes(), ErrorCode::UnknownField),
        (b"[]", ErrorCode::InvalidRequest),
        (b"null", ErrorCode::InvalidRequest),
        (b"{}", ErrorCode::InvalidRequest),
        (b"{\"request\":7}", ErrorCode::InvalidRequest),
        (b"{\"request\":\"r\",\"request\":\"s\"}", ErrorCode::InvalidRequest),
        (b"{\"request\":\"r\",\"samples\":-1}", ErrorCode::InvalidRequest),
        (b"{\"request\":\"r\",\"samples\":256}", ErrorCode::InvalidRequest),
        (b"{\"request\":\"r\",\"surprise\":1}", ErrorCode::UnknownField),
        (b"{\"request\":\"r\",\"scope\":{\"surprise\":1}}", ErrorCode::UnknownField),
        (b"{\"request\":\"r\",\"id\":\"../etc/passwd\"}", ErrorCode::InvalidRequest),
        (b"{\"request\":\"r\",\"id\":\"\"}", ErrorCode::InvalidRequest),
        (b"{\"request\":\"r\",\"snapshot\":\"../../etc/passwd\"}", ErrorCode::InvalidRequest),
        (b"{\"request\":\"r\",\"verifier\":{\"command\":7}}", ErrorCode::InvalidRequest),
    ] {
        check(&node, "POST", "/tasks", body, "application/json", code).await;
    }
}

#[tokio::test]
async fn the_field_that_is_wrong_is_named() {
    let node = Node::start().await;
    let answer = node.post("/tasks", json!({"request": "r", "scope": {"allow": ["a", 7]}})).await;
    assert_eq!(answer.code(), ErrorCode::InvalidRequest);
    assert!(answer.text().contains("scope.allow[1]"), "{}", answer.text());
}

#[tokio::test]
async fn content_must_be_declared_and_small_enough() {
    let node = Node::start().await;
    for kind in ["", "text/plain", "application/x-www-form-urlencoded", "application/jsonp"] {
        check(&node, "POST", "/tasks", b"{}", kind, ErrorCode::UnsupportedMediaType).await;
    }
    let large = vec![b' '; 1024 * 1024 + 1];
    check(&node, "POST", "/tasks", &large, "application/json", ErrorCode::BodyTooLarge).await;
    let blob = vec![0; 32 * 1024 * 1024 + 1];
    let path = format!("/blobs/{}", edgecoder_base::BlobHash::of(&blob));
    check(&node, "PUT", &path, &blob, "", ErrorCode::BodyTooLarge).await;
}

#[tokio::test]
async fn a_body_of_unknown_length_is_cut_off_at_the_limit() {
    let node = Node::start().await;
    let chunks = (0..2_000).map(|_| Ok::<_, std::io::Error>(vec![b' '; 1024]));
    let body = Body::from_stream(futures::stream::iter(chunks));
    let request =
        Request::post("/tasks").header("x-mesh-token", MESH).header("content-type", "application/json");
    assert_eq!(node.send(request.body(body).unwrap()).await.code(), ErrorCode::BodyTooLarge);
}

#[tokio::test]
async fn a_body_that_breaks_off_is_refused() {
    let node = Node::start().await;
    let chunks = [Ok(b"{".to_vec()), Err(std::io::Error::other("gone"))];
    let body = Body::from_stream(futures::stream::iter(chunks));
    let request =
        Request::post("/tasks").header("x-mesh-token", MESH).header("content-type", "application/json");
    assert_eq!(node.send(request.body(body).unwrap()).await.code(), ErrorCode::InvalidRequest);
}

#[tokio::test]
async fn hostile_paths_and_queries_are_refused() {
    let node = Node::start().await;
    let long = format!("/tasks/{}", "x".repeat(200));
    for (method, path, code) in [
        ("GET", "/tasks/..%2f..%2fetc%2fpasswd", ErrorCode::InvalidRequest),
        ("GET", "/tasks/%00", ErrorCode::InvalidRequest),
        ("GET", "/tasks/%ff", ErrorCode::InvalidRequest),
        ("GET", "/tasks/%0a", ErrorCode::InvalidRequest),
        ("GET", long.as_str(), ErrorCode::InvalidRequest),
        ("GET", "/tasks/nothing", ErrorCode::NotFound),
        ("GET", "/tasks/nothing/events", ErrorCode::NotFound),
        ("GET", "/blobs/..%2f..%2fedgecoder.db", ErrorCode::InvalidRequest),
        ("GET", "/blobs/ABCDEF", ErrorCode::InvalidRequest),
        ("GET", "/tasks?limit=-1", ErrorCode::InvalidRequest),
        ("GET", "/tasks?limit=x", ErrorCode::InvalidRequest),
        ("GET", "/tasks?surprise=1", ErrorCode::InvalidRequest),
        ("GET", "/tasks?cursor=%27;drop%20table", ErrorCode::InvalidRequest),
        ("GET", "/ledger/snapshot?after=-1", ErrorCode::InvalidRequest),
        ("GET", "/tasks/nothing/events?after=x", ErrorCode::InvalidRequest),
        ("GET", "/nothing", ErrorCode::RouteNotFound),
        ("GET", "/tasks/", ErrorCode::RouteNotFound),
        ("DELETE", "/tasks", ErrorCode::MethodNotAllowed),
        ("PATCH", "/status", ErrorCode::MethodNotAllowed),
    ] {
        check(&node, method, path, b"", "", code).await;
    }
    let refused = node.ask(MEMBER, "DELETE", "/tasks", json!(null)).await;
    assert!(refused.headers.contains_key("allow"));
}

#[tokio::test]
async fn content_is_only_kept_under_its_own_hash_and_safe_names() {
    let node = Node::start().await;
    let hash = edgecoder_base::BlobHash::of(b"a");
    check(&node, "PUT", &format!("/blobs/{hash}"), b"b", "", ErrorCode::HashMismatch).await;
    check(&node, "GET", &format!("/blobs/{hash}"), b"", "", ErrorCode::NotFound).await;
    check(&node, "POST", "/blobs", b"\xff\xff\xff\xffx", "", ErrorCode::InvalidRequest).await;
    let crumbs = vec![0; 4 * (edgecoder_protocol::api::snapshots::MAX_PACK_BLOBS + 1)];
    check(&node, "POST", "/blobs", &crumbs, "", ErrorCode::InvalidRequest).await;
    for path in ["../a", "/etc/passwd", "a/../b", "a//b", ""] {
        let manifest = json!({"manifest": {"files": [{"path": path, "hash": hash, "size": 1}]}});
        assert_eq!(node.post("/snapshots", manifest).await.code(), ErrorCode::UnsafeSnapshot, "{path:?}");
    }
    assert_eq!(
        node.post("/snapshots", json!({"manifest": {"files": []}})).await.code(),
        ErrorCode::InvalidRequest
    );
}

#[tokio::test]
async fn senseless_signature_headers_are_refused() {
    let node = Node::start().await;
    let worker = node.enrol(1).await;
    let body = serde_json::to_vec(&json!({"agentId": worker.id})).unwrap();
    for (name, value) in [
        ("x-agent-id", "../x"),
        ("x-timestamp-ms", "yesterday"),
        ("x-timestamp-ms", "99999999999999999999"),
        ("x-nonce", ""),
        ("x-nonce", &"n".repeat(65)),
        ("x-body-sha256", "0"),
        ("x-signature", "not base64"),
    ] {
        let mut request = request(As::Worker(&worker), "POST", "/pull", body.clone(), "application/json");
        request.headers_mut().insert(name, value.parse().unwrap());
        let answer = node.send(request).await;
        assert_eq!(answer.status, 401, "{name}: {value}: {}", answer.text());
        answer.code();
    }
    let mut request = request(As::Worker(&worker), "POST", "/pull", body, "application/json");
    request.headers_mut().remove("x-nonce");
    assert_eq!(node.send(request).await.code(), ErrorCode::SignatureMissing);
}
