//! `POST /v1/embeddings`.

use axum::Json;
use axum::extract::State as Shared;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use edgecoder_worker::MAX_INPUTS;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::USER;
use crate::extract::Closing;
use crate::ide::State;
use crate::ide::body::Sent;
use crate::ide::fault::Fault;
use crate::ide::parameters::{Endpoint, Unknown, honoured, refused};

pub(in crate::ide) const ENDPOINT: Endpoint = Endpoint {
    method: "POST",
    path: "/v1/embeddings",
    unknown: Unknown::Refused,
    parameters: &[
        honoured("model"),
        honoured("input"),
        honoured("encoding_format"),
        USER,
        refused("dimensions", "the model's vectors have one length"),
    ],
    notes: &[
        "Inputs are texts; lists of token ids are refused: they are numbers of another model's vocabulary.",
    ],
};

/// Texts to be turned into vectors.
#[derive(Debug, Deserialize, ToSchema)]
pub(in crate::ide) struct EmbeddingsRequest {
    model: String,
    input: Input,
    #[serde(default)]
    encoding_format: Encoding,
}

/// One text or several.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged)]
pub(in crate::ide) enum Input {
    One(String),
    Several(Vec<String>),
}

/// How a vector is written.
#[derive(Debug, Default, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::ide) enum Encoding {
    /// A list of numbers.
    #[default]
    Float,
    /// 32-bit numbers, little-endian, in base64.
    Base64,
}

/// Texts as vectors.
#[utoipa::path(post, path = "/v1/embeddings", tag = "openai", request_body = EmbeddingsRequest,
    responses((status = 200, body = Object), (status = "default", body = Object)))]
pub(in crate::ide) async fn embed(
    state: Shared<State>,
    closing: Closing,
    Sent(bytes): Sent,
) -> Result<Json<Value>, Fault> {
    let EmbeddingsRequest { model, input, encoding_format } = ENDPOINT.read(&bytes)?;
    let inputs = input.into_list();
    if !(1..=MAX_INPUTS).contains(&inputs.len()) || inputs.iter().any(String::is_empty) {
        return Err(Fault::of("input", format!("`input`: 1 to {MAX_INPUTS} texts, none of them empty")));
    }
    let (embeddings, card) = closing.or(state.desk().embed(&model, inputs)).await?;
    let told = embeddings.vectors.iter().enumerate().map(|(index, vector)| {
        json!({"object": "embedding", "index": index, "embedding": encoding_format.write(vector)})
    });
    let tokens = embeddings.prompt_tokens;
    Ok(Json(json!({
        "object": "list",
        "data": told.collect::<Vec<_>>(),
        "model": card.model,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
        "edgecoder": card,
    })))
}

impl Input {
    pub(in crate::ide) fn into_list(self) -> Vec<String> {
        match self {
            Self::One(text) => vec![text],
            Self::Several(texts) => texts,
        }
    }
}

impl Encoding {
    fn write(self, vector: &[f32]) -> Value {
        match self {
            Self::Float => json!(vector),
            Self::Base64 => {
                let bytes: Vec<u8> = vector.iter().flat_map(|number| number.to_le_bytes()).collect();
                STANDARD.encode(bytes).into()
            }
        }
    }
}
