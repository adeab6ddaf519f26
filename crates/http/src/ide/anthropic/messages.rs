//! `POST /v1/messages` and `/v1/messages/count_tokens`: what is asked.

use axum::Json;
use axum::extract::State as Shared;
use axum::response::Response;
use edgecoder_agent::tool_call::Tool;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::answer;
use super::content::{Content, Turned, turns};
use crate::extract::Closing;
use crate::ide::State;
use crate::ide::ask::{Ask, Prompt, Sampling, ToolChoice, Turn};
use crate::ide::body::Sent;
use crate::ide::fault::Fault;
use crate::ide::parameters::{Endpoint, Parameter, Unknown, honoured, idle, only, refused};
use crate::ide::room;

const BETA: Parameter = idle("betas", "what is honoured stands in this table");
const METADATA: Parameter = idle("metadata", "it helps Anthropic to find abuse, and changes no answer");
const CACHE: Parameter =
    idle("cache_control", "the beginning of a conversation is kept by the engine without being asked");
const THINKING: Parameter =
    only("thinking", &[r#"{"type":"disabled"}"#], "the model was not trained to be told how long to think");

pub(in crate::ide) const ENDPOINT: Endpoint = Endpoint {
    method: "POST",
    path: "/v1/messages",
    unknown: Unknown::Refused,
    parameters: &[
        honoured("model"),
        honoured("messages"),
        honoured("max_tokens"),
        honoured("system"),
        honoured("stream"),
        honoured("stop_sequences"),
        honoured("temperature"),
        honoured("top_p"),
        honoured("top_k"),
        honoured("tools"),
        honoured("tool_choice"),
        METADATA,
        CACHE,
        BETA,
        THINKING,
        only("service_tier", &["\"auto\"", "\"standard_only\""], "a node has one class of service"),
        refused("inference_geo", "where an answer is made is decided by the privacy tier, not by a region"),
        refused("container", "a node runs no containers for clients"),
        refused("mcp_servers", "connect them to the client"),
        refused("context_management", "conversations are never shortened unasked"),
        refused("output_config", "use `tool_choice` for answers of one form"),
        refused("output_format", "use `tool_choice` for answers of one form"),
    ],
    notes: &[
        "`temperature` is 0 where it is not given: small models write their best code so.",
        "`max_tokens` is a maximum: an answer has no more than the window leaves, and `stop_reason` says so.",
        "`stop_reason` is `end_turn` also where a stop sequence ended the answer: engines do not tell which it was.",
        "Blocks of type `thinking` in earlier answers are left out, as Anthropic's own models do; images and documents \
         are refused: the model reads text.",
        "Tools of Anthropic's own (`bash_20250124`, `web_search_…`) are refused; a client's own tools are taken.",
    ],
};

pub(in crate::ide) const COUNT: Endpoint = Endpoint {
    method: "POST",
    path: "/v1/messages/count_tokens",
    unknown: Unknown::Refused,
    parameters: &[
        honoured("model"),
        honoured("messages"),
        honoured("system"),
        honoured("tools"),
        honoured("tool_choice"),
        CACHE,
        BETA,
        THINKING,
        refused("mcp_servers", "connect them to the client"),
        refused("context_management", "conversations are never shortened unasked"),
        refused("output_config", "use `tool_choice` for answers of one form"),
        refused("output_format", "use `tool_choice` for answers of one form"),
    ],
    notes: &["The count is that of the model's own tokens, with its template and the declared tools."],
};

/// A conversation, as Anthropic's clients write it.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = anthropic::MessagesRequest)]
pub(in crate::ide) struct MessagesRequest {
    /// `edgecoder-auto`, `edgecoder-local`, `edgecoder-swarm`, or a model's own name.
    model: String,
    messages: Vec<Message>,
    max_tokens: u32,
    system: Option<Content>,
    #[serde(default)]
    stream: bool,
    #[serde(default)]
    stop_sequences: Vec<String>,
    temperature: Option<f32>,
    top_p: Option<f32>,
    top_k: Option<i32>,
    #[serde(default)]
    tools: Vec<OfferedTool>,
    tool_choice: Option<Choice>,
}

/// The same without an answer.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = anthropic::CountRequest)]
pub(in crate::ide) struct CountRequest {
    model: String,
    messages: Vec<Message>,
    system: Option<Content>,
    #[serde(default)]
    tools: Vec<OfferedTool>,
    tool_choice: Option<Choice>,
}

/// One turn.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = anthropic::Message)]
pub(in crate::ide) struct Message {
    role: Role,
    content: Content,
}

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = anthropic::Role)]
pub(in crate::ide) enum Role {
    User,
    Assistant,
    /// Later frames, as newer clients send them.
    System,
}

