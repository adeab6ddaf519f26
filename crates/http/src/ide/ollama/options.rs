//! What chat and generate have in common: the options of the model, the form of the answer, and times.

use serde::Deserialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use crate::ide::ask::{Ask, Sampling};
use crate::ide::body::Stops;
use crate::ide::fault::Fault;
use crate::ide::parameters::{Nested, Parameter, Unknown, honoured, idle, only};

const NOT_DRAWN_SO: &str = "this way of drawing tokens is not offered";

/// What sets up Ollama's engine. Ours is set up on the node.
const fn engine(name: &'static str) -> Parameter {
    idle(name, "how an engine runs is set on its node, and changes no answer")
}

/// The options of the model.
pub(in crate::ide) const OPTIONS: Nested = Nested {
    of: "`options` of `/api/chat` and `/api/generate`",
    within: "options.",
    unknown: Unknown::Ignored,
    parameters: &[
        honoured("temperature"),
        honoured("top_p"),
        honoured("top_k"),
        honoured("min_p"),
        honoured("repeat_penalty"),
        honoured("frequency_penalty"),
        honoured("presence_penalty"),
        honoured("seed"),
        honoured("num_predict"),
        honoured("stop"),
        only("repeat_last_n", &["64"], "repetition is looked for in the last 64 tokens"),
        only("typical_p", &["1"], NOT_DRAWN_SO),
        only("tfs_z", &["1"], NOT_DRAWN_SO),
        only("mirostat", &["0"], NOT_DRAWN_SO),
        idle("mirostat_tau", "it says nothing without `mirostat`"),
        idle("mirostat_eta", "it says nothing without `mirostat`"),
        idle("penalize_newline", "Ollama knows it no longer: a newline counts as any token does"),
        idle("num_ctx", "the window is as large as the machine allows, and `/api/show` tells it"),
        idle("num_keep", "it says what is kept of a conversation that is cut, and none is cut"),
        engine("num_batch"),
        engine("num_gpu"),
        engine("main_gpu"),
        engine("num_thread"),
        engine("draft_num_predict"),
        engine("numa"),
        engine("low_vram"),
        engine("use_mmap"),
        engine("use_mlock"),
    ],
};

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
        OPTIONS.check(&self.others)?;
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use utoipa::PartialSchema as _;

    use super::*;
    use crate::ide::parameters::Standing;

    #[test]
    fn what_the_table_calls_supported_has_a_field_and_the_other_way_round() {
        let schema = serde_json::to_value(Options::schema()).unwrap();
        let fields: BTreeSet<&str> =
            schema["properties"].as_object().unwrap().keys().map(String::as_str).collect();
        let supported = OPTIONS.parameters.iter().filter(|one| one.standing == Standing::Honoured);
        assert_eq!(supported.map(|one| one.name).collect::<BTreeSet<_>>(), fields);
    }
}
