//! Which model is there, how it does, and giving its place to another. What only looks is answered from memory,
//! lists excepted: they ask whoever keeps the models.

use std::convert::Infallible;

use axum::Json;
use axum::extract::State as Shared;
use axum::response::sse::{self, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use edgecoder_protocol::ErrorCode;
use edgecoder_protocol::api::error::ErrorBody;
use edgecoder_protocol::api::inference::{ListedModel, ModelRequest, ModelStatus, PullReply, SwapReply};
use edgecoder_protocol::api::status::Health;
use edgecoder_worker::models::ModelsView;
use futures::StreamExt as _;
use tokio::sync::watch;

use super::{InferenceCaller, State, view};
use crate::extract::{Closing, Json as JsonBody, Path};
use crate::{Error, door};

/// Longest name of a model, bytes: registries with host, owner, name and tag stay well below.
const MAX_NAME_BYTES: usize = 256;

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
    state.counts().engine(&state.inner.models);
    state.inner.metrics.page()
}

/// How the model in use does.
#[utoipa::path(get, path = "/model/status", tag = "models", responses(
    (status = 200, body = ModelStatus), (status = "default", body = ErrorBody)))]
pub(super) async fn status(_: InferenceCaller, state: Shared<State>) -> Json<ModelStatus> {
    Json(view::status(&state.inner.models, (state.inner.engine)()))
}

/// Models that are there.
#[utoipa::path(get, path = "/model/list", tag = "models", responses(
    (status = 200, body = Vec<ListedModel>), (status = "default", body = ErrorBody)))]
pub(super) async fn list(_: InferenceCaller, state: Shared<State>) -> Json<Vec<ListedModel>> {
    let models = state.inner.models.list().await;
    Json(models.into_iter().filter(|model| model.installed).map(view::listed).collect())
}

/// Models that are there, and those known to be fetchable.
#[utoipa::path(get, path = "/models", tag = "models", responses(
    (status = 200, body = Vec<ListedModel>), (status = "default", body = ErrorBody)))]
pub(super) async fn all(_: InferenceCaller, state: Shared<State>) -> Json<Vec<ListedModel>> {
    Json(state.inner.models.list().await.into_iter().map(view::listed).collect())
}

/// Gives the place of the engine to another model. Requests that run finish on the old one; one that is not there
/// is fetched first, in the background.
#[utoipa::path(post, path = "/model/swap", tag = "models", request_body = ModelRequest, responses(
    (status = 200, body = SwapReply), (status = "default", body = ErrorBody)))]
pub(super) async fn swap(
    _: InferenceCaller,
    state: Shared<State>,
    closing: Closing,
    JsonBody(request): JsonBody<ModelRequest>,
) -> Result<Json<SwapReply>, Error> {
    let model = named(&request)?;
    let models = &state.inner.models;
    let answer = closing.or(models.swap(model, request.provider.as_deref())).await?;
    Ok(Json(view::swapped(models, answer)))
}

/// Fetches a model in the background, without using it.
#[utoipa::path(post, path = "/model/pull", tag = "models", request_body = ModelRequest, responses(
    (status = 200, body = PullReply), (status = "default", body = ErrorBody)))]
pub(super) async fn pull(
    _: InferenceCaller,
    state: Shared<State>,
    closing: Closing,
    JsonBody(request): JsonBody<ModelRequest>,
) -> Result<Json<PullReply>, Error> {
    let model = named(&request)?;
    closing.or(state.inner.models.pull(model, request.provider.as_deref())).await?;
    Ok(Json(view::pull(&state.inner.models.view())))
}

/// How far the fetch is.
#[utoipa::path(get, path = "/model/pull/progress", tag = "models", responses(
    (status = 200, body = PullReply), (status = "default", body = ErrorBody)))]
pub(super) async fn pull_progress(_: InferenceCaller, state: Shared<State>) -> Json<PullReply> {
    Json(view::pull(&state.inner.models.view()))
}

/// Removes a model from the disk. The one in use stays.
#[utoipa::path(delete, path = "/models/{id}", tag = "models", params(("id" = String, Path)), responses(
    (status = 200, body = Vec<ListedModel>), (status = "default", body = ErrorBody)))]
pub(super) async fn remove(
    _: InferenceCaller,
    state: Shared<State>,
    closing: Closing,
    Path(id): Path<String>,
) -> Result<Json<Vec<ListedModel>>, Error> {
    let request = ModelRequest { model: Some(id), provider: None };
    closing.or(state.inner.models.remove(named(&request)?, None)).await?;
    Ok(Json(state.inner.models.list().await.into_iter().map(view::listed).collect()))
}

/// The state of the models now and at every change, as server-sent events named `models`.
#[utoipa::path(get, path = "/models/events", tag = "models", responses(
    (status = 200, body = String, content_type = "text/event-stream"),
    (status = "default", body = ErrorBody)))]
pub(super) async fn events(_: InferenceCaller, state: Shared<State>, Closing(closing): Closing) -> Response {
    let changes = futures::stream::unfold((state.inner.models.changes(), true), next_change);
    let shown = state.0;
    let events = changes.map(move |_| {
        let status = view::status(&shown.inner.models, (shown.inner.engine)());
        let event = sse::Event::default().event("models");
        Ok::<_, Infallible>(event.data(serde_json::to_string(&status).unwrap_or_default()))
    });
    let events = events.take_until(closing.cancelled_owned());
    Sse::new(events).keep_alive(KeepAlive::default()).into_response()
}

type Changes = (watch::Receiver<ModelsView>, bool);

/// The state as it is at first, then each change of it; ends with the owner.
async fn next_change((mut changes, first): Changes) -> Option<((), Changes)> {
    if !first {
        changes.changed().await.ok()?;
    }
    changes.borrow_and_update();
    Some(((), (changes, false)))
}

fn named(request: &ModelRequest) -> Result<&str, Error> {
    let model = request.model.as_deref().map(str::trim).unwrap_or_default();
    if model.is_empty() {
        return Err(Error::new(ErrorCode::ModelRequired, "model: the name of a model"));
    }
    if model.len() > MAX_NAME_BYTES || !model.chars().all(|c| c.is_ascii_graphic()) {
        let message = format!("model: at most {MAX_NAME_BYTES} visible ASCII characters");
        return Err(Error::new(ErrorCode::InvalidRequest, message));
    }
    Ok(model)
}

impl From<edgecoder_worker::models::Refusal> for Error {
    fn from(refusal: edgecoder_worker::models::Refusal) -> Self {
        use edgecoder_worker::models::Refusal;
        let code = match &refusal {
            Refusal::NotFound(_) => ErrorCode::ModelNotFound,
            Refusal::Busy(_) | Refusal::InUse(_) => ErrorCode::ModelBusy,
            Refusal::NotRemovable(_) => ErrorCode::Forbidden,
            Refusal::Engine(error) => return error.clone().into(),
        };
        Self::new(code, refusal.to_string())
    }
}
