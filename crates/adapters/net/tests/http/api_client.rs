//! The command line's client: events across lost connections, uploads in packs, lists with queries.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use edgecoder_base::{BlobHash, Blobs, TaskId};
use edgecoder_net::{ApiClient, Error, TaskQuery};
use edgecoder_protocol::ErrorCode;
use edgecoder_protocol::api::snapshots::StoredBlobs;
use edgecoder_protocol::api::tasks::TaskPage;
use futures::{StreamExt, stream};
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::door::{refusal, serve};

fn task() -> TaskId {
    TaskId::new("t1").unwrap()
}

fn sse(sequence: u64) -> String {
    format!(
        "id: {sequence}\nevent: leased\ndata: {{\"sequence\":{sequence},\"event\":\"leased\",\
         \"at\":\"2026-11-22T08:58:05.123Z\",\"actor\":\"a\",\"detail\":null}}\n\n"
    )
}

fn progress(after: u64, tokens: u64) -> String {
    format!(
        "event: progress\ndata: {{\"sequence\":{after},\"event\":\"progress\",\
         \"at\":\"2026-11-22T08:58:05.123Z\",\"actor\":\"a\",\"detail\":{{\"output_tokens\":{tokens}}}}}\n\n"
    )
}

fn view(state: &str) -> serde_json::Value {
    serde_json::json!({
        "id": "t1", "state": state, "request": "r", "has_hidden_verifier": false, "privacy": "devices",
        "priority": 50, "project": "default", "samples": 1, "created_at": "2026-11-22T08:58:05.123Z",
        "updated_at": "2026-11-22T08:58:05.123Z", "subtasks": [], "usage": {}
    })
}

/// Serves one scripted body per connection and notes what each asked to go on after.
#[derive(Clone, Default)]
struct Script {
    bodies: Arc<Mutex<Vec<(String, End)>>>,
    asked: Arc<Mutex<Vec<Option<String>>>>,
    cut: Arc<Notify>,
}

enum End {
    Clean,
    /// The connection breaks when `cut` is notified.
    Cut,
}

async fn events(State(script): State<Script>, headers: HeaderMap) -> Response {
    script.asked.lock().push(headers.get("last-event-id").map(|id| id.to_str().unwrap().to_owned()));
    let (body, end) = script.bodies.lock().remove(0);
    let cut = async move {
        match end {
            End::Clean => None,
            End::Cut => {
                script.cut.notified().await;
                Some(Err(io::Error::other("cut")))
            }
        }
    };
    let body = stream::iter([Ok(Bytes::from(body))]).chain(stream::once(cut).filter_map(std::future::ready));
    Body::from_stream(body).into_response()
}

async fn state(State(script): State<Script>) -> axum::Json<serde_json::Value> {
    axum::Json(view(if script.bodies.lock().is_empty() { "completed" } else { "running" }))
}

#[tokio::test]
async fn events_go_on_after_the_last_one_seen_when_the_connection_is_lost() {
    let script = Script::default();
    *script.bodies.lock() = vec![
        (format!("{}{}id: 3\nevent: le", sse(1), sse(2)), End::Cut),
        (sse(3), End::Clean),
        (format!("{}{}", sse(3), sse(4)), End::Clean),
    ];
    let router = Router::new()
        .route("/tasks/t1/events", get(events))
        .route("/tasks/t1", get(state))
        .with_state(script.clone());
    let door = serve(router).await;
    let mut events = ApiClient::build(&door.url, None).unwrap().events(&task(), None);
    let mut seen = Vec::new();
    while let Some(event) = events.next().await.unwrap() {
        seen.push(event.sequence);
        if event.sequence == 2 {
            script.cut.notify_one();
        }
    }
    assert_eq!(seen, [1, 2, 3, 4]);
    assert_eq!(*script.asked.lock(), [None, Some("2".to_owned()), Some("3".to_owned())]);
}

#[tokio::test]
async fn progress_is_passed_on_and_moves_no_position() {
    let script = Script::default();
    *script.bodies.lock() = vec![
        (format!("{}{}{}", progress(0, 1), sse(1), progress(1, 2)), End::Clean),
        (format!("{}{}{}", progress(1, 3), sse(1), sse(2)), End::Clean),
    ];
    let router = Router::new()
        .route("/tasks/t1/events", get(events))
        .route("/tasks/t1", get(state))
        .with_state(script.clone());
    let door = serve(router).await;
    let mut events = ApiClient::build(&door.url, None).unwrap().events(&task(), None);
    let mut seen = Vec::new();
    while let Some(event) = events.next().await.unwrap() {
        seen.push((event.sequence, event.detail["output_tokens"].as_u64()));
    }
    assert_eq!(seen, [(0, Some(1)), (1, None), (1, Some(2)), (1, Some(3)), (2, None)]);
    assert_eq!(*script.asked.lock(), [None, Some("1".to_owned())]);
}