/// A tool that is offered.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = anthropic::OfferedTool)]
pub(in crate::ide) struct OfferedTool {
    name: String,
    #[serde(default, rename = "type")]
    kind: Option<String>,
    #[serde(default)]
    description: String,
    /// JSON Schema of its input.
    #[serde(default)]
    input_schema: Option<Value>,
}

/// Whether a tool is called.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = anthropic::Choice)]
pub(in crate::ide) struct Choice {
    /// `auto`, `any`, `tool` or `none`.
    #[serde(rename = "type")]
    kind: String,
    name: Option<String>,
    #[serde(default)]
    disable_parallel_tool_use: bool,
}

/// Answers a conversation, whole or as a stream of events.
#[utoipa::path(post, path = "/v1/messages", tag = "anthropic", request_body = MessagesRequest, responses(
    (status = 200, description = "A `message`, or events of it.", body = Object),
    (status = "default", description = "An error in Anthropic's form.", body = Object)))]
pub(in crate::ide) async fn create(
    state: Shared<State>,
    Closing(closing): Closing,
    Sent(bytes): Sent,
) -> Result<Response, Fault> {
    let request: MessagesRequest = ENDPOINT.read(&bytes)?;
    let stream = request.stream;
    let ask = request.into_ask()?;
    let answer = state.desk().answer(&ask, closing).await?;
    answer::told(answer, stream, state.stamp("msg")).await
}

/// How many tokens a conversation has.
#[utoipa::path(post, path = "/v1/messages/count_tokens", tag = "anthropic", request_body = CountRequest,
    responses((status = 200, body = Object), (status = "default", body = Object)))]
pub(in crate::ide) async fn count(state: Shared<State>, Sent(bytes): Sent) -> Result<Json<Value>, Fault> {
    let CountRequest { model, messages, system, tools, tool_choice } = COUNT.read(&bytes)?;
    let ask = asked(model, messages, system, tools, tool_choice)?;
    Ok(Json(json!({"input_tokens": state.desk().count(&ask).await?})))
}

impl MessagesRequest {
    fn into_ask(self) -> Result<Ask, Fault> {
        let max_tokens = room::named("max_tokens", Some(self.max_tokens))?;
        let ask = asked(self.model, self.messages, self.system, self.tools, self.tool_choice)?;
        Ok(Ask {
            max_tokens,
            stop: self.stop_sequences.into_iter().filter(|stop| !stop.is_empty()).collect(),
            sampling: Sampling {
                temperature: self.temperature,
                top_p: self.top_p,
                top_k: self.top_k,
                ..Sampling::USUAL
            },
            ..ask
        })
    }
}

fn asked(
    model: String,
    messages: Vec<Message>,
    system: Option<Content>,
    tools: Vec<OfferedTool>,
    choice: Option<Choice>,
) -> Result<Ask, Fault> {
    if messages.is_empty() {
        return Err(Fault::of("messages", "messages: at least one message is required"));
    }
    let mut conversation = Vec::new();
    if let Some(system) = system {
        conversation.push(Turn::System(system.into_text("system")?));
    }
    for (index, Message { role, content }) in messages.into_iter().enumerate() {
        let field = format!("messages.{index}.content");
        match role {
            Role::User => conversation.extend(turns(&field, content, Turned::User)?),
            Role::Assistant => conversation.extend(turns(&field, content, Turned::Assistant)?),
            Role::System => conversation.push(Turn::System(content.into_text(&field)?)),
        }
    }
    let several_calls = !choice.as_ref().is_some_and(|choice| choice.disable_parallel_tool_use);
    Ok(Ask {
        tools: tools.into_iter().enumerate().map(tool).collect::<Result<_, Fault>>()?,
        choice: choice.map(chosen).transpose()?.unwrap_or_default(),
        several_calls,
        ..Ask::new(model, Prompt::Chat(conversation))
    })
}

fn tool((index, tool): (usize, OfferedTool)) -> Result<Tool, Fault> {
    let OfferedTool { name, kind, description, input_schema } = tool;
    match kind.as_deref() {
        None | Some("custom") => Ok(Tool { name, description, parameters: input_schema.unwrap_or_default() }),
        Some(kind) => {
            let field = format!("tools.{index}.type");
            let words =
                format!("{field}: {kind:?} is run by Anthropic and not here; only \"custom\" is supported");
            Err(Fault::of(field, words))
        }
    }
}

fn chosen(choice: Choice) -> Result<ToolChoice, Fault> {
    match (choice.kind.as_str(), choice.name) {
        ("auto", _) => Ok(ToolChoice::Auto),
        ("any", _) => Ok(ToolChoice::Required),
        ("none", _) => Ok(ToolChoice::None),
        ("tool", Some(name)) => Ok(ToolChoice::Named(name)),
        _ => Err(Fault::of("tool_choice", "tool_choice: use auto, any, none, or tool with a name")),
    }
}
