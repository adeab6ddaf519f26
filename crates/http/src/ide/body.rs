//! Bodies of this door: whole conversations with what was read so far, so larger than elsewhere.

use axum::extract::{FromRequest, Request};
use serde::Deserialize;
use utoipa::ToSchema;

use super::fault::Fault;
use crate::body::{declared_json, read};

/// Ten times the text of the largest usual window; what does not fit the window is refused by its tokens.
pub(super) const LIMIT: usize = 8 * 1024 * 1024;

/// What was sent, declared as JSON.
#[derive(Debug)]
pub(super) struct Sent(pub(super) Vec<u8>);

impl<S: Send + Sync> FromRequest<S> for Sent {
    type Rejection = Fault;

    async fn from_request(request: Request, _: &S) -> Result<Self, Fault> {
        declared_json(request.headers())?;
        Ok(Self(read(request.into_body(), LIMIT).await?))
    }
}

/// What was sent, declared as whatever: Ollama's own examples leave `curl` to declare a form. Pages cannot use this,
/// they are stopped by their origin.
#[derive(Debug)]
pub(super) struct SentUndeclared(pub(super) Vec<u8>);

impl<S: Send + Sync> FromRequest<S> for SentUndeclared {
    type Rejection = Fault;

    async fn from_request(request: Request, _: &S) -> Result<Self, Fault> {
        Ok(Self(read(request.into_body(), LIMIT).await?))
    }
}

/// One text that ends an answer, or several.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged)]
pub(super) enum Stops {
    One(String),
    Several(Vec<String>),
}

impl Stops {
    /// Empty texts end nothing.
    pub(super) fn into_list(self) -> Vec<String> {
        let list = match self {
            Self::One(stop) => vec![stop],
            Self::Several(stops) => stops,
        };
        list.into_iter().filter(|stop| !stop.is_empty()).collect()
    }
}
