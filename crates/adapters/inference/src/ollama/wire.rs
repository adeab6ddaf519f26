//! The parts of Ollama's interface that we write and read. Unknown fields are ignored: every version has others.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::http::upstream;
use crate::{CompletionRequest, Embeddings, Error, Format, Message, TextPrompt};

/// What was asked, for errors and for the check of what was read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked {
    /// Tokens of the prompt by our estimate, which is too high rather than too low.
    pub(super) prompt_tokens: u32,
    /// Fewest tokens the prompt can have.
    pub(super) fewest_tokens: u32,
    pub(super) max_tokens: u32,
    pub(super) context_tokens: u32,
}

impl Asked {
    pub(super) const fn overflow(self) -> Error {
        Error::ContextOverflow {
            prompt_tokens: self.prompt_tokens,
            max_tokens: self.max_tokens,
            context_tokens: self.context_tokens,
        }
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct Version {
    pub(super) version: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Tags {
    #[serde(default)]
    pub(super) models: Vec<Tag>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Tag {
    name: String,
    #[serde(default)]
    size: u64,
    #[serde(default)]
    details: Details,
}

#[derive(Debug, Default, Deserialize)]
struct Details {
    #[serde(default)]
    parameter_size: Option<String>,
    #[serde(default)]
    quantization_level: Option<String>,
}

/// A model an Ollama has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstalledModel {
    /// Its name there, tag included.
    pub name: String,
    /// Its size on that server's disk, bytes.
    pub bytes: u64,
    /// Like `7.6B`, where told.
    pub parameters: Option<String>,
    /// Like `Q4_K_M`, where told.
    pub quantization: Option<String>,
}

impl From<Tag> for InstalledModel {
    fn from(tag: Tag) -> Self {
        let Tag { name, size, details } = tag;
        let Details { parameter_size, quantization_level } = details;
        Self { name, bytes: size, parameters: parameter_size, quantization: quantization_level }
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct EmbedAnswer {
    #[serde(default)]
    embeddings: Vec<Vec<f32>>,
    #[serde(default)]
    prompt_eval_count: u32,
}

impl EmbedAnswer {
    pub(super) fn into_embeddings(self, asked: usize) -> Result<Embeddings, Error> {
        let got = self.embeddings.len();
        if got != asked {
            return Err(Error::protocol(format!("{got} vectors for {asked} texts")));
        }
        Ok(Embeddings { vectors: self.embeddings, prompt_tokens: self.prompt_eval_count })
    }
}

/// Refuses what Ollama has no words for.
pub(super) fn check(request: &CompletionRequest) -> Result<(), Error> {
    if matches!(request.format, Some(Format::Grammar { .. })) {
        return Err(Error::unsupported("a grammar", "Ollama takes JSON schemas only"));
    }
    if request.logprobs.is_some() {
        return Err(Error::unsupported("logprobs", "not every Ollama tells them"));
    }
    Ok(())
}

/// Path and body of a request.
pub(super) fn body(request: &CompletionRequest, model: &str, num_ctx: u32) -> (&'static str, Value) {
    let mut body = Map::new();
    let mut set = |name: &str, value: Value| body.insert(name.to_owned(), value);
    set("model", json!(model));
    set("stream", json!(true));
    set("options", options(request, num_ctx));
    // Newer versions refuse a prompt that does not fit instead of cutting it, when they are told so.
    set("truncate", json!(false));
    set("shift", json!(false));
    if let Some(Format::JsonSchema { schema }) = &request.format {
        let any = schema.as_object().is_some_and(Map::is_empty);
        set("format", if any { json!("json") } else { schema.clone() });
    }
    let path = match &request.text {
        Some(TextPrompt::Continue { text }) => {
            set("prompt", json!(text));
            set("raw", json!(true));
            "/api/generate"
        }
        Some(TextPrompt::Infill { prefix, suffix }) => {
            set("prompt", json!(prefix));
            set("suffix", json!(suffix));
            "/api/generate"
        }
        None => {
            let begun = request.prefill.as_deref().map(|text| json!({"role": "assistant", "content": text}));
            let turn = |message: &Message| json!({"role": message.role.as_str(), "content": message.content});
            set("messages", request.messages.iter().map(turn).chain(begun).collect());
            // A model that thinks aloud would spend the few tokens of our answers on it.
            set("think", json!(false));
            "/api/chat"
        }
    };
    (path, Value::Object(body))
}

/// Servers keep seeds in 32 signed bits or more.
const SEEDS: u64 = 1 << 31;

fn options(request: &CompletionRequest, num_ctx: u32) -> Value {
    json!({
        "num_ctx": num_ctx,
        "num_predict": request.max_tokens,
        "temperature": request.temperature,
        "top_p": request.top_p,
        // Also where it is 0, which keeps everything: left out, it would be Ollama's own 40.
        "top_k": request.top_k,
        "min_p": request.min_p,
        "repeat_penalty": request.repeat_penalty,
        "frequency_penalty": request.frequency_penalty,
        "presence_penalty": request.presence_penalty,
        "seed": request.seed % SEEDS,
        "stop": request.stop,
    })
}

/// The window `/api/ps` says it opened for `model`; absent in older versions.
pub(super) fn opened(running: &Value, model: &str) -> Option<u32> {
    let entries = running.get("models")?.as_array()?;
    let named = |entry: &&Value| {
        [entry.get("name"), entry.get("model")]
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .any(|name| same_model(name, model))
    };
    let tokens = entries.iter().find(named)?.get("context_length")?.as_u64()?;
    u32::try_from(tokens).ok().filter(|tokens| *tokens > 0)
}

/// Whether two names mean the same model: case does not count, and a name without a tag means `latest`.
pub fn same_model(one: &str, other: &str) -> bool {
    let plain = |name: &str| name.strip_suffix(":latest").unwrap_or(name).to_ascii_lowercase();
    plain(one) == plain(other)
}

/// What the server's error says.
fn words(body: &str) -> String {
    let value: Value = serde_json::from_str(body).unwrap_or(Value::Null);
    let told = value.get("error").and_then(Value::as_str);
    told.map_or_else(|| body.to_owned(), str::to_owned)
}

/// An error status of a question about `model`.
pub(super) fn refusal(status: u16, body: &str, model: &str) -> Error {
    let words = words(body);
    if status == 404 || words.contains("not found") {
        let fix = format!("pull it: `ollama pull {model}`, or set inference.model to one that is there");
        return Error::ModelMissing { path: model.to_owned(), fix };
    }
    upstream(status, &words)
}

/// An error status of a request for an answer.
pub(super) fn refused(status: u16, body: &str, model: &str, asked: Asked) -> Error {
    let said = words(body).to_ascii_lowercase();
    let too_long = said.contains("context") && (said.contains("exceed") || said.contains("too long"));
    if too_long { asked.overflow() } else { refusal(status, body, model) }
}
