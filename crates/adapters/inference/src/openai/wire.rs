//! The parts of OpenAI's chat form that we write and read. Unknown fields are ignored: every server has some.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{CompletionRequest, Embeddings, Error, Finish, Format, Message, Role, TokenLogprob};

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
    /// As `top_k`: only where they mean something.
    #[serde(skip_serializing_if = "Option::is_none")]
    min_p: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    repeat_penalty: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    frequency_penalty: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    presence_penalty: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    logprobs: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_logprobs: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_format: Option<Value>,
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
        let turn = |message: &'a Message| ChatMessage { role: role(message.role), content: &message.content };
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
            min_p: Some(request.min_p).filter(|&min_p| min_p > 0.0),
            repeat_penalty: Some(request.repeat_penalty).filter(|&penalty| penalty != 1.0),
            frequency_penalty: Some(request.frequency_penalty).filter(|&penalty| penalty != 0.0),
            presence_penalty: Some(request.presence_penalty).filter(|&penalty| penalty != 0.0),
            logprobs: request.logprobs.map(|_| true),
            top_logprobs: request.logprobs,
            response_format: request.format.as_ref().and_then(response_format),
            stream: true,
            stream_options: StreamOptions { include_usage: true },
        }
    }
}

/// The chat form has no place for these: said, rather than left out quietly.
pub(super) fn check(request: &CompletionRequest) -> Result<(), Error> {
    if request.text.is_some() {
        return Err(Error::unsupported("a text without a conversation", "this server is asked in chat form"));
    }
    if matches!(request.format, Some(Format::Grammar { .. })) {
        return Err(Error::unsupported("a grammar", "OpenAI's chat form knows only JSON schemas"));
    }
    Ok(())
}

/// A tool's outcome has no call to name here, and OpenAI's form refuses one without: the person says it.
const fn role(role: Role) -> &'static str {
    match role {
        Role::Tool => Role::User.as_str(),
        Role::System | Role::User | Role::Assistant => role.as_str(),
    }
}

fn response_format(format: &Format) -> Option<Value> {
    match format {
        Format::Grammar { .. } => None,
        Format::JsonSchema { schema } => Some(serde_json::json!({
            "type": "json_schema",
            "json_schema": {"name": "answer", "strict": true, "schema": schema},
        })),
    }
}

#[derive(Debug, Serialize)]
pub(super) struct EmbeddingsRequest<'a> {
    pub(super) model: &'a str,
    pub(super) input: &'a [String],
}

#[derive(Debug, Deserialize)]
pub(super) struct EmbeddingsAnswer {
    data: Vec<EmbeddingsEntry>,
    #[serde(default)]
    usage: Option<ChunkUsage>,
}

#[derive(Debug, Deserialize)]
struct EmbeddingsEntry {
    index: usize,
    embedding: Vec<f32>,
}

impl EmbeddingsAnswer {
    pub(super) fn into_embeddings(mut self, inputs: usize) -> Result<Embeddings, Error> {
        self.data.sort_by_key(|entry| entry.index);
        let complete = self.data.iter().map(|entry| entry.index).eq(0..inputs);
        if !complete {
            return Err(Error::protocol("the server did not answer one vector a text"));
        }
        let prompt_tokens = self.usage.map_or(0, |usage| usage.prompt_tokens);
        Ok(Embeddings {
            vectors: self.data.into_iter().map(|entry| entry.embedding).collect(),
            prompt_tokens,
        })
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
    #[serde(default)]
    pub(super) logprobs: Option<ChunkLogprobs>,
}

#[derive(Debug, Deserialize)]
pub(super) struct ChunkLogprobs {
    #[serde(default)]
    content: Option<Vec<ChunkToken>>,
}

impl ChunkLogprobs {
    pub(super) fn into_tokens(self) -> Vec<TokenLogprob> {
        self.content.unwrap_or_default().into_iter().map(ChunkToken::into_token).collect()
    }
}

#[derive(Debug, Deserialize)]
struct ChunkToken {
    token: String,
    logprob: f32,
    #[serde(default)]
    bytes: Option<Vec<u8>>,
    #[serde(default)]
    top_logprobs: Vec<ChunkToken>,
}

impl ChunkToken {
    fn into_token(self) -> TokenLogprob {
        TokenLogprob {
            bytes: self.bytes.unwrap_or_else(|| self.token.clone().into_bytes()),
            text: self.token,
            logprob: self.logprob,
            alternatives: self.top_logprobs.into_iter().map(Self::into_token).collect(),
        }
    }
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
