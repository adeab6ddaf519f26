//! `POST /v1/chat/completions`: what is asked.

use axum::extract::State as Shared;
use axum::response::Response;
use futures::future::try_join_all;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::message::{self, ChatMessage, Choice, OfferedTool};
use super::{
    LOGIT_BIAS, PROMPT_CACHE_KEY, PROMPT_CACHE_RETENTION, SAFETY_IDENTIFIER, SERVICE_TIER, USER, chat_answer,
};
use crate::extract::Closing;
use crate::ide::State;
use crate::ide::ask::{Ask, Prompt, Sampling};
use crate::ide::body::{Sent, Stops};
use crate::ide::fault::Fault;
use crate::ide::parameters::{Endpoint, Unknown, honoured, idle, only, refused};
use crate::ide::prompt::SEVERAL_TEMPERATURE;
use crate::ide::room;

/// Most answers of one request: each takes a slot.
const MAX_ANSWERS: u32 = 16;

pub(in crate::ide) const ENDPOINT: Endpoint = Endpoint {
    method: "POST",
    path: "/v1/chat/completions",
    unknown: Unknown::Refused,
    parameters: &[
        honoured("model"),
        honoured("messages"),
        honoured("stream"),
        honoured("stream_options"),
        honoured("max_tokens"),
        honoured("max_completion_tokens"),
        honoured("temperature"),
        honoured("top_p"),
        honoured("top_k"),
        honoured("min_p"),
        honoured("repeat_penalty"),
        honoured("frequency_penalty"),
        honoured("presence_penalty"),
        honoured("seed"),
        honoured("stop"),
        honoured("n"),
        honoured("tools"),
        honoured("tool_choice"),
        honoured("parallel_tool_calls"),
        honoured("response_format"),
        honoured("logprobs"),
        honoured("top_logprobs"),
        idle("metadata", "it labels what OpenAI stores, and nothing is stored here"),
        idle("prediction", "it may only make an answer faster, never different"),
        USER,
        SAFETY_IDENTIFIER,
        PROMPT_CACHE_KEY,
        PROMPT_CACHE_RETENTION,
        SERVICE_TIER,
        LOGIT_BIAS,
        only("modalities", &["[\"text\"]"], "the model writes text"),
        only("verbosity", &["\"medium\""], "the model was not trained to be told how much to say"),
        only("reasoning_effort", &["\"none\""], "the model was not trained to be told how long to think"),
        refused("store", "chats are not stored here"),
        refused("audio", "the model writes text"),
        refused("web_search_options", "a node searches no web"),
        refused("functions", "deprecated by OpenAI: use `tools`"),
        refused("function_call", "deprecated by OpenAI: use `tool_choice`"),
    ],
    notes: &[
        "`temperature` is 0 where it is not given: small models write their best code so. With `n` above 1 it is 0.7.",
        "`top_k`, `min_p` and `repeat_penalty` are extras of local servers and are taken as they do.",
        "Parts of a content other than text are refused: the model reads text.",
        "Of `stream_options`, `include_usage` is honoured; `include_obfuscation` pads events for the internet, and \
         nothing here.",
        "`response_format` or `logprobs` together with tools is refused; either alone is kept.",
    ],
};

/// A chat, as OpenAI's clients write it.
#[derive(Debug, Deserialize, ToSchema)]
pub(in crate::ide) struct ChatRequest {
    /// `edgecoder-auto`, `edgecoder-local`, `edgecoder-swarm`, or a model's own name.
    model: String,
    messages: Vec<ChatMessage>,
    #[serde(default)]
    stream: bool,
    stream_options: Option<StreamOptions>,
    max_tokens: Option<u32>,
    max_completion_tokens: Option<u32>,
    temperature: Option<f32>,
    top_p: Option<f32>,
    top_k: Option<i32>,
    min_p: Option<f32>,
    repeat_penalty: Option<f32>,
    frequency_penalty: Option<f32>,
    presence_penalty: Option<f32>,
    seed: Option<i64>,
    stop: Option<Stops>,
    n: Option<u32>,
    tools: Option<Vec<OfferedTool>>,
    tool_choice: Option<Choice>,
    parallel_tool_calls: Option<bool>,
    response_format: Option<ResponseFormat>,
    #[serde(default)]
    logprobs: bool,
    top_logprobs: Option<u32>,
}

