//! The parts of OpenAI's chat form that we write and read. Unknown fields are ignored: every server has some.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{CompletionRequest, Error, Finish, Message};

#[derive(Debug, Serialize)]
pub(super) struct ChatRequest<'a> {
    model: &'a str,
    messages: Vec<ChatMessage<'a>>,
    max_tokens: u32,
    temperature: f32,
    top_p: f32,
    /// Not in OpenAI's own form, and refused there: sent only when it means something.
    #[serde(skip_serializing_if = "Option::is_none")]
    top_k: Option<i32>,
    seed: u64,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    stop: &'a [String],
    stream: bool,
    stream_options: StreamOptions,
}

#[derive(Debug, Serialize)]
struct ChatMessage<'a> {
    role: &'a str,
    content: &'a str,
}

#[derive(Debug, Serialize)]
struct StreamOptions {
    include_usage: bool,
}

/// Servers keep seeds in 32 signed bits or more.
const SEEDS: u64 = 1 << 31;

impl<'a> ChatRequest<'a> {
    pub(super) fn new(request: &'a CompletionRequest, model: &'a str) -> Self {
        let turn =
            |message: &'a Message| ChatMessage { role: message.role.as_str(), content: &message.content };
        let begun = request.prefill.as_deref().map(|content| ChatMessage { role: "assistant", content });
        Self {
            model,
            messages: request.messages.iter().map(turn).chain(begun).collect(),
            max_tokens: request.max_tokens,
            temperature: request.temperature,
            top_p: request.top_p,
            top_k: Some(request.top_k).filter(|&top_k| top_k > 0),
            seed: request.seed % SEEDS,
            stop: &request.stop,
            stream: true,
            stream_options: StreamOptions { include_usage: true },
        }
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct Chunk {
    #[serde(default)]
    pub(super) choices: Vec<Choice>,
    #[serde(default)]
    pub(super) usage: Option<ChunkUsage>,
    #[serde(default)]
    pub(super) error: Option<Value>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Choice {
    #[serde(default)]
    pub(super) delta: Option<Delta>,
    #[serde(default)]
    pub(super) finish_reason: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Delta {
    #[serde(default)]
    pub(super) content: Option<String>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
pub(super) struct ChunkUsage {
    #[serde(default)]
    pub(super) prompt_tokens: u32,
    #[serde(default)]
    pub(super) completion_tokens: u32,
}

pub(super) fn finish_of(reason: &str) -> Finish {
    if reason == "length" { Finish::Length } else { Finish::Stop }
}

/// What a server says about an error, whichever of the usual shapes it chose.
pub(super) fn refusal(status: u16, body: &str, asked: (u32, u32, u32)) -> Error {
    let value: Value = serde_json::from_str(body).unwrap_or(Value::Null);
    let inner = value.get("error").unwrap_or(&value);
    let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
    let message = text(inner.get("message")).or_else(|| text(Some(inner))).unwrap_or_else(|| body.to_owned());
    let names = [inner.get("code"), inner.get("type")];
    let overflow = names
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .any(|name| matches!(name, "context_length_exceeded" | "exceed_context_size_error"));
    if overflow {
        let (prompt, max_tokens, context) = asked;
        let number = |name: &str| {
            inner.get(name).and_then(Value::as_u64).and_then(|number| u32::try_from(number).ok())
        };
        return Error::ContextOverflow {
            prompt_tokens: number("n_prompt_tokens").unwrap_or(prompt),
            max_tokens,
            context_tokens: number("n_ctx").unwrap_or(context),
        };
    }
    crate::http::upstream(status, &message)
}

/// The context a server tells for `model` in its list of models; every server has its own word for it.
pub(super) fn listed_context(models: &Value, model: &str) -> Option<u32> {
    let entries = models.get("data")?.as_array()?;
    let entry = entries.iter().find(|entry| entry.get("id").and_then(Value::as_str) == Some(model))?;
    ["/max_model_len", "/loaded_context_length", "/meta/n_ctx", "/context_length", "/max_context_length"]
        .iter()
        .find_map(|place| entry.pointer(place)?.as_u64())
        .and_then(|tokens| u32::try_from(tokens).ok())
        .filter(|&tokens| tokens > 0)
}
