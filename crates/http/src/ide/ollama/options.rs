//! What chat and generate have in common: the options of the model, the form of the answer, and times.

use serde::Deserialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use crate::ide::ask::{Ask, Sampling};
use crate::ide::body::Stops;
use crate::ide::fault::Fault;

/// Options that would change the answer and are not honoured.
pub(super) const REFUSED: &[&str] =
    &["mirostat", "mirostat_tau", "mirostat_eta", "tfs_z", "typical_p", "penalize_newline", "repeat_last_n"];

/// How tokens are drawn, as Ollama writes it. Other options are checked by name.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[schema(as = ollama::Options)]
pub(in crate::ide) struct Options {
    temperature: Option<f32>,
    top_p: Option<f32>,
    top_k: Option<i32>,
    min_p: Option<f32>,
    repeat_penalty: Option<f32>,
    frequency_penalty: Option<f32>,
    presence_penalty: Option<f32>,
    seed: Option<i64>,
    /// Most tokens of the answer; negative: as many as there is room for.
    num_predict: Option<i64>,
    stop: Option<Stops>,
    #[serde(flatten)]
    #[schema(ignore)]
    others: Map<String, Value>,
}

/// The form of the answer: `json`, or a schema.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged)]
#[schema(as = ollama::AnswerFormat)]
pub(in crate::ide) enum AnswerFormat {
    Word(String),
    Schema(Value),
}

impl Options {
    /// Sets what they say.
    pub(super) fn set(self, ask: &mut Ask) -> Result<(), Fault> {
        if let Some(name) = self.others.keys().find(|name| REFUSED.contains(&name.as_str())) {
            return Err(Fault::unsupported(
                format!("options.{name}"),
                "this way of drawing tokens is not offered",
            ));
        }
        ask.sampling = Sampling {
            temperature: self.temperature,
            top_p: self.top_p,
            top_k: self.top_k,
            min_p: self.min_p,
            repeat_penalty: self.repeat_penalty,
            frequency_penalty: self.frequency_penalty,
            presence_penalty: self.presence_penalty,
            seed: self.seed.map(i64::cast_unsigned),
        };
        ask.max_tokens = match self.num_predict {
            Some(0) => return Err(Fault::of("options.num_predict", "options.num_predict: must not be 0")),
            Some(tokens) if tokens > 0 => Some(u32::try_from(tokens).unwrap_or(u32::MAX)),
            Some(_) => Some(u32::MAX),
            None => None,
        };
        ask.stop = self.stop.map(Stops::into_list).unwrap_or_default();
        Ok(())
    }
}

impl AnswerFormat {
    /// The schema, if any.
    pub(super) fn schema(self) -> Result<Option<Value>, Fault> {
        match self {
            Self::Word(word) if word.is_empty() => Ok(None),
            Self::Word(word) if word == "json" => Ok(Some(json!({"type": "object"}))),
            Self::Schema(schema) if schema.is_object() => Ok(Some(schema)),
            Self::Word(_) | Self::Schema(_) => {
                Err(Fault::of("format", "format: use \"json\" or a JSON schema"))
            }
        }
    }
}
