//! `POST /api/generate`: one prompt, with a frame or raw, and the gap before a suffix.

use axum::extract::State as Shared;
use axum::response::Response;
use serde::Deserialize;
use utoipa::ToSchema;

use super::answer::{Form, Style, told};
use super::options::{AnswerFormat, Options};
use super::{KEEP_ALIVE, SHIFT, TRUNCATE, untagged};
use crate::extract::Closing;
use crate::ide::State;
use crate::ide::ask::{Ask, Prompt, Turn};
use crate::ide::body::SentUndeclared;
use crate::ide::fault::Fault;
use crate::ide::parameters::{Endpoint, Unknown, honoured, refused};

pub(in crate::ide) const ENDPOINT: Endpoint = Endpoint {
    method: "POST",
    path: "/api/generate",
    unknown: Unknown::Ignored,
    parameters: &[
        honoured("model"),
        honoured("prompt"),
        honoured("suffix"),
        honoured("system"),
        honoured("raw"),
        honoured("stream"),
        honoured("format"),
        honoured("options"),
        KEEP_ALIVE,
        TRUNCATE,
        SHIFT,
        refused("images", "the model reads text"),
        refused("template", "the model's own template is used; with `raw` none is"),
        refused("context", "deprecated by Ollama: use `/api/chat`"),
        refused("think", "the model was not trained to think aloud"),
        refused("width", "the model writes text"),
        refused("height", "the model writes text"),
        refused("steps", "the model writes text"),
        refused("logprobs", "use `/v1/chat/completions`"),
        refused("top_logprobs", "use `/v1/chat/completions`"),
    ],
    notes: &[
        "`options` have a table of their own below.",
        "An empty prompt answers at once, as Ollama does to load a model.",
    ],
};

/// A prompt, as Ollama's clients write it.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = ollama::GenerateRequest)]
pub(in crate::ide) struct GenerateRequest {
    model: String,
    #[serde(default)]
    prompt: String,
    #[serde(default)]
    suffix: String,
    system: Option<String>,
    #[serde(default)]
    raw: bool,
    stream: Option<bool>,
    format: Option<AnswerFormat>,
    #[serde(default)]
    options: Options,
}

/// Answers a prompt, as lines of JSON or whole.
#[utoipa::path(post, path = "/api/generate", tag = "ollama", request_body = GenerateRequest,
    responses((status = 200, body = Object), (status = "default", body = Object)))]
pub(in crate::ide) async fn generate(
    state: Shared<State>,
    Closing(closing): Closing,
    SentUndeclared(bytes): SentUndeclared,
) -> Result<Response, Fault> {
    let request: GenerateRequest = ENDPOINT.read(&bytes)?;
    let (model, stream) = (request.model.clone(), request.stream.unwrap_or(true));
    if request.prompt.is_empty() && request.suffix.is_empty() {
        return state.loaded(&model, Form::Generate).await;
    }
    let style = Style { form: Form::Generate, stream, model, since: state.now(), clock: state.desk().clock };
    let answer = state.desk().answer(&request.into_ask()?, closing).await?;
    told(answer, style).await
}

impl GenerateRequest {
    fn into_ask(self) -> Result<Ask, Fault> {
        let prompt = if !self.suffix.is_empty() {
            Prompt::Gap { prefix: self.prompt, suffix: self.suffix }
        } else if self.raw {
            Prompt::Text(self.prompt)
        } else {
            let frame = self.system.filter(|system| !system.is_empty()).map(Turn::System);
            Prompt::Chat(frame.into_iter().chain([Turn::User(self.prompt)]).collect())
        };
        let mut ask = Ask::new(untagged(&self.model), prompt);
        ask.schema = self.format.map(AnswerFormat::schema).transpose()?.flatten();
        self.options.set(&mut ask)?;
        Ok(ask)
    }
}
