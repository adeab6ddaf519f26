//! Tasks: submitted, listed, shown, cancelled, reviewed.

use axum::Json;
use axum::extract::State as Shared;
use axum::http::HeaderMap;
use edgecoder_base::TaskId;
use edgecoder_protocol::ErrorCode;
use edgecoder_protocol::api::error::ErrorBody;
use edgecoder_protocol::api::tasks::{
    AttemptView, ReviewRequest, SubmitPrompt, SubmitTask, SubmittedPrompt, TaskPage, TaskView,
};
use serde::Deserialize;

use super::State;
use crate::Error;
use crate::auth::MeshMember;
use crate::extract::{self, Path, Query};

/// Whoever knows the mesh token acts as the owner: there are no accounts yet.
const OWNER: &str = "owner";

/// A prompt without a repository, in the published shape.
#[utoipa::path(post, path = "/submit", tag = "tasks", request_body = SubmitPrompt, responses(
    (status = 200, body = SubmittedPrompt), (status = "default", body = ErrorBody)))]
pub(super) async fn submit_prompt(
    _: MeshMember,
    state: Shared<State>,
    extract::Json(request): extract::Json<SubmitPrompt>,
) -> Result<Json<SubmittedPrompt>, Error> {
    Ok(Json(state.handle().submit_prompt(request).await?))
}

/// A request about a frozen repository. The same `Idempotency-Key` or id makes one task.
#[utoipa::path(post, path = "/tasks", tag = "tasks", request_body = SubmitTask,
    params(("idempotency-key" = Option<String>, Header)),
    responses((status = 200, body = TaskView), (status = "default", body = ErrorBody)))]
pub(super) async fn submit(
    _: MeshMember,
    state: Shared<State>,
    headers: HeaderMap,
    extract::Json(request): extract::Json<SubmitTask>,
) -> Result<Json<TaskView>, Error> {
    Ok(Json(state.handle().submit(request, idempotency_key(&headers)?).await?))
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Error> {
    let text = headers.get("idempotency-key").map(|value| value.to_str().map(str::to_owned)).transpose();
    text.map_err(|_| Error::new(ErrorCode::InvalidRequest, "Idempotency-Key: only visible ASCII"))
}

/// Which page of the list.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Page {
    /// Only tasks in this state.
    state: Option<String>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// 1 to 200; 50 unless told.
    limit: Option<u32>,
}

/// Tasks, newest first.
#[utoipa::path(get, path = "/tasks", tag = "tasks", params(Page), responses(
    (status = 200, body = TaskPage), (status = "default", body = ErrorBody)))]
pub(super) async fn list(
    _: MeshMember,
    state: Shared<State>,
    Query(page): Query<Page>,
) -> Result<Json<TaskPage>, Error> {
    Ok(Json(state.handle().tasks(page.state, page.cursor, page.limit).await?))
}

/// A task in full.
#[utoipa::path(get, path = "/tasks/{id}", tag = "tasks", params(("id" = String, Path)), responses(
    (status = 200, body = TaskView), (status = "default", body = ErrorBody)))]
pub(super) async fn task(
    _: MeshMember,
    state: Shared<State>,
    Path(id): Path<TaskId>,
) -> Result<Json<TaskView>, Error> {
    Ok(Json(state.handle().task(&id).await?))
}

/// Every try at a task.
#[utoipa::path(get, path = "/tasks/{id}/attempts", tag = "tasks", params(("id" = String, Path)), responses(
    (status = 200, body = Vec<AttemptView>), (status = "default", body = ErrorBody)))]
pub(super) async fn attempts(
    _: MeshMember,
    state: Shared<State>,
    Path(id): Path<TaskId>,
) -> Result<Json<Vec<AttemptView>>, Error> {
    Ok(Json(state.handle().attempts(&id).await?))
}

/// Stops a task and everything that works on it.
#[utoipa::path(post, path = "/tasks/{id}/cancel", tag = "tasks", params(("id" = String, Path)), responses(
    (status = 200, body = TaskView), (status = "default", body = ErrorBody)))]
pub(super) async fn cancel(
    _: MeshMember,
    state: Shared<State>,
    Path(id): Path<TaskId>,
) -> Result<Json<TaskView>, Error> {
    Ok(Json(state.handle().cancel(&id, OWNER).await?))
}

/// A person's decision about a proven patch.
#[utoipa::path(post, path = "/tasks/{id}/review", tag = "tasks", params(("id" = String, Path)),
    request_body = ReviewRequest,
    responses((status = 200, body = TaskView), (status = "default", body = ErrorBody)))]
pub(super) async fn review(
    _: MeshMember,
    state: Shared<State>,
    Path(id): Path<TaskId>,
    extract::Json(request): extract::Json<ReviewRequest>,
) -> Result<Json<TaskView>, Error> {
    Ok(Json(state.handle().review(&id, request, OWNER).await?))
}
