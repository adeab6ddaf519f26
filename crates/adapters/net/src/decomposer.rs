//! Asking an inference door to split a request.

use std::time::Duration;

use edgecoder_base::Secret;
use edgecoder_protocol::api::inference::{DecomposeReply, DecomposeRequest};
use edgecoder_protocol::{Decomposer, WorkError};
use futures::future::BoxFuture;

use crate::Error;
use crate::wire::Wire;

/// A small model on a slow processor needs its time to write a plan.
const TIMEOUT: Duration = Duration::from_secs(120);

/// An inference door across the network.
#[derive(Debug, Clone)]
pub struct HttpDecomposer {
    wire: Wire,
    token: Option<Secret<String>>,
}

impl HttpDecomposer {
    /// A client of the inference door at `url`.
    pub fn build(url: &str, token: Option<Secret<String>>) -> Result<Self, Error> {
        Ok(Self { wire: Wire::build(url)?, token })
    }

    async fn ask(&self, request: DecomposeRequest) -> Result<DecomposeReply, WorkError> {
        let mut call = self.wire.http().post(self.wire.url("/decompose")).timeout(TIMEOUT).json(&request);
        if let Some(token) = &self.token {
            call = call.header("x-inference-token", token.expose());
        }
        Ok(self.wire.json(call).await?)
    }
}

impl Decomposer for HttpDecomposer {
    fn decompose(&self, request: DecomposeRequest) -> BoxFuture<'_, Result<DecomposeReply, WorkError>> {
        Box::pin(self.ask(request))
    }
}
