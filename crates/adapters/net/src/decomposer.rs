//! Asking an inference door to split a request. Every call is signed, whether or not the door insists on it.

use std::time::Duration;

use edgecoder_base::Secret;
use edgecoder_protocol::api::inference::{DecomposeReply, DecomposeRequest};
use edgecoder_protocol::inference_signing::PeerSignature;
use edgecoder_protocol::{Decomposer, WorkError};
use futures::future::BoxFuture;

use crate::wire::Wire;
use crate::{Error, Signer};

/// A small model on a slow processor needs its time to write a plan.
const TIMEOUT: Duration = Duration::from_secs(120);

/// An inference door across the network.
#[derive(Debug, Clone)]
pub struct HttpDecomposer {
    wire: Wire,
    signer: Signer,
    token: Option<Secret<String>>,
}

impl HttpDecomposer {
    /// A client of the inference door at `url`. `signer` is the coordinator: its id is the peer id that the door
    /// may have a key for.
    pub fn build(url: &str, signer: Signer, token: Option<Secret<String>>) -> Result<Self, Error> {
        Ok(Self { wire: Wire::build(url)?, signer, token })
    }

    async fn ask(&self, request: DecomposeRequest) -> Result<DecomposeReply, WorkError> {
        // The very bytes that are sent are signed.
        let body = serde_json::to_vec(&request).map_err(|error| WorkError::Protocol(error.to_string()))?;
        let url = self.wire.url("/decompose");
        let signed = self.sign(url.path(), &body);
        let mut call = self.wire.http().post(url).timeout(TIMEOUT).header("content-type", "application/json");
        for (name, value) in signed.to_pairs() {
            call = call.header(name, value);
        }
        if let Some(token) = &self.token {
            call = call.header("x-inference-token", token.expose());
        }
        Ok(self.wire.json(call.body(body)).await?)
    }

    fn sign(&self, path: &str, body: &[u8]) -> PeerSignature {
        let signer = &self.signer;
        let (peer, now) = (signer.agent_id.as_str(), (signer.clock)());
        PeerSignature::sign(&signer.key, peer, now, signer.nonce(), ("POST", path), body)
    }
}

impl Decomposer for HttpDecomposer {
    fn decompose(&self, request: DecomposeRequest) -> BoxFuture<'_, Result<DecomposeReply, WorkError>> {
        Box::pin(self.ask(request))
    }
}
