//! `POST /api/pull`: fetches a model, and tells how far it is.

use axum::Json;
use axum::extract::State as Shared;
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Response};
use edgecoder_protocol::ErrorCode;
use edgecoder_worker::models::{ModelsView, PullStatus};
use futures::{StreamExt as _, stream};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::watch;
use utoipa::ToSchema;

use super::{error_body, untagged};
use crate::Error;
use crate::extract::Closing;
use crate::ide::State;
use crate::ide::body::SentUndeclared;
use crate::ide::fault::Fault;
use crate::ide::parameters::{Endpoint, Unknown, honoured, refused};
use crate::ide::sse;

pub(in crate::ide) const ENDPOINT: Endpoint = Endpoint {
    method: "POST",
    path: "/api/pull",
    unknown: Unknown::Ignored,
    parameters: &[
        honoured("model"),
        honoured("name"),
        honoured("stream"),
        refused("insecure", "models are only fetched from checked places"),
    ],
    notes: &["A model is fetched and not used yet: `edgecoder model use` gives it the engine's place."],
};

/// Longest name.
const MAX_NAME_BYTES: usize = 256;

/// Which model to fetch.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = ollama::PullRequest)]
pub(in crate::ide) struct PullRequest {
    #[serde(alias = "name")]
    model: String,
    stream: Option<bool>,
}

/// Fetches a model in the background, and tells how far it is until it is there. Hanging up does not end it.
#[utoipa::path(post, path = "/api/pull", tag = "ollama", request_body = PullRequest,
    responses((status = 200, body = Object), (status = "default", body = Object)))]
pub(in crate::ide) async fn pull(
    state: Shared<State>,
    closing: Closing,
    SentUndeclared(bytes): SentUndeclared,
) -> Result<Response, Fault> {
    let PullRequest { model, stream } = ENDPOINT.read(&bytes)?;
    let model = untagged(&model);
    if model.is_empty() || model.len() > MAX_NAME_BYTES || !model.chars().all(|c| c.is_ascii_graphic()) {
        return Err(Fault::of("model", "model: a name of visible ASCII characters"));
    }
    let models = &state.desk().models;
    if state.model_names().contains(&model) {
        return Ok(Json(json!({"status": "success"})).into_response());
    }
    closing.or(models.pull(&model, None)).await?;
    let steps = steps(models.changes(), model);
    if stream.unwrap_or(true) {
        let lines = steps.map(|step| sse::line(&step)).take_until(closing.0.cancelled_owned());
        return Ok(sse::lines(HeaderMap::new(), lines));
    }
    let last = steps.fold(Value::Null, |_, step| std::future::ready(step));
    let last = closing.or(async { Ok::<_, Error>(last.await) }).await?;
    match last.get("error").and_then(Value::as_str) {
        Some(error) => Err(Error::new(ErrorCode::ModelNotFound, error).into()),
        None => Ok(Json(last).into_response()),
    }
}

type Watch = (watch::Receiver<ModelsView>, String, bool);

/// Every step of the fetch of `model`; the last is `success` or an error.
fn steps(changes: watch::Receiver<ModelsView>, model: String) -> impl stream::Stream<Item = Value> + Send {
    stream::unfold(Some((changes, model, true)), async |watch: Option<Watch>| {
        let (mut changes, model, first) = watch?;
        if !first {
            changes.changed().await.ok()?;
        }
        let step = step(&changes.borrow_and_update(), &model);
        let over = step.get("completed").is_none();
        Some((step, (!over).then_some((changes, model, false))))
    })
}

fn step(view: &ModelsView, model: &str) -> Value {
    let pull = view.pull.as_ref().filter(|pull| pull.model == model);
    // It was there already, or another fetch took its place on the board.
    let Some(pull) = pull else { return json!({"status": "success"}) };
    match pull.status {
        PullStatus::Pulling => {
            json!({"status": pull.step, "completed": pull.completed, "total": pull.total})
        }
        PullStatus::Done => json!({"status": "success"}),
        PullStatus::Failed => {
            let words = pull.error.clone().unwrap_or_else(|| "the model could not be fetched".to_owned());
            error_body(&Error::new(ErrorCode::ModelNotFound, words))
        }
    }
}
