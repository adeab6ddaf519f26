//! The inference door (4302): the node's engine for the coordinator and for other nodes of the same owner.
//! Everything that touches the engine needs the token, also what only looks.

mod engine;
mod models;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use edgecoder_base::Secret;
use edgecoder_protocol::ErrorCode;
use edgecoder_worker::Inference;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::shown_tokens;
use crate::token::Token;
use crate::{EngineWatch, Error, Metrics, door, request};

/// A split on a small machine without a GPU, behind others that wait for the same engine.
const ANSWER_WITHIN: Duration = Duration::from_secs(600);

/// What the door's handlers share; cheap to clone.
#[derive(Clone)]
pub struct State {
    inner: Arc<Inner>,
}

struct Inner {
    inference: Inference,
    token: Token,
    metrics: Metrics,
    engine: EngineWatch,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").field("inference", &self.inner.inference).finish_non_exhaustive()
    }
}

impl State {
    /// The door to `inference` for whoever shows `token`. An empty token lets nobody in.
    pub fn new(inference: Inference, token: &Secret<String>, metrics: Metrics, engine: EngineWatch) -> Self {
        Self { inner: Arc::new(Inner { inference, token: Token::new(token), metrics, engine }) }
    }
}

/// Somebody who knows the inference token.
#[derive(Debug)]
struct InferenceCaller;

impl FromRequestParts<State> for InferenceCaller {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Self, Error> {
        let known =
            shown_tokens(&parts.headers, "x-inference-token").any(|token| state.inner.token.is(token));
        let refused =
            || Error::new(ErrorCode::InferenceUnauthorized, "the inference token is missing or wrong");
        if known { Ok(Self) } else { Err(refused()) }
    }
}

/// The door's routes.
pub fn router(state: State) -> Router {
    let metrics = state.inner.metrics.clone();
    let router = door::with_description(routes()).with_state(state);
    request::layered(router, "inference", metrics, ANSWER_WITHIN)
}

/// The door's description.
pub fn openapi() -> OpenApi {
    routes().into_openapi()
}

fn routes() -> OpenApiRouter<State> {
    OpenApiRouter::with_openapi(door::described("inference"))
        .routes(routes!(models::health))
        .routes(routes!(models::metrics))
        .routes(routes!(models::status))
        .routes(routes!(models::list))
        .routes(routes!(engine::decompose))
        .routes(routes!(engine::escalate))
        .routes(routes!(engine::complete))
        .routes(routes!(engine::count_tokens))
        .routes(routes!(engine::capabilities))
}
