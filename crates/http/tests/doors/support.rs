//! A node whose doors are asked in process, and the callers that ask.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request};
use edgecoder_base::{BlobHash, Level, NodeId, NodeKey, Secret, Timestamp};
use edgecoder_coordinator::{Coordinator, Handle};
use edgecoder_http::{Metrics, coordinator};
use edgecoder_protocol::ErrorCode;
use edgecoder_protocol::api::error::ErrorBody;
use edgecoder_protocol::signing::SignedHeaders;
use edgecoder_store::{BlobDir, Location, Store};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tower::ServiceExt as _;

pub(crate) const MESH: &str = "the mesh token of the test";
pub(crate) const INVITATION: &str = "an invitation of the test";

static COUNTER: AtomicU64 = AtomicU64::new(1);

pub(crate) fn unique() -> u64 {
    COUNTER.fetch_add(1, Ordering::Relaxed)
}

pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap())
}

/// A worker's name and key.
pub(crate) struct Worker {
    pub(crate) id: NodeId,
    pub(crate) key: NodeKey,
}

impl Worker {
    pub(crate) fn new(seed: u8) -> Self {
        let key = NodeKey::from_seed(&[seed; 32]);
        Self { id: key.public().node_id(), key }
    }

    pub(crate) fn sign(&self, method: &str, path: &str, body: &[u8]) -> SignedHeaders {
        let path = path.split('?').next().unwrap();
        SignedHeaders::sign(&self.key, self.id.clone(), now(), format!("n{}", unique()), method, path, body)
    }

    pub(crate) fn registration(&self) -> Value {
        json!({
            "agentId": self.id, "os": "linux", "version": "1", "maxConcurrentTasks": 4, "sandboxLevel": "S2",
            "publicKeyPem": self.key.public(),
        })
    }
}

