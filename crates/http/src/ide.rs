//! The IDE door (4304): what editors and agents already speak, over one internal model of a request and its answer.
//!
//! ```text
//! openai │ anthropic │ ollama ──► Ask ──► desk: router ─► engine ─► tool calls read ──► Said ──► the same dialect
//!        guard: Host, Origin, token                                   card: why here
//! ```
//!
//! A dialect translates and decides nothing: which parameters it takes stands in its [`parameters`] table, from which
//! also the conformance page is written.
//!
//! **Invariants.** No web page of another origin reads or triggers anything. A parameter that is not honoured is an
//! error or is named as idle with its reason. Whoever hangs up frees the engine's slot at once.

mod anthropic;
mod ask;
mod asking;
mod body;
mod calls;
mod card;
mod chat;
mod conformance;
mod desk;
mod fault;
mod guard;
mod ollama;
mod openai;
mod parameters;
mod places;
mod prompt;
mod room;
mod router;
mod said;
mod sse;
mod stamp;
mod tell;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::middleware::from_fn_with_state;
use axum::routing::any;
use edgecoder_base::{Clock, Entropy, PrivacyTier, Secret, Timestamp};
use edgecoder_companion::Companion;
use edgecoder_routing::{Limits, PlaceId, wish};
use edgecoder_worker::Inference;
use edgecoder_worker::models::ModelsHandle;
use parking_lot::Mutex;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::{EngineWatch, Metrics, door, mcp, request};

pub use conformance::{page as conformance_page, supported as supported_parameters};
pub use places::{Elsewhere, Nowhere, Remote};

use desk::{Desk, Rules};
use guard::Guard;
use openai::store::Kepts;
use stamp::Stamp;

/// A whole answer of a large model on a processor. Streams are not bound by it once they began.
const ANSWER_WITHIN: Duration = Duration::from_secs(600);

/// Who may enter, and how far words may travel.
#[derive(Debug, Clone)]
pub struct Config {
    /// What callers show where one is required, as bearer token or `x-api-key`. An empty token lets nobody in.
    pub token: Secret<String>,
    /// Whether it is required: always where others than this machine reach the door.
    pub token_required: bool,
    /// Host names of this machine, besides `localhost` and addresses.
    pub hosts: Vec<String>,
    /// Origins whose pages may use the door, like `tauri://localhost`.
    pub origins: Vec<String>,
    /// How far the words of editors may travel.
    pub tier: PrivacyTier,
    /// Answers in the making on this machine beyond which other machines are preferred; nothing: its slots.
    pub local_running: Option<u32>,
    /// Time to the first word beyond which other machines are preferred.
    pub slow: Duration,
    /// This node's id.
    pub node: String,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            token: Secret::new(String::new()),
            token_required: false,
            hosts: Vec::new(),
            origins: Vec::new(),
            tier: PrivacyTier::default(),
            local_running: None,
            slow: Duration::from_millis(u64::from(Limits::default().slow_ms)),
            node: String::new(),
        }
    }
}

/// What the door needs.
#[derive(Clone)]
pub struct Deps {
    /// This machine's engine.
    pub inference: Inference,
    /// Its models.
    pub models: ModelsHandle,
    /// Other machines.
    pub elsewhere: Arc<dyn Elsewhere>,
    /// The queue for agents that speak MCP; without it there is no `/mcp`.
    pub tasks: Option<Arc<dyn mcp::Tasks>>,
    /// Counters.
    pub metrics: Metrics,
    /// The engine's state from memory.
    pub engine: EngineWatch,
    /// The time.
    pub clock: Clock,
    /// Random bits, for ids and seeds.
    pub entropy: Entropy,
}

impl std::fmt::Debug for Deps {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Deps").field("inference", &self.inference).finish_non_exhaustive()
    }
}

/// What the door's handlers share; cheap to clone.
#[derive(Debug, Clone)]
pub struct State {
    inner: Arc<Inner>,
    companion: Option<Companion>,
}

