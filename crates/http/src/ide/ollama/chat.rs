//! `POST /api/chat`.

use axum::extract::State as Shared;
use axum::response::Response;
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::answer::{Form, Style, told};
use super::options::{AnswerFormat, Options};
use super::{KEEP_ALIVE, SHIFT, TRUNCATE, untagged};
use crate::extract::Closing;
use crate::ide::State;
use crate::ide::ask::{Ask, PastCall, Prompt, Turn};
use crate::ide::body::SentUndeclared;
use crate::ide::fault::Fault;
use crate::ide::openai::message::{OfferedTool, tools};
use crate::ide::parameters::{Endpoint, Unknown, honoured, refused};

pub(in crate::ide) const ENDPOINT: Endpoint = Endpoint {
    method: "POST",
    path: "/api/chat",
    unknown: Unknown::Ignored,
    parameters: &[
        honoured("model"),
        honoured("messages"),
        honoured("stream"),
        honoured("format"),
        honoured("options"),
        honoured("tools"),
        KEEP_ALIVE,
        TRUNCATE,
        SHIFT,
        refused("think", "the model was not trained to think aloud"),
        refused("logprobs", "use `/v1/chat/completions`"),
        refused("top_logprobs", "use `/v1/chat/completions`"),
    ],
    notes: &[
        "`options` have a table of their own below.",
        "An empty list of messages answers at once, as Ollama does to load a model.",
    ],
};

/// A chat, as Ollama's clients write it.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = ollama::ChatRequest)]
pub(in crate::ide) struct ChatRequest {
    /// `edgecoder-auto`, `edgecoder-local`, `edgecoder-swarm`, or a model's own name.
    model: String,
    #[serde(default)]
    messages: Vec<Message>,
    stream: Option<bool>,
    format: Option<AnswerFormat>,
    #[serde(default)]
    options: Options,
    #[serde(default)]
    tools: Vec<OfferedTool>,
}

/// One message.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = ollama::Message)]
pub(in crate::ide) struct Message {
    role: Role,
    #[serde(default)]
    content: Option<String>,
    #[serde(default)]
    images: Option<Vec<String>>,
    #[serde(default)]
    tool_calls: Option<Vec<Call>>,
}

/// Who speaks.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = ollama::Role)]
pub(in crate::ide) enum Role {
    System,
    User,
    Assistant,
    Tool,
}

/// A call of an earlier answer.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = ollama::Call)]
pub(in crate::ide) struct Call {
    function: Function,
}

/// The function and its arguments.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = ollama::Function)]
pub(in crate::ide) struct Function {
    name: String,
    #[serde(default)]
    #[schema(value_type = Object)]
    arguments: Value,
}

/// Answers a chat, as lines of JSON or whole.
#[utoipa::path(post, path = "/api/chat", tag = "ollama", request_body = ChatRequest,
    responses((status = 200, body = Object), (status = "default", body = Object)))]
pub(in crate::ide) async fn chat(
    state: Shared<State>,
    Closing(closing): Closing,
    SentUndeclared(bytes): SentUndeclared,
) -> Result<Response, Fault> {
    let request: ChatRequest = ENDPOINT.read(&bytes)?;
    let (model, stream) = (request.model.clone(), request.stream.unwrap_or(true));
    if request.messages.is_empty() {
        return state.loaded(&model, Form::Chat).await;
    }
    let style = Style { form: Form::Chat, stream, model, since: state.now(), clock: state.desk().clock };
    let answer = state.desk().answer(&request.into_ask()?, closing).await?;
    told(answer, style).await
}

impl ChatRequest {
    fn into_ask(self) -> Result<Ask, Fault> {
        let turns = self.messages.into_iter().enumerate().map(turn).collect::<Result<_, Fault>>()?;
        let mut ask = Ask::new(untagged(&self.model), Prompt::Chat(turns));
        ask.tools = tools(self.tools)?;
        ask.schema = self.format.map(AnswerFormat::schema).transpose()?.flatten();
        self.options.set(&mut ask)?;
        Ok(ask)
    }
}

fn turn((index, message): (usize, Message)) -> Result<Turn, Fault> {
    if message.images.is_some_and(|images| !images.is_empty()) {
        return Err(Fault::unsupported(format!("messages[{index}].images"), "the model reads text"));
    }
    let text = message.content.unwrap_or_default();
    Ok(match message.role {
        Role::System => Turn::System(text),
        Role::User => Turn::User(text),
        Role::Tool => Turn::Tool(text),
        Role::Assistant => {
            let calls = message.tool_calls.unwrap_or_default().into_iter();
            let calls =
                calls.map(|Call { function: Function { name, arguments } }| PastCall { name, arguments });
            Turn::Assistant(text, calls.collect())
        }
    })
}
