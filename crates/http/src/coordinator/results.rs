//! What came of a task: its patch, its trace, its text.

use axum::Json;
use axum::extract::State as Shared;
use axum::http::HeaderMap;
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use edgecoder_base::{SubtaskId, TaskId};
use edgecoder_protocol::api::error::ErrorBody;
use edgecoder_protocol::api::tasks::SubtaskResult;
use serde::Deserialize;

use super::State;
use crate::Error;
use crate::auth::MeshMember;
use crate::extract::{Path, Query};

/// The proven patch: a unified diff, or patches as JSON when that is what is accepted.
#[utoipa::path(get, path = "/tasks/{id}/patch", tag = "results", params(("id" = String, Path)), responses(
    (status = 200, content((String = "text/x-diff"), (Vec<Object> = "application/json"))),
    (status = "default", body = ErrorBody)))]
pub(super) async fn patch(
    _: MeshMember,
    state: Shared<State>,
    Path(id): Path<TaskId>,
    headers: HeaderMap,
) -> Result<Response, Error> {
    if wants_json(&headers) {
        return Ok(Json(state.handle().patches(&id).await?).into_response());
    }
    let diff = state.handle().diff(&id).await?;
    Ok(([(CONTENT_TYPE, "text/x-diff; charset=utf-8")], diff).into_response())
}

fn wants_json(headers: &HeaderMap) -> bool {
    let accept = headers.get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    accept.split(',').any(|kind| kind.split(';').next().unwrap_or_default().trim() == "application/json")
}

/// Whose trace.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Whose {
    /// An attempt; the one that wrote the result unless told.
    attempt: Option<String>,
}

/// The steps of an attempt, one JSON value a line.
#[utoipa::path(get, path = "/tasks/{id}/trace", tag = "results", params(("id" = String, Path), Whose), responses(
    (status = 200, body = String, content_type = "application/x-ndjson"),
    (status = "default", body = ErrorBody)))]
pub(super) async fn trace(
    _: MeshMember,
    state: Shared<State>,
    Path(id): Path<TaskId>,
    Query(whose): Query<Whose>,
) -> Result<Response, Error> {
    let trace = state.handle().trace(&id, whose.attempt.as_deref()).await?;
    Ok(([(CONTENT_TYPE, "application/x-ndjson")], trace).into_response())
}

/// The text of a subtask, for clients that poll; 404 until it is there.
#[utoipa::path(get, path = "/tasks/{taskId}/subtasks/{subtaskId}/result", tag = "results",
    params(("taskId" = String, Path), ("subtaskId" = String, Path)),
    responses((status = 200, body = SubtaskResult), (status = "default", body = ErrorBody)))]
pub(super) async fn subtask_result(
    _: MeshMember,
    state: Shared<State>,
    Path((task, subtask)): Path<(TaskId, SubtaskId)>,
) -> Result<Json<SubtaskResult>, Error> {
    Ok(Json(state.handle().subtask_result(&task, &subtask).await?))
}
