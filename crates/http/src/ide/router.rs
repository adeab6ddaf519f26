//! How the router stands: health, counters, and what it would decide now.

use axum::Json;
use axum::extract::State as Shared;
use axum::response::Response;
use edgecoder_protocol::api::status::Health;
use edgecoder_routing::{Model, Reach, Wish};
use serde::Serialize;
use utoipa::ToSchema;

use super::State;
use super::card::Card;
use super::places::Candidate;
use crate::{Error, door};

/// The router, as `GET /v1/router/status` shows it. The first seven fields are those of earlier versions.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct RouterStatus {
    /// Answers in the making on this machine.
    active_concurrent: u32,
    /// Beyond so many, other machines are preferred.
    concurrency_cap: u32,
    /// Within which 95 of 100 first words come, milliseconds.
    #[serde(rename = "localLatencyP95Ms")]
    local_latency_p95_ms: Option<u32>,
    /// Beyond that, other machines are preferred, milliseconds.
    latency_threshold_ms: u32,
    /// First words that the estimate is made from.
    latency_samples: u32,
    /// Always false: no node speaks Bluetooth yet.
    bluetooth_enabled: bool,
    /// Whether other machines are joined.
    swarm_enabled: bool,
    /// Every machine that may be asked.
    places: Vec<PlaceView>,
    /// Where a plain request would be answered now.
    now: Option<Card>,
    /// Why it would be answered nowhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    nowhere: Option<String>,
}

/// One machine.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct PlaceView {
    node: String,
    route: &'static str,
    models: Vec<String>,
    running: u32,
    slots: u32,
    window: u32,
    #[serde(rename = "latencyP95Ms")]
    latency_p95_ms: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trouble: Option<String>,
}

/// Whether the door is open, and what it waits for.
#[utoipa::path(get, path = "/health", tag = "door", responses((status = 200, body = Health)))]
pub(super) async fn health(state: Shared<State>) -> Json<Health> {
    Json(door::health_with_engine("ide", &(state.inner.engine)()))
}

/// Counters in OpenMetrics text.
#[utoipa::path(get, path = "/metrics", tag = "door", responses((status = 200, body = String)))]
pub(super) async fn metrics(state: Shared<State>) -> Result<Response, Error> {
    state.inner.metrics.page()
}

/// Where requests go and why.
#[utoipa::path(get, path = "/v1/router/status", tag = "router", responses((status = 200, body = RouterStatus)))]
pub(super) async fn status(state: Shared<State>) -> Json<RouterStatus> {
    let desk = state.desk();
    let candidates = desk.candidates().await;
    let decision = desk.decide(&Wish::new(Model::Auto, desk.rules.tier), &candidates);
    let own = candidates.iter().map(|candidate| &candidate.place).find(|place| place.reach == Reach::Local);
    let limits = desk.rules.limits;
    let (now, nowhere) = match decision {
        Ok(decision) => {
            let latency = desk.memory.lock().latency.get(&decision.chosen).copied().unwrap_or_default();
            (Some(Card::of(&decision, desk.rules.tier, latency)), None)
        }
        Err(error) => (None, Some(error.message)),
    };
    Json(RouterStatus {
        active_concurrent: own.map_or(0, |place| place.running),
        concurrency_cap: limits.local_running.or_else(|| own.map(|place| place.slots)).unwrap_or(0),
        local_latency_p95_ms: own.and_then(|place| place.latency.p95_ms()),
        latency_threshold_ms: limits.slow_ms,
        latency_samples: own.map_or(0, |place| place.latency.samples()),
        bluetooth_enabled: false,
        swarm_enabled: candidates.iter().any(|candidate| candidate.place.reach != Reach::Local),
        places: candidates.into_iter().map(view).collect(),
        now,
        nowhere,
    })
}

fn view(candidate: Candidate) -> PlaceView {
    let place = candidate.place;
    PlaceView {
        node: place.id.to_string(),
        route: place.reach.as_str(),
        latency_p95_ms: place.latency.p95_ms(),
        models: place.models,
        running: place.running,
        slots: place.slots,
        window: place.window_tokens,
        trouble: place.trouble,
    }
}
