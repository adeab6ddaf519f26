//! `/api/tags`, `/api/show`, `/api/ps`, `/api/version`, `/api/embed`: what there is.

use axum::Json;
use axum::extract::State as Shared;
use axum::response::{IntoResponse as _, Response};
use edgecoder_base::{Timestamp, hash::sha256_hex};
use edgecoder_protocol::ErrorCode;
use edgecoder_worker::models::ShelfModel;
use edgecoder_worker::{Capabilities, MAX_INPUTS};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::answer::Form;
use super::{KEEP_ALIVE, TRUNCATE, untagged};
use crate::Error;
use crate::extract::Closing;
use crate::ide::State;
use crate::ide::body::SentUndeclared;
use crate::ide::fault::Fault;
use crate::ide::openai::embeddings::Input;
use crate::ide::parameters::{Endpoint, Unknown, honoured, idle, refused};

pub(in crate::ide) const SHOW: Endpoint = Endpoint {
    method: "POST",
    path: "/api/show",
    unknown: Unknown::Ignored,
    parameters: &[honoured("model"), honoured("name"), idle("verbose", "everything that is known is told")],
    notes: &[],
};

pub(in crate::ide) const EMBED: Endpoint = Endpoint {
    method: "POST",
    path: "/api/embed",
    unknown: Unknown::Ignored,
    parameters: &[
        honoured("model"),
        honoured("input"),
        KEEP_ALIVE,
        idle("options", "no option changes a vector"),
        TRUNCATE,
        refused("dimensions", "the model's vectors have one length"),
    ],
    notes: &[],
};

/// Which model to show.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = ollama::ShowRequest)]
pub(in crate::ide) struct ShowRequest {
    #[serde(alias = "name")]
    model: String,
}

/// Texts to be turned into vectors.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = ollama::EmbedRequest)]
pub(in crate::ide) struct EmbedRequest {
    model: String,
    input: Input,
}

/// The version that clients check: the first with everything that this door speaks.
#[utoipa::path(get, path = "/api/version", tag = "ollama", responses((status = 200, body = Object)))]
pub(in crate::ide) async fn version() -> Json<Value> {
    Json(json!({"version": "0.12.0", "edgecoder": env!("CARGO_PKG_VERSION")}))
}

/// Models that are there: the router's names, then those on this machine.
#[utoipa::path(get, path = "/api/tags", tag = "ollama", responses((status = 200, body = Object)))]
pub(in crate::ide) async fn tags(state: Shared<State>) -> Json<Value> {
    let now = state.now();
    let active = state.shelf().await.into_iter().find(|model| model.active);
    let named = state.model_names().into_iter().map(|name| tag(&name, active.as_ref(), now));
    Json(json!({"models": named.collect::<Vec<_>>()}))
}

/// Models in memory: the one that has the engine's place.
#[utoipa::path(get, path = "/api/ps", tag = "ollama", responses((status = 200, body = Object)))]
pub(in crate::ide) async fn ps(state: Shared<State>) -> Json<Value> {
    let Ok(engine) = state.desk().inference.engine().capabilities().await else {
        return Json(json!({"models": []}));
    };
    let active = state.shelf().await.into_iter().find(|model| model.active);
    let mut model = tag(&engine.model, active.as_ref(), state.now());
    model["size_vram"] = if engine.device.gpu_layers > 0 { model["size"].clone() } else { 0.into() };
    model["context_length"] = engine.context_tokens.into();
    // It stays as long as the node runs.
    model["expires_at"] = json!(Timestamp::from_millis(state.now().as_millis().saturating_add(86_400_000)));
    Json(json!({"models": [model]}))
}

/// What is known of a model.
#[utoipa::path(post, path = "/api/show", tag = "ollama", request_body = ShowRequest,
    responses((status = 200, body = Object), (status = "default", body = Object)))]
pub(in crate::ide) async fn show(
    state: Shared<State>,
    SentUndeclared(bytes): SentUndeclared,
) -> Result<Json<Value>, Fault> {
    let ShowRequest { model } = SHOW.read(&bytes)?;
    state.known(&model)?;
    let engine = state.desk().inference.engine().capabilities().await.map_err(Error::from)?;
    let active = state.shelf().await.into_iter().find(|model| model.active);
    Ok(Json(shown(&engine, active.as_ref(), state.now())))
}

