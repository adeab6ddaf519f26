//! The inference door (4302): the node's engine for the coordinator and for other nodes of the same owner.
//! Everything that touches the engine or its models needs the token, also what only looks.

mod counts;
mod dashboard;
mod engine;
mod models;
mod peer;
mod providers;
mod view;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::request::Parts;
use edgecoder_base::{Clock, PublicKey, Secret, Timestamp};
use edgecoder_protocol::ErrorCode;
use edgecoder_protocol::signing;
use edgecoder_worker::Inference;
use edgecoder_worker::models::ModelsHandle;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::shown_tokens;
use crate::token::Token;
use crate::{EngineWatch, Error, Metrics, door, request};

pub(crate) use counts::Counts;

/// A split on a small machine without a GPU, behind others that wait for the same engine.
const ANSWER_WITHIN: Duration = Duration::from_secs(600);

/// Who may enter.
#[derive(Debug, Clone)]
pub struct Config {
    /// What every caller shows. An empty token lets nobody in.
    pub token: Secret<String>,
    /// Coordinators whose signature is accepted, by their id. With any of these, signatures are required.
    pub trusted: BTreeMap<String, PublicKey>,
    /// Whether a coordinator must sign also where no key is trusted yet: then none gets in.
    pub require_signatures: bool,
    /// How far a coordinator's clock may be from ours.
    pub max_skew: Duration,
    /// How long a nonce is remembered.
    pub nonce_ttl: Duration,
}

impl Config {
    /// A door for whoever knows `token`, without signatures.
    pub fn new(token: Secret<String>) -> Self {
        Self {
            token,
            trusted: BTreeMap::new(),
            require_signatures: false,
            max_skew: signing::MAX_SKEW,
            nonce_ttl: signing::NONCE_TTL,
        }
    }
}

/// What the door's handlers share; cheap to clone.
#[derive(Clone)]
pub struct State {
    inner: Arc<Inner>,
}

struct Inner {
    inference: Inference,
    models: ModelsHandle,
    token: Token,
    peers: peer::Peers,
    metrics: Metrics,
    engine: EngineWatch,
    clock: Clock,
    opened: Timestamp,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").field("inference", &self.inner.inference).finish_non_exhaustive()
    }
}

impl State {
    /// The door to `inference` and its `models`, for those whom `config` lets in.
    pub fn new(
        inference: Inference,
        models: ModelsHandle,
        config: Config,
        metrics: Metrics,
        engine: EngineWatch,
        clock: Clock,
    ) -> Self {
        let token = Token::new(&config.token);
        let opened = clock();
        let peers = peer::Peers::new(config, opened);
        Self { inner: Arc::new(Inner { inference, models, token, peers, metrics, engine, clock, opened }) }
    }

    fn lets_in(&self, headers: &HeaderMap) -> Result<(), Error> {
        let known = shown_tokens(headers, "x-inference-token").any(|token| self.inner.token.is(token));
        let refused =
            || Error::new(ErrorCode::InferenceUnauthorized, "the inference token is missing or wrong");
        if known { Ok(()) } else { Err(refused()) }
    }

    fn counts(&self) -> &Counts {
        self.inner.metrics.inference()
    }
}

/// Somebody who knows the inference token.
#[derive(Debug)]
struct InferenceCaller;

impl FromRequestParts<State> for InferenceCaller {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Self, Error> {
        state.lets_in(&parts.headers).map(|()| Self)
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
        .routes(routes!(models::swap))
        .routes(routes!(models::pull))
        .routes(routes!(models::pull_progress))
        .routes(routes!(models::all))
        .routes(routes!(models::remove))
        .routes(routes!(models::events))
        .routes(routes!(providers::providers))
        .routes(routes!(providers::measure))
        .routes(routes!(engine::decompose))
        .routes(routes!(engine::escalate))
        .routes(routes!(engine::complete))
        .routes(routes!(engine::count_tokens))
        .routes(routes!(engine::capabilities))
        .routes(routes!(dashboard::page))
        .routes(routes!(dashboard::style))
        .routes(routes!(dashboard::script))
        .routes(routes!(dashboard::overview))
        .routes(routes!(dashboard::swap_history))
}
