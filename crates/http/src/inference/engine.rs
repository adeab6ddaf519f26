//! Asking the engine. `/complete`, `/count_tokens` and `/capabilities` speak the engines' own wire form: their
//! status is 200 whenever an engine spoke, and its refusals are in the body.

use axum::Json;
use axum::body::Body;
use axum::extract::State as Shared;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use edgecoder_protocol::ErrorCode;
use edgecoder_protocol::api::error::ErrorBody;
use edgecoder_protocol::api::inference::{DecomposeReply, DecomposeRequest, EscalateReply, EscalateRequest};
use edgecoder_worker::codec::{NDJSON, encode_answer, encode_stream};
use edgecoder_worker::{CompletionRequest, CountRequest, Event};
use futures::StreamExt as _;
use tokio_util::sync::CancellationToken;

use super::counts::What;
use super::peer::FromCoordinator;
use super::{InferenceCaller, State};
use crate::Error;
use crate::extract::{Closing, Json as JsonBody};

/// Longest text to split or look at again, bytes: beyond any model's window.
const MAX_TEXT_BYTES: usize = 200_000;

/// Splits a request into subtasks; falls back to one and says why.
#[utoipa::path(post, path = "/decompose", tag = "inference", request_body = DecomposeRequest, responses(
    (status = 200, body = DecomposeReply), (status = "default", body = ErrorBody)))]
pub(super) async fn decompose(
    state: Shared<State>,
    closing: Closing,
    FromCoordinator(request): FromCoordinator<DecomposeRequest>,
) -> Result<Json<DecomposeReply>, Error> {
    bounded("prompt", &request.prompt)?;
    let mut counted = state.counts().begin(What::Decompose);
    let reply = closing.or(state.inner.inference.split(&request)).await?;
    counted.done();
    if reply.fallback.is_some() {
        state.counts().fell_back();
    }
    Ok(Json(reply))
}

/// Another look at code that failed.
#[utoipa::path(post, path = "/escalate", tag = "inference", request_body = EscalateRequest, responses(
    (status = 200, body = EscalateReply), (status = "default", body = ErrorBody)))]
pub(super) async fn escalate(
    state: Shared<State>,
    closing: Closing,
    FromCoordinator(request): FromCoordinator<EscalateRequest>,
) -> Result<Json<EscalateReply>, Error> {
    bounded("task", &request.task)?;
    let mut counted = state.counts().begin(What::Escalate);
    let reply = closing.or(state.inner.inference.escalate(&request)).await?;
    counted.done();
    Ok(Json(reply))
}

fn bounded(field: &str, text: &str) -> Result<(), Error> {
    if (1..=MAX_TEXT_BYTES).contains(&text.trim().len()) {
        return Ok(());
    }
    Err(Error::new(ErrorCode::InvalidRequest, format!("{field}: 1 to {MAX_TEXT_BYTES} bytes")))
}

/// One completion as a stream of events, one JSON value a line. Hanging up cancels it.
#[utoipa::path(post, path = "/complete", tag = "engine", request_body = Object, responses(
    (status = 200, body = String, content_type = "application/x-ndjson"),
    (status = "default", body = ErrorBody)))]
pub(super) async fn complete(
    _: InferenceCaller,
    state: Shared<State>,
    Closing(closing): Closing,
    JsonBody(request): JsonBody<CompletionRequest>,
) -> Result<Response, Error> {
    let cancel = CancellationToken::new();
    let hang_up = cancel.clone().drop_guard();
    let mut counted = state.counts().begin(What::Complete);
    let start = state.inner.inference.engine().complete(request, cancel).await;
    let start = start.map(|events| {
        let watched = events.inspect(move |event| {
            if matches!(event, Ok(Event::Done { .. })) {
                counted.done();
            }
        });
        watched.boxed()
    });
    let lines = encode_stream(start).take_until(closing.cancelled_owned()).map(move |line| {
        let _held_until_the_end = &hang_up;
        line
    });
    Ok(([(CONTENT_TYPE, NDJSON)], Body::from_stream(lines)).into_response())
}

/// How many tokens a prompt has.
#[utoipa::path(post, path = "/count_tokens", tag = "engine", request_body = Object, responses(
    (status = 200, body = Object), (status = "default", body = ErrorBody)))]
pub(super) async fn count_tokens(
    _: InferenceCaller,
    state: Shared<State>,
    JsonBody(request): JsonBody<CountRequest>,
) -> Response {
    answer(encode_answer(&state.inner.inference.engine().count_tokens(request).await))
}

/// What the engine is.
#[utoipa::path(get, path = "/capabilities", tag = "engine", responses(
    (status = 200, body = Object), (status = "default", body = ErrorBody)))]
pub(super) async fn capabilities(_: InferenceCaller, state: Shared<State>) -> Response {
    answer(encode_answer(&state.inner.inference.engine().capabilities().await))
}

fn answer(json: String) -> Response {
    ([(CONTENT_TYPE, "application/json")], json).into_response()
}
