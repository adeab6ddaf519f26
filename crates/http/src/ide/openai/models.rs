//! `GET /v1/models`: the three names that let the router choose, then the models by their own names.

use axum::Json;
use axum::extract::State as Shared;
use edgecoder_protocol::ErrorCode;
use serde_json::{Value, json};

use crate::Error;
use crate::extract::Path;
use crate::ide::State;
use crate::ide::fault::Fault;

/// The models that can be named.
#[utoipa::path(get, path = "/v1/models", tag = "openai", responses((status = 200, body = Object)))]
pub(in crate::ide) async fn list(state: Shared<State>) -> Json<Value> {
    let created = state.stamp("").created;
    let models: Vec<Value> = state.model_names().iter().map(|name| model(name, created)).collect();
    Json(json!({"object": "list", "data": models}))
}

/// One of them.
#[utoipa::path(get, path = "/v1/models/{model}", tag = "openai", params(("model" = String, Path)),
    responses((status = 200, body = Object), (status = "default", body = Object)))]
pub(in crate::ide) async fn one(
    state: Shared<State>,
    Path(name): Path<String>,
) -> Result<Json<Value>, Fault> {
    if state.model_names().contains(&name) {
        return Ok(Json(model(&name, state.stamp("").created)));
    }
    Err(Error::new(ErrorCode::ModelNotFound, format!("The model '{name}' does not exist")).into())
}

fn model(name: &str, created: i64) -> Value {
    json!({"id": name, "object": "model", "created": created, "owned_by": "edgecoder"})
}
