//! `POST /v1/responses`: what is asked.

use axum::extract::State as Shared;
use axum::response::Response;
use edgecoder_protocol::ErrorCode;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::responses_input::{FlatChoice, FlatTool, Input, choice, tools, turns};
use super::{
    PROMPT_CACHE_KEY, PROMPT_CACHE_RETENTION, SAFETY_IDENTIFIER, SERVICE_TIER, USER, responses_answer,
};
use crate::Error;
use crate::extract::Closing;
use crate::ide::State;
use crate::ide::ask::{Ask, Prompt, Sampling, Turn};
use crate::ide::body::Sent;
use crate::ide::fault::Fault;
use crate::ide::parameters::{Endpoint, Unknown, honoured, idle, only, refused};
use crate::ide::room;

pub(in crate::ide) const ENDPOINT: Endpoint = Endpoint {
    method: "POST",
    path: "/v1/responses",
    unknown: Unknown::Refused,
    parameters: &[
        honoured("model"),
        honoured("input"),
        honoured("instructions"),
        honoured("previous_response_id"),
        honoured("store"),
        honoured("stream"),
        honoured("max_output_tokens"),
        honoured("temperature"),
        honoured("top_p"),
        honoured("tools"),
        honoured("tool_choice"),
        honoured("parallel_tool_calls"),
        honoured("text"),
        honoured("metadata"),
        USER,
        SAFETY_IDENTIFIER,
        PROMPT_CACHE_KEY,
        PROMPT_CACHE_RETENTION,
        SERVICE_TIER,
        idle("stream_options", "events are padded for the internet, and not on one's own machine"),
        only(
            "include",
            &[
                "\"reasoning.encrypted_content\"",
                "\"file_search_call.results\"",
                "\"web_search_call.results\"",
                "\"web_search_call.action.sources\"",
                "\"code_interpreter_call.outputs\"",
                "\"computer_call_output.output.image_url\"",
                "\"message.input_image.image_url\"",
            ],
            "they add what does not exist here, thoughts and results of OpenAI's own tools; for likelihoods use \
             `/v1/chat/completions`",
        ),
        idle("client_metadata", "it labels what OpenAI stores"),
        only("truncation", &["\"disabled\""], "conversations are never cut"),
        refused("reasoning", "the model was not trained to be told how long to think"),
        refused("background", "an answer ends with its connection"),
        refused("conversation", "use `previous_response_id`"),
        refused("context_management", "conversations are never shortened unasked"),
        refused("max_tool_calls", "no tool is run here"),
        refused("prompt", "OpenAI's stored prompts are not here"),
        refused("top_logprobs", "use `/v1/chat/completions`"),
    ],
    notes: &[
        "Answers are kept for `previous_response_id` in memory: the last 512, at most 32 MiB of conversation; with \
         `store: false` not at all.",
        "Of `text`, `format` (text, json_object, json_schema) is honoured; `verbosity` takes `medium`.",
        "Tools of OpenAI's own (`web_search`, `file_search`, `code_interpreter`, …) are refused; functions are taken.",
        "Items of type `reasoning` are left out.",
    ],
};

/// A response that is wanted.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = responses::ResponsesRequest)]
pub(in crate::ide) struct ResponsesRequest {
    /// `edgecoder-auto`, `edgecoder-local`, `edgecoder-swarm`, or a model's own name.
    model: String,
    input: Input,
    instructions: Option<String>,
    previous_response_id: Option<String>,
    store: Option<bool>,
    #[serde(default)]
    stream: bool,
    max_output_tokens: Option<u32>,
    temperature: Option<f32>,
    top_p: Option<f32>,
    #[serde(default)]
    tools: Vec<FlatTool>,
    tool_choice: Option<FlatChoice>,
    parallel_tool_calls: Option<bool>,
    text: Option<TextConfig>,
    #[serde(default)]
    #[schema(value_type = Object)]
    metadata: Map<String, Value>,
}

