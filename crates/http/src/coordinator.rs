//! The coordinator's door (4301): workers, submitters and whoever looks at the queue.

mod agents;
mod blobs;
mod events;
mod ledger;
mod results;
mod status;
mod tasks;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use edgecoder_base::Secret;
use edgecoder_coordinator::Handle;
use tokio::sync::{Semaphore, SemaphorePermit};
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::token::Token;
use crate::{EngineWatch, Metrics, door, request};

/// The slowest handlers read a 64 MiB pack or walk a long ledger.
const ANSWER_WITHIN: Duration = Duration::from_secs(300);
/// Large signed bodies held in memory before their signature can be checked: 4 × 64 MiB at the worst.
const UNPROVEN_UPLOADS: usize = 4;

/// Who is let in.
#[derive(Debug, Clone)]
pub struct Config {
    /// Known to the owner's machines. Empty lets nobody in.
    pub mesh_token: Secret<String>,
    /// Each admits invited workers to `/register`, and to nothing else.
    pub registration_tokens: Vec<Secret<String>>,
}

/// What the door's handlers share; cheap to clone.
#[derive(Debug, Clone)]
pub struct State {
    inner: Arc<Inner>,
}

struct Inner {
    handle: Handle,
    mesh_token: Token,
    registration_tokens: Vec<Token>,
    metrics: Metrics,
    engine: EngineWatch,
    unproven_uploads: Semaphore,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inner").field("handle", &self.handle).finish_non_exhaustive()
    }
}

impl State {
    /// The door to `handle`. `engine` tells the engine's state as last seen.
    pub fn new(handle: Handle, config: &Config, metrics: Metrics, engine: EngineWatch) -> Self {
        let inner = Inner {
            handle,
            mesh_token: Token::new(&config.mesh_token),
            registration_tokens: config.registration_tokens.iter().map(Token::new).collect(),
            metrics,
            engine,
            unproven_uploads: Semaphore::new(UNPROVEN_UPLOADS),
        };
        Self { inner: Arc::new(inner) }
    }

    pub(crate) fn handle(&self) -> &Handle {
        &self.inner.handle
    }

    pub(crate) fn mesh_token(&self) -> &Token {
        &self.inner.mesh_token
    }

    pub(crate) fn invites(&self, token: &str) -> bool {
        self.inner.registration_tokens.iter().any(|known| known.is(token))
    }

    pub(crate) async fn unproven_upload(&self) -> Option<SemaphorePermit<'_>> {
        self.inner.unproven_uploads.acquire().await.ok()
    }
}

/// The door's routes.
pub fn router(state: State) -> Router {
    let metrics = state.inner.metrics.clone();
    let router = door::with_description(routes()).with_state(state);
    request::layered(router, "coordinator", metrics, ANSWER_WITHIN)
}

/// The door's description.
pub fn openapi() -> OpenApi {
    routes().into_openapi()
}

fn routes() -> OpenApiRouter<State> {
    OpenApiRouter::with_openapi(door::described("coordinator"))
        .routes(routes!(status::health))
        .routes(routes!(status::runtime))
        .routes(routes!(status::identity))
        .routes(routes!(status::metrics))
        .routes(routes!(status::status))
        .routes(routes!(status::features))
        .routes(routes!(status::capacity))
        .routes(routes!(status::models))
        .routes(routes!(agents::register))
        .routes(routes!(agents::heartbeat))
        .routes(routes!(agents::pull))
        .routes(routes!(agents::result))
        .routes(routes!(agents::add_diagnostics))
        .routes(routes!(agents::diagnostics))
        .routes(routes!(tasks::submit_prompt))
        .routes(routes!(tasks::submit, tasks::list))
        .routes(routes!(tasks::task))
        .routes(routes!(tasks::attempts))
        .routes(routes!(tasks::cancel))
        .routes(routes!(tasks::review))
        .routes(routes!(events::events))
        .routes(routes!(results::patch))
        .routes(routes!(results::trace))
        .routes(routes!(results::subtask_result))
        .routes(routes!(blobs::offer))
        .routes(routes!(blobs::put, blobs::get))
        .routes(routes!(blobs::put_pack))
        .routes(routes!(ledger::snapshot))
        .routes(routes!(ledger::verify))
}
