//! `POST /v1/ide/chat`: a person's message, and everything that follows from it as events.

use std::path::PathBuf;
use std::sync::Arc;

use axum::extract::State as Shared;
use axum::http::HeaderMap;
use axum::response::Response;
use edgecoder_companion::{Chat, Mode, Turn};
use edgecoder_routing::wish;
use futures::StreamExt as _;
use serde::Deserialize;
use utoipa::ToSchema;

use super::thinker::AtDesk;
use crate::extract::Closing;
use crate::ide::State;
use crate::ide::body::Sent;
use crate::ide::fault::Fault;
use crate::ide::parameters::{Endpoint, Unknown, honoured, refused};
use crate::ide::sse;

pub(in crate::ide) const ENDPOINT: Endpoint = Endpoint {
    method: "POST",
    path: "/v1/ide/chat",
    unknown: Unknown::Refused,
    parameters: &[
        honoured("messages"),
        honoured("model"),
        honoured("projectRoot"),
        honoured("sessionId"),
        honoured("mode"),
        refused(
            "githubToken",
            "the companion holds no keys to other services: git finds your own, and pull requests are yours to open",
        ),
    ],
    notes: &[
        "The answer is a stream of events: `text`, `status`, `tool_call`, `tool_result`, `diff`, `shell_output`, `plan`, \
         then `done` or `error`. Each has its name as `event:` and as `type` of its data.",
        "Without `sessionId` the conversation is the client's: `messages` has all of it and nothing is kept. With it, \
         `messages` has what is new.",
        "Hanging up ends everything that runs and rejects what waits for this chat, and nothing else.",
        "The token is asked for also on this machine.",
    ],
};

/// A chat with the companion.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ide::ChatRequest)]
pub(in crate::ide) struct ChatRequest {
    /// The conversation, or what is new in a session. The last is the user's.
    messages: Vec<Said>,
    /// The model [default: `edgecoder-auto`].
    model: Option<String>,
    /// The project, an absolute path [default: the session's, else the one that was set].
    project_root: Option<String>,
    /// A session that is kept.
    session_id: Option<String>,
    /// `ask`, `edit` or `read` [default: the session's, else `ask`].
    mode: Option<String>,
}

/// One message.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ide::ChatMessage)]
pub(in crate::ide) struct Said {
    role: Role,
    content: String,
}

/// Who said it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ide::ChatRole)]
enum Role {
    System,
    User,
    Assistant,
}

impl From<Said> for Turn {
    fn from(Said { role, content: text }: Said) -> Self {
        match role {
            Role::System => Self::System { text },
            Role::User => Self::Person { text },
            Role::Assistant => Self::Model { text, calls: Vec::new() },
        }
    }
}

/// The mode of that name.
pub(super) fn mode_named(name: &str) -> Result<Mode, Fault> {
    Mode::named(name).ok_or_else(|| Fault::of("mode", "mode: `ask`, `edit` or `read`"))
}

/// Lets a model work on a project; each happening is an event, and what waits for a person says so.
#[utoipa::path(post, path = "/v1/ide/chat", tag = "companion", request_body = ChatRequest,
    responses((status = 200, body = String, content_type = "text/event-stream")))]
pub(in crate::ide) async fn chat(
    state: Shared<State>,
    closing: Closing,
    Sent(bytes): Sent,
) -> Result<Response, Fault> {
    let ChatRequest { messages, model, project_root, session_id, mode } = ENDPOINT.read(&bytes)?;
    let chat = Chat {
        session: session_id,
        messages: messages.into_iter().map(Turn::from).collect(),
        model: model.unwrap_or_else(|| wish::AUTO.to_owned()),
        project: project_root.map(PathBuf::from),
        mode: mode.as_deref().map(mode_named).transpose()?,
    };
    let thinker = AtDesk { state: state.0.clone(), closing: closing.0.clone() };
    let events = state.companion()?.chat(chat, Arc::new(thinker)).await.map_err(crate::Error::from)?;
    let events = events.map(|event| sse::named_event(event.name(), &event));
    Ok(sse::events(HeaderMap::new(), events.take_until(closing.0.cancelled_owned())))
}
