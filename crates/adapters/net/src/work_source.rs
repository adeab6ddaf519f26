//! A worker's side of the coordinator's door: [`WorkSource`] over signed HTTP requests.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use edgecoder_base::{BlobHash, Clock, Entropy, NodeId, NodeKey, Secret};
use edgecoder_protocol::api::agents::{
    HeartbeatReply, HeartbeatRequest, MAX_WAIT_MS, PullReply, PullRequest, RegisterReply, RegisterRequest,
    ResultReply, ResultRequest,
};
use edgecoder_protocol::api::snapshots::{MAX_BLOB_BYTES, StoredBlobs};
use edgecoder_protocol::signing::SignedHeaders;
use edgecoder_protocol::{WorkError, WorkSource};
use futures::future::BoxFuture;
use reqwest::{Method, RequestBuilder};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Error;
use crate::wire::{ANSWER_TIMEOUT, TRANSFER_TIMEOUT, Wire};

/// Who signs, and with what.
#[derive(Clone)]
pub struct Signer {
    /// The key registered for `agent_id`.
    pub key: Arc<NodeKey>,
    /// The name under which the worker is registered.
    pub agent_id: NodeId,
    /// Time of signing.
    pub clock: Clock,
    /// Source of nonces.
    pub entropy: Entropy,
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer")
            .field("agent_id", &self.agent_id)
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

impl Signer {
    /// A value that no request carried before.
    pub(crate) fn nonce(&self) -> String {
        format!("{:032x}", (self.entropy)())
    }

    fn headers(&self, method: &Method, path: &str, body: &[u8]) -> SignedHeaders {
        SignedHeaders::sign(
            &self.key,
            self.agent_id.clone(),
            (self.clock)(),
            self.nonce(),
            method.as_str(),
            path,
            body,
        )
    }
}

/// A coordinator across the network.
#[derive(Debug, Clone)]
pub struct HttpWorkSource {
    wire: Wire,
    signer: Signer,
    mesh_token: Option<Secret<String>>,
}

impl HttpWorkSource {
    /// A client of the coordinator at `url`. `mesh_token` opens `/register` where the body carries no
    /// registration token; all other requests are let in by their signature.
    pub fn build(url: &str, signer: Signer, mesh_token: Option<Secret<String>>) -> Result<Self, Error> {
        Ok(Self { wire: Wire::build(url)?, signer, mesh_token })
    }

    fn signed(
        &self,
        method: Method,
        path: &str,
        body: Vec<u8>,
        kind: &str,
        timeout: Duration,
    ) -> RequestBuilder {
        let url = self.wire.url(path);
        let headers = self.signer.headers(&method, url.path(), &body);
        let mut request = self.wire.http().request(method, url).timeout(timeout);
        for (name, value) in headers.to_pairs() {
            request = request.header(name, value);
        }
        if let Some(token) = &self.mesh_token {
            request = request.header("x-mesh-token", token.expose());
        }
        request.header("content-type", kind).body(body)
    }

    async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &(impl Serialize + Sync),
        wait_ms: u64,
    ) -> Result<T, WorkError> {
        let body = serde_json::to_vec(body).map_err(Error::Encode)?;
        let timeout = ANSWER_TIMEOUT + Duration::from_millis(wait_ms.min(MAX_WAIT_MS));
        Ok(self.wire.json(self.signed(Method::POST, path, body, "application/json", timeout)).await?)
    }

    async fn fetch(&self, hash: BlobHash) -> Result<Vec<u8>, WorkError> {
        let path = format!("/blobs/{hash}");
        let request =
            self.signed(Method::GET, &path, Vec::new(), "application/octet-stream", TRANSFER_TIMEOUT);
        let bytes = self.wire.bytes(request, MAX_BLOB_BYTES).await?;
        if BlobHash::of(&bytes) == hash {
            Ok(bytes)
        } else {
            Err(WorkError::Protocol(format!("blob {hash} came with other content")))
        }
    }

    async fn put(&self, bytes: Vec<u8>) -> Result<BlobHash, WorkError> {
        let hash = BlobHash::of(&bytes);
        let path = format!("/blobs/{hash}");
        let request = self.signed(Method::PUT, &path, bytes, "application/octet-stream", TRANSFER_TIMEOUT);
        let stored: StoredBlobs = self.wire.json(request).await?;
        if stored.stored == [hash] {
            Ok(hash)
        } else {
            Err(WorkError::Protocol(format!("blob {hash} was stored under another name")))
        }
    }
}

impl WorkSource for HttpWorkSource {
    fn register(&self, request: RegisterRequest) -> BoxFuture<'_, Result<RegisterReply, WorkError>> {
        Box::pin(async move { self.post("/register", &request, 0).await })
    }

    fn heartbeat(&self, request: HeartbeatRequest) -> BoxFuture<'_, Result<HeartbeatReply, WorkError>> {
        Box::pin(async move { self.post("/heartbeat", &request, request.wait_ms).await })
    }

    fn pull(&self, request: PullRequest) -> BoxFuture<'_, Result<PullReply, WorkError>> {
        Box::pin(async move { self.post("/pull", &request, request.wait_ms).await })
    }

    fn result(&self, request: ResultRequest) -> BoxFuture<'_, Result<ResultReply, WorkError>> {
        Box::pin(async move { self.post("/result", &request, 0).await })
    }

    fn fetch_blob(&self, hash: BlobHash) -> BoxFuture<'_, Result<Vec<u8>, WorkError>> {
        Box::pin(self.fetch(hash))
    }

    fn put_blob(&self, bytes: Vec<u8>) -> BoxFuture<'_, Result<BlobHash, WorkError>> {
        Box::pin(self.put(bytes))
    }
}