/// The form of the text.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = responses::TextConfig)]
pub(in crate::ide) struct TextConfig {
    format: Option<TextFormat>,
    verbosity: Option<String>,
}

/// The form of the answer.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
#[schema(as = responses::TextFormat)]
pub(in crate::ide) enum TextFormat {
    Text,
    JsonObject,
    JsonSchema { schema: Value },
}

/// What of the request the answer repeats or needs.
#[derive(Debug, Clone)]
pub(super) struct Echo {
    pub(super) instructions: Option<String>,
    pub(super) previous: Option<String>,
    pub(super) metadata: Map<String, Value>,
    pub(super) store: bool,
    pub(super) several_calls: bool,
}

/// Answers, whole or as a stream of events.
#[utoipa::path(post, path = "/v1/responses", tag = "openai", request_body = ResponsesRequest, responses(
    (status = 200, description = "A `response`, or events of it.", body = Object),
    (status = "default", description = "An error in OpenAI's form.", body = Object)))]
pub(in crate::ide) async fn create(
    state: Shared<State>,
    Closing(closing): Closing,
    Sent(bytes): Sent,
) -> Result<Response, Fault> {
    let request: ResponsesRequest = ENDPOINT.read(&bytes)?;
    let (stream, echo) = (request.stream, request.echo());
    let past = match &echo.previous {
        None => Vec::new(),
        Some(id) => state.past(id)?,
    };
    let (ask, conversation) = request.into_ask(past)?;
    let answer = state.desk().answer(&ask, closing).await?;
    responses_answer::told(answer, stream, echo, conversation, state.0).await
}

impl State {
    /// What was said before.
    fn past(&self, id: &str) -> Result<Vec<Turn>, Fault> {
        let kept = self.kept().of(id).ok_or_else(|| Fault {
            error: Error::new(ErrorCode::NotFound, format!("Previous response with id '{id}' not found.")),
            field: Some("previous_response_id".to_owned()),
        })?;
        Ok(kept.to_vec())
    }
}

impl ResponsesRequest {
    fn echo(&self) -> Echo {
        Echo {
            instructions: self.instructions.clone(),
            previous: self.previous_response_id.clone(),
            metadata: self.metadata.clone(),
            store: self.store.unwrap_or(true),
            several_calls: self.parallel_tool_calls.unwrap_or(true),
        }
    }

    /// What is asked, and the conversation to be kept: it has no instructions, those are of one request only.
    fn into_ask(self, past: Vec<Turn>) -> Result<(Ask, Vec<Turn>), Fault> {
        let mut conversation = past;
        conversation.extend(turns(self.input)?);
        if conversation.is_empty() {
            return Err(Fault::of("input", "`input`: there is none"));
        }
        let frame = self.instructions.filter(|text| !text.is_empty()).map(Turn::System);
        let said = frame.into_iter().chain(conversation.iter().cloned()).collect();
        let ask = Ask {
            tools: tools(self.tools)?,
            choice: self.tool_choice.map(choice).transpose()?.unwrap_or_default(),
            several_calls: self.parallel_tool_calls.unwrap_or(true),
            schema: self.text.map(TextConfig::schema).transpose()?.flatten(),
            sampling: Sampling { temperature: self.temperature, top_p: self.top_p, ..Sampling::USUAL },
            max_tokens: room::named("max_output_tokens", self.max_output_tokens)?,
            ..Ask::new(self.model, Prompt::Chat(said))
        };
        Ok((ask, conversation))
    }
}

impl TextConfig {
    fn schema(self) -> Result<Option<Value>, Fault> {
        if self.verbosity.is_some_and(|verbosity| verbosity != "medium") {
            return Err(Fault::unsupported(
                "text.verbosity",
                "the model was not trained to be told how much to say",
            ));
        }
        Ok(match self.format {
            None | Some(TextFormat::Text) => None,
            Some(TextFormat::JsonObject) => Some(json!({"type": "object"})),
            Some(TextFormat::JsonSchema { schema }) => Some(schema),
        })
    }
}
