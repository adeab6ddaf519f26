//! The two ways to our queue: over a node's door as submitters and workers go, and by the handle in this
//! process. The HTTP client is bare on purpose: what it costs is taken from the node on a small machine.

use std::sync::Arc;

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use edgecoder_base::{Level, NodeId, NodeKey, Secret, TaskId, Timestamp};
use edgecoder_coordinator::{Handle, LocalWorkSource};
use edgecoder_protocol::WorkSource as _;
use edgecoder_protocol::api::agents::{PullReply, PullRequest, RegisterRequest, ResultRequest};
use edgecoder_protocol::api::tasks::SubmitTask;
use edgecoder_protocol::signing::SignedHeaders;
use edgecoder_protocol::work::{Assignment, Outcome, Report};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::{entropy, now};

/// Attempts a benchmark's worker may hold: as many as are allowed, so that this is never what limits.
const MAX_HELD: u32 = 64;

/// A connection kept open, as every client keeps one.
#[derive(Debug)]
pub(crate) struct Wire {
    sender: SendRequest<Full<Bytes>>,
    host: String,
    token: Secret<String>,
    /// Drives the connection and dies with it.
    _driver: JoinSet<()>,
}

impl Wire {
    pub(crate) async fn open(host: &str, token: Secret<String>) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(host).await.with_context(|| format!("connecting to {host}"))?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        let mut driver = JoinSet::new();
        driver.spawn(async move {
            // What goes wrong shows in the request that was under way.
            let _ended = connection.await;
        });
        Ok(Self { sender, host: host.to_owned(), token, _driver: driver })
    }

    /// Any other answer than 200 is an error.
    pub(crate) async fn send(
        &mut self,
        method: Method,
        path: &str,
        body: Vec<u8>,
        signed: Option<SignedHeaders>,
    ) -> anyhow::Result<Bytes> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", &self.host)
            .header("content-type", "application/json");
        request = match signed {
            Some(signed) => signed
                .to_pairs()
                .into_iter()
                .fold(request, |request, (name, value)| request.header(name, value)),
            None => request.header("x-mesh-token", self.token.expose()),
        };
        let response = self.sender.send_request(request.body(Full::new(Bytes::from(body)))?).await?;
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        ensure!(status == StatusCode::OK, "{path}: {status}: {}", String::from_utf8_lossy(&body));
        Ok(body)
    }

    pub(crate) async fn get(&mut self, path: &str) -> anyhow::Result<Bytes> {
        self.send(Method::GET, path, Vec::new(), None).await
    }
}

#[derive(Debug)]
enum Way {
    Door(Wire),
    Inside(Handle, LocalWorkSource),
}

/// One client: submits, pulls, and answers.
#[derive(Debug)]
pub(crate) struct Client {
    way: Way,
    id: NodeId,
    key: Arc<NodeKey>,
    requests: u64,
}

/// Where clients go.
#[derive(Debug, Clone)]
pub(crate) enum Place {
    Door { host: String, token: Secret<String> },
    Inside(Handle),
}

impl Client {
    /// Connects and registers as a worker with a key of its own.
    pub(crate) async fn join(place: &Place) -> anyhow::Result<Self> {
        let mut seed = [0; 32];
        seed[..16].copy_from_slice(&entropy().to_le_bytes());
        let key = Arc::new(NodeKey::from_seed(&seed));
        let id = key.public().node_id();
        let request = registration(&id, &key);
        let way = match place {
            Place::Door { host, token } => {
                let mut wire = Wire::open(host, token.clone()).await?;
                wire.send(Method::POST, "/register", serde_json::to_vec(&request)?, None).await?;
                Way::Door(wire)
            }
            Place::Inside(handle) => {
                let source = handle.local_source(id.clone());
                source.register(request).await?;
                Way::Inside(handle.clone(), source)
            }
        };
        Ok(Self { way, id, key, requests: 0 })
    }

    /// Returns when the task is durable.
    pub(crate) async fn submit(&mut self, text: &str) -> anyhow::Result<()> {
        self.submit_as(None, text).await
    }

    /// Under an id of our own, or one that the node makes.
    pub(crate) async fn submit_as(&mut self, id: Option<TaskId>, text: &str) -> anyhow::Result<()> {
        let body = serde_json::json!({ "id": id, "request": text, "min_level": Level::S0 });
        match &mut self.way {
            Way::Door(wire) => {
                wire.send(Method::POST, "/tasks", serde_json::to_vec(&body)?, None).await?;
            }
            Way::Inside(handle, _) => {
                let request: SubmitTask = serde_json::from_value(body)?;
                handle.submit(request, None).await.map_err(|error| anyhow::anyhow!("submit: {error}"))?;
            }
        }
        Ok(())
    }

    pub(crate) async fn pull(&mut self, wait_ms: u64) -> anyhow::Result<Option<Assignment>> {
        let request = PullRequest { agent_id: self.id.clone(), wait_ms };
        let reply: PullReply = match &self.way {
            Way::Inside(_, source) => source.pull(request).await?,
            Way::Door(_) => {
                serde_json::from_slice(&self.signed("/pull", serde_json::to_vec(&request)?).await?)?
            }
        };
        Ok(reply.work)
    }

    pub(crate) async fn result(&mut self, work: &Assignment, output: String) -> anyhow::Result<()> {
        let request = ResultRequest {
            subtask_id: work.subtask.clone(),
            task_id: work.task.clone(),
            agent_id: self.id.clone(),
            ok: true,
            output: String::new(),
            error: None,
            duration_ms: None,
            report_nonce: None,
            report_signature: None,
            attempt: Some(work.attempt.clone()),
            epoch: Some(work.epoch),
            report: Some(Report::of(Outcome::Answer { ok: true, output })),
        };
        match &self.way {
            Way::Inside(_, source) => source.result(request).await.map(|_| ())?,
            Way::Door(_) => self.signed("/result", serde_json::to_vec(&request)?).await.map(|_| ())?,
        }
        Ok(())
    }

    /// As workers send: signed, with a nonce never used before.
    async fn signed(&mut self, path: &str, body: Vec<u8>) -> anyhow::Result<Bytes> {
        self.requests += 1;
        let nonce = format!("{:x}", self.requests);
        let headers = SignedHeaders::sign(&self.key, self.id.clone(), now(), nonce, "POST", path, &body);
        match &mut self.way {
            Way::Door(wire) => wire.send(Method::POST, path, body, Some(headers)).await,
            Way::Inside(..) => anyhow::bail!("only a door asks for signatures"),
        }
    }
}

fn registration(id: &NodeId, key: &NodeKey) -> RegisterRequest {
    RegisterRequest {
        agent_id: id.clone(),
        device_id: None,
        os: "linux".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        mode: None,
        registration_token: None,
        local_model_provider: "scripted".to_owned(),
        client_type: "bench".to_owned(),
        max_concurrent_tasks: MAX_HELD,
        power_telemetry: None,
        public_key_pem: Some(key.public()),
        x25519_public_key: None,
        sandbox_mode: None,
        binary_integrity: None,
        sandbox_level: Some(Level::S2),
        models: Vec::new(),
        session: None,
    }
}

/// When the clock said so; the load's own ids and times come from the system like everybody's.
pub(crate) fn timestamp(ms: u128) -> Timestamp {
    Timestamp::from_millis(i64::try_from(ms).unwrap_or(i64::MAX))
}