#[tokio::test]
async fn a_refused_event_stream_is_reported_at_once() {
    let router = Router::new().route("/tasks/t1/events", get(|| async { refusal(ErrorCode::NotFound) }));
    let door = serve(router).await;
    let error = ApiClient::build(&door.url, None).unwrap().events(&task(), None).next().await.unwrap_err();
    assert_eq!(error.code(), Some(ErrorCode::NotFound));
}

#[derive(Debug)]
struct MemoryBlobs(BTreeMap<BlobHash, Vec<u8>>);

impl Blobs for MemoryBlobs {
    fn contains(&self, hash: &BlobHash) -> bool {
        self.0.contains_key(hash)
    }
    fn read(&self, hash: &BlobHash) -> io::Result<Vec<u8>> {
        self.0.get(hash).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
    fn write(&self, _: &[u8]) -> io::Result<BlobHash> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }
    fn place(&self, _: &BlobHash, _: &Path) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }
}

fn unpack(mut pack: &[u8]) -> Vec<Vec<u8>> {
    let mut blobs = Vec::new();
    while let Some((length, rest)) = pack.split_first_chunk::<4>() {
        let (blob, rest) = rest.split_at(u32::from_le_bytes(*length) as usize);
        blobs.push(blob.to_vec());
        pack = rest;
    }
    blobs
}

async fn store(body: Bytes) -> axum::Json<StoredBlobs> {
    axum::Json(StoredBlobs { stored: unpack(&body).iter().map(|blob| BlobHash::of(blob)).collect() })
}

fn blobs_of(contents: &[Vec<u8>]) -> (Vec<BlobHash>, Arc<MemoryBlobs>) {
    let names = contents.iter().map(|bytes| BlobHash::of(bytes)).collect();
    let all = contents.iter().map(|bytes| (BlobHash::of(bytes), bytes.clone())).collect();
    (names, Arc::new(MemoryBlobs(all)))
}

#[tokio::test]
async fn missing_blobs_are_sent_in_packs_and_progress_is_told() {
    let router =
        Router::new().route("/blobs", post(store)).layer(axum::extract::DefaultBodyLimit::max(64 << 20));
    let door = serve(router).await;
    let (names, blobs) =
        blobs_of(&[vec![], vec![1; 3 << 20], vec![2; 3 << 20], vec![3; 10], vec![4; 5 << 20]]);
    let mut told = Vec::new();
    let client = ApiClient::build(&door.url, None).unwrap();
    client
        .upload(&names, blobs, |progress| told.push((progress.blobs, progress.of, progress.bytes)))
        .await
        .unwrap();
    assert_eq!(told, [(3, 5, 6 << 20), (5, 5, (11 << 20) + 10)]);
}

#[tokio::test]
async fn an_upload_fails_when_a_blob_is_gone_or_kept_under_another_name() {
    let router = Router::new().route("/blobs", post(|| async { axum::Json(StoredBlobs { stored: vec![] }) }));
    let door = serve(router).await;
    let client = ApiClient::build(&door.url, None).unwrap();
    let (names, blobs) = blobs_of(&[vec![1]]);
    assert!(matches!(client.upload(&names, blobs.clone(), |_| {}).await, Err(Error::Protocol(_))));
    assert!(matches!(client.upload(&[BlobHash::of(b"?")], blobs, |_| {}).await, Err(Error::Local(_))));
}

#[tokio::test]
async fn lists_carry_only_the_given_parts_of_a_query() {
    let list = |uri: Uri, headers: HeaderMap| async move {
        assert_eq!(headers["x-mesh-token"], "m");
        let next = uri.query().map(str::to_owned);
        axum::Json(TaskPage { tasks: vec![], next })
    };
    let door = serve(Router::new().route("/tasks", get(list))).await;
    let client = ApiClient::build(&door.url, Some(edgecoder_base::Secret::new("m".into()))).unwrap();
    let all = client.tasks(&TaskQuery::default()).await.unwrap();
    assert_eq!(all.next.unwrap_or_default(), "");
    let query = TaskQuery { state: Some("running".into()), cursor: None, limit: Some(5) };
    assert_eq!(client.tasks(&query).await.unwrap().next.as_deref(), Some("state=running&limit=5"));
}

#[tokio::test]
async fn patches_from_a_coordinator_are_checked_for_safe_paths() {
    let hostile = serde_json::json!([{"changes": [{"path": "../x", "before": null, "after": "y"}]}]);
    let answer = move || async move { axum::Json(hostile) };
    let door = serve(Router::new().route("/tasks/t1/patch", get(answer))).await;
    let error = ApiClient::build(&door.url, None).unwrap().patches(&task()).await.unwrap_err();
    assert!(error.to_string().contains("unsafe path"), "{error}");
}