/// What a stream tells besides text.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub(in crate::ide) struct StreamOptions {
    /// Whether the last chunk has the usage.
    #[serde(default)]
    pub(in crate::ide) include_usage: bool,
}

/// The form of the answer.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(in crate::ide) enum ResponseFormat {
    Text,
    JsonObject,
    JsonSchema { json_schema: NamedSchema },
}

/// A schema.
#[derive(Debug, Deserialize, ToSchema)]
pub(in crate::ide) struct NamedSchema {
    /// The schema; without it any JSON object is taken.
    schema: Option<Value>,
}

/// How the answer is wanted.
#[derive(Debug, Clone, Copy)]
pub(in crate::ide) struct Style {
    pub(in crate::ide) stream: bool,
    pub(in crate::ide) usage: bool,
}

/// Answers a chat, whole or as a stream of events.
#[utoipa::path(post, path = "/v1/chat/completions", tag = "openai", request_body = ChatRequest, responses(
    (status = 200, description = "A `chat.completion`, or chunks of it as server-sent events.", body = Object),
    (status = "default", description = "An error in OpenAI's form.", body = Object)))]
pub(in crate::ide) async fn complete(
    state: Shared<State>,
    Closing(closing): Closing,
    Sent(bytes): Sent,
) -> Result<Response, Fault> {
    let request: ChatRequest = ENDPOINT.read(&bytes)?;
    let style = request.style();
    let asks = request.into_asks()?;
    let answers = try_join_all(asks.iter().map(|ask| state.desk().answer(ask, closing.clone()))).await?;
    chat_answer::told(answers, style, state.stamp("chatcmpl")).await
}

impl ResponseFormat {
    pub(in crate::ide) fn schema(self) -> Option<Value> {
        let any_object = || json!({"type": "object"});
        match self {
            Self::Text => None,
            Self::JsonObject => Some(any_object()),
            Self::JsonSchema { json_schema } => Some(json_schema.schema.unwrap_or_else(any_object)),
        }
    }
}

impl ChatRequest {
    fn style(&self) -> Style {
        let usage = self.stream_options.as_ref().is_some_and(|options| options.include_usage);
        Style { stream: self.stream, usage }
    }

    /// One for each answer that is wanted.
    fn into_asks(self) -> Result<Vec<Ask>, Fault> {
        let answers = self.n.unwrap_or(1);
        if !(1..=MAX_ANSWERS).contains(&answers) {
            return Err(Fault::of("n", format!("`n`: from 1 to {MAX_ANSWERS}")));
        }
        if self.top_logprobs.is_some() && !self.logprobs {
            return Err(Fault::of("top_logprobs", "`top_logprobs` needs `logprobs`"));
        }
        if self.messages.is_empty() {
            return Err(Fault::of("messages", "`messages`: there are none"));
        }
        let max_tokens = room::named("max_completion_tokens", self.max_completion_tokens)?
            .or(room::named("max_tokens", self.max_tokens)?);
        let seed = self.seed.map(i64::cast_unsigned);
        let several = (answers > 1).then_some(SEVERAL_TEMPERATURE);
        let ask = Ask {
            tools: message::tools(self.tools.unwrap_or_default())?,
            choice: self.tool_choice.map(message::choice).transpose()?.unwrap_or_default(),
            several_calls: self.parallel_tool_calls.unwrap_or(true),
            schema: self.response_format.and_then(ResponseFormat::schema),
            sampling: Sampling {
                temperature: self.temperature.or(several),
                top_p: self.top_p,
                top_k: self.top_k,
                min_p: self.min_p,
                repeat_penalty: self.repeat_penalty,
                frequency_penalty: self.frequency_penalty,
                presence_penalty: self.presence_penalty,
                seed,
            },
            max_tokens,
            stop: self.stop.map(Stops::into_list).unwrap_or_default(),
            logprobs: self.logprobs.then(|| self.top_logprobs.unwrap_or(0)),
            ..Ask::new(self.model, Prompt::Chat(message::turns(self.messages)?))
        };
        // Each answer its own seed, so that the same request gives the same several answers.
        let nth = |index: u64| {
            let mut ask = ask.clone();
            ask.sampling.seed = seed.map(|seed| seed.wrapping_add(index));
            ask
        };
        Ok((0..u64::from(answers)).map(nth).collect())
    }
}
