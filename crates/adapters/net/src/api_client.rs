//! A person's or program's side of the coordinator's door, opened by the mesh token.

mod blobs;
mod tasks;

use edgecoder_base::Secret;
use edgecoder_protocol::api::ledger::{LedgerPage, LedgerVerdict};
use edgecoder_protocol::api::status::{Capacity, Features, Health, Identity, RuntimeHealth, Status};
use reqwest::{Method, RequestBuilder};

use crate::Error;
use crate::wire::{ANSWER_TIMEOUT, Wire};

pub use blobs::UploadProgress;
pub use tasks::TaskQuery;

/// A client of one coordinator.
#[derive(Debug, Clone)]
pub struct ApiClient {
    wire: Wire,
    mesh_token: Option<Secret<String>>,
}

impl ApiClient {
    /// A client of the coordinator at `url`.
    pub fn build(url: &str, mesh_token: Option<Secret<String>>) -> Result<Self, Error> {
        Ok(Self { wire: Wire::build(url)?, mesh_token })
    }

    /// The coordinator's address, without credentials.
    pub fn address(&self) -> String {
        self.wire.shown()
    }

    /// `GET /health`.
    pub async fn health(&self) -> Result<Health, Error> {
        self.wire.json(self.request(Method::GET, "/health")).await
    }

    /// `GET /health/runtime`.
    pub async fn runtime_health(&self) -> Result<RuntimeHealth, Error> {
        self.wire.json(self.request(Method::GET, "/health/runtime")).await
    }

    /// `GET /identity`.
    pub async fn identity(&self) -> Result<Identity, Error> {
        self.wire.json(self.request(Method::GET, "/identity")).await
    }

    /// `GET /status`.
    pub async fn status(&self) -> Result<Status, Error> {
        self.wire.json(self.request(Method::GET, "/status")).await
    }

    /// `GET /capacity`.
    pub async fn capacity(&self) -> Result<Capacity, Error> {
        self.wire.json(self.request(Method::GET, "/capacity")).await
    }

    /// `GET /features`.
    pub async fn features(&self) -> Result<Features, Error> {
        self.wire.json(self.request(Method::GET, "/features")).await
    }

    /// `GET /models/available`, as the door writes it.
    pub async fn models(&self) -> Result<serde_json::Value, Error> {
        self.wire.json(self.request(Method::GET, "/models/available")).await
    }

    /// `GET /ledger/verify`: the node walks its chain.
    pub async fn ledger_verify(&self) -> Result<LedgerVerdict, Error> {
        let request = self.request(Method::GET, "/ledger/verify").timeout(crate::wire::TRANSFER_TIMEOUT);
        self.wire.json(request).await
    }

    /// `GET /ledger/snapshot`: records after `after`.
    pub async fn ledger_page(&self, after: u64, limit: u32) -> Result<LedgerPage, Error> {
        let request = self.request(Method::GET, "/ledger/snapshot");
        self.wire.json(request.query(&[("after", after), ("limit", u64::from(limit))])).await
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.wire.http().request(method, self.wire.url(path)).timeout(ANSWER_TIMEOUT);
        match &self.mesh_token {
            Some(token) => request.header("x-mesh-token", token.expose()),
            None => request,
        }
    }

    pub(crate) fn unreachable(&self, error: &reqwest::Error) -> Error {
        self.wire.unreachable(error)
    }
}