/// Texts as vectors.
#[utoipa::path(post, path = "/api/embed", tag = "ollama", request_body = EmbedRequest,
    responses((status = 200, body = Object), (status = "default", body = Object)))]
pub(in crate::ide) async fn embed(
    state: Shared<State>,
    closing: Closing,
    SentUndeclared(bytes): SentUndeclared,
) -> Result<Json<Value>, Fault> {
    let EmbedRequest { model, input } = EMBED.read(&bytes)?;
    let inputs = input.into_list();
    if inputs.len() > MAX_INPUTS || inputs.iter().any(String::is_empty) {
        return Err(Fault::of("input", format!("input: at most {MAX_INPUTS} texts, none of them empty")));
    }
    if inputs.is_empty() {
        return Ok(Json(json!({"model": model, "embeddings": []})));
    }
    let (embeddings, card) = closing.or(state.desk().embed(&untagged(&model), inputs)).await?;
    Ok(Json(json!({
        "model": model,
        "embeddings": embeddings.vectors,
        "prompt_eval_count": embeddings.prompt_tokens,
        "edgecoder": card,
    })))
}

impl State {
    pub(super) fn now(&self) -> Timestamp {
        (self.desk().clock)()
    }

    async fn shelf(&self) -> Vec<ShelfModel> {
        self.desk().models.list().await
    }

    fn known(&self, model: &str) -> Result<(), Fault> {
        if self.model_names().contains(&untagged(model)) {
            return Ok(());
        }
        Err(Error::new(ErrorCode::ModelNotFound, format!("model '{model}' not found")).into())
    }

    /// What Ollama answers to a question without a prompt, which asks it to load the model.
    pub(super) async fn loaded(&self, model: &str, form: Form) -> Result<Response, Fault> {
        self.known(model)?;
        self.desk().inference.engine().capabilities().await.map_err(Error::from)?;
        let mut body = json!({"model": model, "created_at": self.now(), "done": true, "done_reason": "load"});
        match form {
            Form::Chat => body["message"] = json!({"role": "assistant", "content": ""}),
            Form::Generate => body["response"] = "".into(),
        }
        Ok(Json(body).into_response())
    }
}

fn details(active: Option<&ShelfModel>) -> Value {
    let text = |of: fn(&ShelfModel) -> Option<&String>| active.and_then(of).cloned().unwrap_or_default();
    json!({
        "parent_model": "",
        "format": "gguf",
        "family": "llama",
        "families": ["llama"],
        "parameter_size": text(|model| model.parameters.as_ref()),
        "quantization_level": text(|model| model.quantization.as_ref()),
    })
}

fn tag(name: &str, active: Option<&ShelfModel>, now: Timestamp) -> Value {
    json!({
        "name": name,
        "model": name,
        "modified_at": now,
        "size": active.and_then(|model| model.bytes).unwrap_or(0),
        "digest": sha256_hex(name.as_bytes()),
        "details": details(active),
    })
}

fn shown(engine: &Capabilities, active: Option<&ShelfModel>, now: Timestamp) -> Value {
    let features = engine.features;
    let offered = [("insert", features.infill), ("embedding", features.embeddings)];
    let offered = offered.into_iter().filter_map(|(name, has)| has.then_some(name));
    let capabilities: Vec<&str> = ["completion", "tools"].into_iter().chain(offered).collect();
    let mut known = Map::new();
    known.insert("general.architecture".to_owned(), "llama".into());
    known.insert("general.basename".to_owned(), engine.model.clone().into());
    known.insert("llama.context_length".to_owned(), engine.context_tokens.into());
    json!({
        "modelfile": "",
        "parameters": format!("num_ctx {}", engine.context_tokens),
        "template": "",
        "license": "",
        "details": details(active),
        "model_info": known,
        "capabilities": capabilities,
        "modified_at": now,
    })
}