/// Who asks.
#[derive(Clone, Copy)]
pub(crate) enum As<'a> {
    Nobody,
    Token(&'a str),
    Bearer(&'a str),
    Worker(&'a Worker),
    /// Names the first, signs with the second's key.
    Forger(&'a Worker, &'a Worker),
}

pub(crate) const MEMBER: As<'static> = As::Token(MESH);

/// An answer, read whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    #[track_caller]
    pub(crate) fn read<T: DeserializeOwned>(&self) -> T {
        assert_eq!(self.status, 200, "{}", self.text());
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        self.read()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The code of an error, after checking that the error body is whole.
    #[track_caller]
    pub(crate) fn code(&self) -> ErrorCode {
        let body: ErrorBody = serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{} without error body ({error}): {}", self.status, self.text()));
        assert_eq!(body.code, body.error);
        assert_eq!(body.code.status(), self.status, "{body:?}");
        assert_eq!(self.headers["x-request-id"], body.request_id.as_str());
        assert_eq!(self.headers["content-type"], "application/json");
        body.code
    }

    pub(crate) fn outcome(&self) -> Option<ErrorCode> {
        (self.status >= 400).then(|| self.code())
    }
}

pub(crate) async fn ask_router(router: &Router, request: Request<Body>) -> Answer {
    let response = router.clone().oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap().to_vec();
    Answer { status: parts.status.as_u16(), headers: parts.headers, body }
}

/// A request with a JSON body where there is one.
pub(crate) fn request(who: As<'_>, method: &str, path: &str, body: Vec<u8>, kind: &str) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(path);
    if !kind.is_empty() {
        request = request.header("content-type", kind);
    }
    let signed = match who {
        As::Nobody => None,
        As::Token(token) => {
            request = request.header("x-mesh-token", token);
            None
        }
        As::Bearer(token) => {
            request = request.header("authorization", format!("Bearer {token}"));
            None
        }
        As::Worker(worker) => Some(worker.sign(method, path, &body)),
        As::Forger(named, signer) => {
            let mut signed = signer.sign(method, path, &body);
            signed.agent_id = named.id.clone();
            Some(signed)
        }
    };
    for (name, value) in signed.iter().flat_map(SignedHeaders::to_pairs) {
        request = request.header(name, value);
    }
    request.body(Body::from(body)).unwrap()
}

/// A coordinator with its door.
pub(crate) struct Node {
    pub(crate) handle: Handle,
    pub(crate) router: Router,
    pub(crate) me: Worker,
    store: Store,
    directory: tempfile::TempDir,
}

impl Node {
    pub(crate) async fn start() -> Self {
        Self::with_token(MESH).await
    }

    pub(crate) async fn with_token(mesh_token: &str) -> Self {
        Self::on(tempfile::tempdir().unwrap(), mesh_token).await
    }

    /// The same node after a stop.
    pub(crate) async fn restarted(self) -> Self {
        let Self { handle, router, store, directory, .. } = self;
        drop((handle, router));
        store.close().await;
        Self::on(directory, MESH).await
    }

    async fn on(directory: tempfile::TempDir, mesh_token: &str) -> Self {
        let me = Worker::new(200);
        let key = Arc::new(NodeKey::from_seed(&[200; 32]));
        let store = open(directory.path(), &key).await;
        let blobs = BlobDir::open(directory.path().join("blobs")).unwrap();
        let config = edgecoder_coordinator::Config { min_level: Level::S2, ..Default::default() };
        let deps = edgecoder_coordinator::Deps {
            store: store.clone(),
            blobs,
            key,
            decomposer: None,
            clock: now,
            entropy: || u128::from(unique()),
        };
        let handle = Coordinator::build(config, deps).handle();
        let config = coordinator::Config {
            mesh_token: Secret::new(mesh_token.to_owned()),
            registration_tokens: vec![Secret::new(INVITATION.to_owned())],
        };
        let state =
            coordinator::State::new(handle.clone(), &config, Metrics::new(), Arc::new(Default::default));
        Self { handle, router: coordinator::router(state), me, store, directory }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask(MEMBER, "GET", path, Value::Null).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.ask(MEMBER, "POST", path, body).await
    }

    pub(crate) async fn ask(&self, who: As<'_>, method: &str, path: &str, body: Value) -> Answer {
        let kind = if body.is_null() { "" } else { "application/json" };
        let body = if body.is_null() { Vec::new() } else { serde_json::to_vec(&body).unwrap() };
        self.send(request(who, method, path, body, kind)).await
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        ask_router(&self.router, request).await
    }

    /// A worker that came in with the mesh token.
    pub(crate) async fn enrol(&self, seed: u8) -> Worker {
        let worker = Worker::new(seed);
        self.register(&worker).await;
        worker
    }

    /// Registers as workers do: signed, with the mesh token.
    pub(crate) async fn register(&self, worker: &Worker) -> Answer {
        self.register_as(worker, &worker.registration()).await
    }

    /// Registers with one model.
    pub(crate) async fn announce(&self, worker: &Worker, model: &str) {
        let mut body = worker.registration();
        body["models"] = json!([model]);
        self.register_as(worker, &body).await;
    }

    async fn register_as(&self, worker: &Worker, body: &Value) -> Answer {
        let body = serde_json::to_vec(body).unwrap();
        let mut request = request(As::Worker(worker), "POST", "/register", body, "application/json");
        request.headers_mut().insert("x-mesh-token", MESH.parse().unwrap());
        let answer = self.send(request).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer
    }

    /// Asks for work and expects some.
    pub(crate) async fn pull(&self, worker: &Worker) -> edgecoder_protocol::Assignment {
        let body = json!({"agentId": worker.id});
        let answer = self.ask(As::Worker(worker), "POST", "/pull", body).await;
        let reply: edgecoder_protocol::api::agents::PullReply = answer.read();
        reply.work.unwrap_or_else(|| panic!("no work for {}", worker.id))
    }

    pub(crate) async fn report(
        &self,
        worker: &Worker,
        work: &edgecoder_protocol::Assignment,
        outcome: Value,
    ) -> Answer {
        let body = json!({
            "subtaskId": work.subtask, "taskId": work.task, "agentId": worker.id, "attempt": work.attempt,
            "epoch": work.epoch, "report": {"outcome": outcome},
        });
        self.ask(As::Worker(worker), "POST", "/result", body).await
    }

    /// How many rows each table of the database has.
    pub(crate) fn rows(&self) -> BTreeMap<String, u64> {
        let database = rusqlite::Connection::open(self.directory.path().join("edgecoder.db")).unwrap();
        let mut tables = database.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").unwrap();
        let names = tables.query_map([], |row| row.get::<_, String>(0)).unwrap().map(Result::unwrap);
        let count = |name: &str| {
            let query = format!("SELECT count(*) FROM \"{name}\"");
            database.query_row(&query, [], |row| row.get::<_, u64>(0)).unwrap()
        };
        names.map(|name| (name.clone(), count(&name))).collect()
    }

    pub(crate) async fn put_blob(&self, bytes: &[u8]) -> BlobHash {
        let hash = BlobHash::of(bytes);
        let request = request(MEMBER, "PUT", &format!("/blobs/{hash}"), bytes.to_vec(), "");
        assert_eq!(self.send(request).await.status, 200);
        hash
    }

    /// Submits a plain prompt.
    pub(crate) async fn submit_prompt(&self, id: &str) {
        let answer = self.post("/submit", json!({"taskId": id, "prompt": "say hello"})).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
}

async fn open(directory: &Path, key: &Arc<NodeKey>) -> Store {
    let location = Location::Sqlite(directory.join("edgecoder.db"));
    let deps = edgecoder_store::Deps { node: key.public().node_id(), key: Arc::clone(key) };
    Store::open(edgecoder_store::Config { location }, deps).await.unwrap()
}
