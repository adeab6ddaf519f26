//! Which model is there and how it does; from memory, without asking the engine.

use axum::Json;
use axum::extract::State as Shared;
use axum::response::Response;
use edgecoder_protocol::api::error::ErrorBody;
use edgecoder_protocol::api::status::{EngineHealth, Health};
use serde::Serialize;

use super::{InferenceCaller, State};
use crate::{Error, door};

/// Whether the door is open, and whether the engine is ready.
#[utoipa::path(get, path = "/health", tag = "status", responses((status = 200, body = Health)))]
pub(super) async fn health(state: Shared<State>) -> Json<Health> {
    let engine = (state.inner.engine)();
    Json(door::health_with_engine("inference", &engine))
}

/// Counters in OpenMetrics text.
#[utoipa::path(get, path = "/metrics", tag = "door", responses(
    (status = 200, body = String), (status = "default", body = ErrorBody)))]
pub(super) async fn metrics(state: Shared<State>) -> Result<Response, Error> {
    state.inner.metrics.page()
}

/// The model in use, in the published shape.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct ModelStatus {
    model: Option<String>,
    /// `ready`, `loading`, `error` or `no_model`.
    status: &'static str,
    engine: EngineHealth,
}

/// How the model in use does.
#[utoipa::path(get, path = "/model/status", tag = "models", responses(
    (status = 200, body = ModelStatus), (status = "default", body = ErrorBody)))]
pub(super) async fn status(_: InferenceCaller, state: Shared<State>) -> Json<ModelStatus> {
    let engine = (state.inner.engine)();
    let status = match engine.state.as_str() {
        "ready" => "ready",
        "starting" | "restarting" => "loading",
        "absent" => "no_model",
        _ => "error",
    };
    Json(ModelStatus { model: engine.model.clone(), status, engine })
}

/// A model of this node, in the published shape.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListedModel {
    model_id: String,
    installed: bool,
    active: bool,
}

/// Models of this node.
#[utoipa::path(get, path = "/model/list", tag = "models", responses(
    (status = 200, body = Vec<ListedModel>), (status = "default", body = ErrorBody)))]
pub(super) async fn list(_: InferenceCaller, state: Shared<State>) -> Json<Vec<ListedModel>> {
    let engine = (state.inner.engine)();
    let active = engine.state == "ready";
    Json(engine.model.into_iter().map(|model_id| ListedModel { model_id, installed: true, active }).collect())
}