struct Inner {
    desk: Desk,
    guard: Arc<Guard>,
    kept: Kepts,
    metrics: Metrics,
    engine: EngineWatch,
    tasks: Option<Arc<dyn mcp::Tasks>>,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inner").field("desk", &self.desk).finish_non_exhaustive()
    }
}

impl State {
    /// The door over `deps`, as `config` says.
    pub fn new(config: &Config, deps: Deps) -> Self {
        let guard = Arc::new(Guard::new(config));
        let slow_ms = u32::try_from(config.slow.as_millis()).unwrap_or(u32::MAX);
        let limits = Limits { local_running: config.local_running, slow_ms };
        let Deps { inference, models, elsewhere, tasks, metrics, engine, clock, entropy } = deps;
        let rules = Rules { node: PlaceId(config.node.clone()), tier: config.tier, limits };
        let memory = Mutex::default();
        let desk = Desk { rules, inference, models, elsewhere, clock, entropy, memory };
        Self {
            inner: Arc::new(Inner { desk, guard, kept: Kepts::default(), metrics, engine, tasks }),
            companion: None,
        }
    }

    /// The same door with a companion behind it.
    #[must_use]
    pub fn with_companion(self, companion: Companion) -> Self {
        Self { companion: Some(companion), ..self }
    }

    fn desk(&self) -> &Desk {
        &self.inner.desk
    }

    fn kept(&self) -> &Kepts {
        &self.inner.kept
    }

    /// Id and time of a new answer.
    fn stamp(&self, kind: &str) -> Stamp {
        let at: Timestamp = (self.desk().clock)();
        let id = format!("{kind}-{:032x}", (self.desk().entropy)());
        Stamp { id, created: at.as_millis() / 1000 }
    }

    /// Names that requests may ask for: the router's three, then the models' own.
    fn model_names(&self) -> Vec<String> {
        let Desk { inference, models, .. } = self.desk();
        let own = places::names(inference, models, None);
        [wish::AUTO, wish::LOCAL, wish::SWARM].into_iter().map(str::to_owned).chain(own).collect()
    }
}

/// The door's routes.
pub fn router(state: State) -> Router {
    let metrics = state.inner.metrics.clone();
    let guard = Arc::clone(&state.inner.guard);
    let tasks = state.inner.tasks.clone();
    let mut router = door::with_description(routes()).with_state(state);
    if let Some(tasks) = tasks {
        let service = mcp::service(mcp::Server::new(tasks));
        router = router.route(guard::MCP, any(move |request: Request| mcp::answer(service.clone(), request)));
    }
    let router = router.layer(from_fn_with_state(guard, guard::guard));
    request::layered_in(router, "ide", metrics, ANSWER_WITHIN, fault::wording)
}

/// A door of a node that has no engine.
pub fn closed(metrics: &Metrics) -> Router {
    door::bare("ide", metrics)
}

/// The door's description.
pub fn openapi() -> OpenApi {
    routes().into_openapi()
}

fn routes() -> OpenApiRouter<State> {
    OpenApiRouter::with_openapi(door::described("ide"))
        .routes(routes!(router::health))
        .routes(routes!(router::metrics))
        .routes(routes!(router::status))
        .routes(routes!(openai::models::list))
        .routes(routes!(openai::models::one))
        .routes(routes!(openai::chat::complete))
        .routes(routes!(openai::completions::complete))
        .routes(routes!(openai::responses::create))
        .routes(routes!(openai::embeddings::embed))
        .routes(routes!(chat::chat))
        .routes(routes!(chat::decide))
        .routes(routes!(chat::project, chat::set_project))
        .routes(routes!(chat::open, chat::list))
        .routes(routes!(chat::one))
        .routes(routes!(chat::mode))
        .routes(routes!(anthropic::messages::create))
        .routes(routes!(anthropic::messages::count))
        .routes(routes!(ollama::chat::chat))
        .routes(routes!(ollama::generate::generate))
        .routes(routes!(ollama::models::tags))
        .routes(routes!(ollama::models::show))
        .routes(routes!(ollama::models::ps))
        .routes(routes!(ollama::models::version))
        .routes(routes!(ollama::models::embed))
        .routes(routes!(ollama::pull::pull))
}
