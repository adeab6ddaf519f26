//! What the coordinator is and how it does.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State as Shared;
use axum::response::Response;
use edgecoder_protocol::api::error::ErrorBody;
use edgecoder_protocol::api::status::{Capacity, Features, Health, Identity, RuntimeHealth, Status};
use serde::Serialize;

use super::State;
use crate::auth::MeshMember;
use crate::{Error, door};

/// Whether the door is open.
#[utoipa::path(get, path = "/health", tag = "status", responses((status = 200, body = Health)))]
pub(super) async fn health(state: Shared<State>) -> Json<Health> {
    Json(door::health_with_engine("coordinator", &(state.inner.engine)()))
}

/// Queue and engine at a glance; the engine is not asked, only remembered.
#[utoipa::path(get, path = "/health/runtime", tag = "status", responses(
    (status = 200, body = RuntimeHealth), (status = "default", body = ErrorBody)))]
pub(super) async fn runtime(state: Shared<State>) -> Result<Json<RuntimeHealth>, Error> {
    let coordinator = state.handle().status().await?;
    let engine = (state.inner.engine)();
    Ok(Json(RuntimeHealth { ok: true, coordinator, engine, at: state.handle().now() }))
}

/// Who this node is.
#[utoipa::path(get, path = "/identity", tag = "status", responses((status = 200, body = Identity)))]
pub(super) async fn identity(state: Shared<State>) -> Json<Identity> {
    Json(state.handle().identity())
}

/// Counters in OpenMetrics text.
#[utoipa::path(get, path = "/metrics", tag = "door", responses(
    (status = 200, body = String), (status = "default", body = ErrorBody)))]
pub(super) async fn metrics(state: Shared<State>) -> Result<Response, Error> {
    state.inner.metrics.queue(&state.handle().status().await?);
    state.inner.metrics.sandbox().levels(&state.handle().capacity().await?);
    state.inner.metrics.page()
}

/// The queue in figures.
#[utoipa::path(get, path = "/status", tag = "status", responses(
    (status = 200, body = Status), (status = "default", body = ErrorBody)))]
pub(super) async fn status(_: MeshMember, state: Shared<State>) -> Result<Json<Status>, Error> {
    Ok(Json(state.handle().status().await?))
}

/// What this coordinator takes part in.
#[utoipa::path(get, path = "/features", tag = "status", responses(
    (status = 200, body = Features), (status = "default", body = ErrorBody)))]
pub(super) async fn features(_: MeshMember, state: Shared<State>) -> Json<Features> {
    Json(state.handle().features())
}

/// Workers heard of lately.
#[utoipa::path(get, path = "/capacity", tag = "status", responses(
    (status = 200, body = Capacity), (status = "default", body = ErrorBody)))]
pub(super) async fn capacity(_: MeshMember, state: Shared<State>) -> Result<Json<Capacity>, Error> {
    Ok(Json(state.handle().capacity().await?))
}

/// A model and how many connected workers offer it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct AvailableModel {
    model: String,
    agent_count: u64,
}

/// Models that connected workers offer.
#[utoipa::path(get, path = "/models/available", tag = "status", responses(
    (status = 200, body = Vec<AvailableModel>), (status = "default", body = ErrorBody)))]
pub(super) async fn models(_: MeshMember, state: Shared<State>) -> Result<Json<Vec<AvailableModel>>, Error> {
    Ok(Json(offered(state.handle().capacity().await?)))
}

fn offered(capacity: Capacity) -> Vec<AvailableModel> {
    let mut counts = BTreeMap::new();
    for agent in capacity.agents {
        let models: std::collections::BTreeSet<_> =
            agent.local_model_catalog.into_iter().chain(agent.active_model).collect();
        for model in models {
            *counts.entry(model).or_insert(0) += 1;
        }
    }
    counts.into_iter().map(|(model, agent_count)| AvailableModel { model, agent_count }).collect()
}
