//! A person's side of an inference door: changing the model of a node that runs.

use std::time::Duration;

use edgecoder_base::Secret;
use edgecoder_protocol::api::inference::{ModelRequest, SwapReply};

use crate::Error;
use crate::wire::Wire;

/// The door answers when the model is loaded, or after half a minute that it still loads.
const SWAP_TIMEOUT: Duration = Duration::from_secs(45);

/// A client of one inference door.
#[derive(Debug, Clone)]
pub struct InferenceClient {
    wire: Wire,
    token: Option<Secret<String>>,
}

impl InferenceClient {
    /// A client of the inference door at `url`.
    pub fn build(url: &str, token: Option<Secret<String>>) -> Result<Self, Error> {
        Ok(Self { wire: Wire::build(url)?, token })
    }

    /// `POST /model/swap`: gives the engine's place to another model. What runs finishes on the old one.
    pub async fn swap(&self, model: &str) -> Result<SwapReply, Error> {
        let wanted = ModelRequest { model: Some(model.to_owned()), provider: None };
        let mut request =
            self.wire.http().post(self.wire.url("/model/swap")).timeout(SWAP_TIMEOUT).json(&wanted);
        if let Some(token) = &self.token {
            request = request.header("x-inference-token", token.expose());
        }
        self.wire.json(request).await
    }
}
