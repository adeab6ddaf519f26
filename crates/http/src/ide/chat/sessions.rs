//! Projects and sessions: which directory is meant, what was said, and how freely a session works.

use std::path::PathBuf;

use axum::Json;
use axum::extract::State as Shared;
use edgecoder_companion::{Event, Seen, SessionView, Transcript};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::approval::{DONE, Done};
use super::ask::mode_named;
use crate::Error;
use crate::extract::Path;
use crate::ide::State;
use crate::ide::body::Sent;
use crate::ide::fault::Fault;
use crate::ide::parameters::{Endpoint, Unknown, honoured};

pub(in crate::ide) const PROJECT: Endpoint = Endpoint {
    method: "POST",
    path: "/v1/ide/project",
    unknown: Unknown::Refused,
    parameters: &[honoured("projectRoot")],
    notes: &["Whatever the companion reads or changes lies below it. `GET` tells it."],
};

pub(in crate::ide) const OPEN: Endpoint = Endpoint {
    method: "POST",
    path: "/v1/ide/sessions",
    unknown: Unknown::Refused,
    parameters: &[honoured("projectRoot"), honoured("mode")],
    notes: &["`GET` lists them; `GET /v1/ide/sessions/{id}` tells everything that was said and seen."],
};

pub(in crate::ide) const MODE: Endpoint = Endpoint {
    method: "POST",
    path: "/v1/ide/sessions/{id}/mode",
    unknown: Unknown::Refused,
    parameters: &[honoured("mode")],
    notes: &[
        "`ask`: as the settings say. `edit`: ordinary files without asking. `read`: nothing is changed, run or sent.",
    ],
};

/// Which directory is meant.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ide::ProjectRequest)]
pub(in crate::ide) struct ProjectRequest {
    /// An absolute path.
    project_root: String,
}

/// The directory that is meant.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ide::Project)]
pub(in crate::ide) struct Project {
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    ok: bool,
    project_root: Option<String>,
}

/// A session that is wanted.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ide::SessionRequest)]
pub(in crate::ide) struct SessionRequest {
    /// An absolute path.
    project_root: String,
    /// `ask`, `edit` or `read`.
    mode: Option<String>,
}

/// How freely it works.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = ide::ModeRequest)]
pub(in crate::ide) struct ModeRequest {
    /// `ask`, `edit` or `read`.
    mode: String,
}

/// A session.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ide::Session)]
pub(in crate::ide) struct Session {
    session_id: String,
    project_root: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    mode: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    updated_at: Option<edgecoder_base::Timestamp>,
    /// What the person said (`{type: "person", content}`) and saw (as in the stream of a chat), in order.
    #[serde(skip_serializing_if = "Option::is_none")]
    seen: Option<Vec<Value>>,
}

/// Sessions, the latest used first.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ide::Sessions)]
pub(in crate::ide) struct Sessions {
    sessions: Vec<Session>,
}

impl From<SessionView> for Session {
    fn from(view: SessionView) -> Self {
        let SessionView { id, project, title, used_at } = view;
        Self {
            session_id: id,
            project_root: project.display().to_string(),
            mode: None,
            title: Some(title),
            updated_at: Some(used_at),
            seen: None,
        }
    }
}

impl From<Transcript> for Session {
    fn from(transcript: Transcript) -> Self {
        let event = |event: Event| serde_json::to_value(event).unwrap_or_default();
        let seen = transcript.seen.into_iter().map(|seen| match seen {
            Seen::Person(content) => json!({"type": "person", "content": content}),
            Seen::Event(one) => event(one),
        });
        Self {
            session_id: transcript.id,
            project_root: transcript.project.display().to_string(),
            mode: Some(transcript.mode.as_str()),
            title: None,
            updated_at: None,
            seen: Some(seen.collect()),
        }
    }
}

/// The directory that is meant where a chat names none.
#[utoipa::path(get, path = "/v1/ide/project", tag = "companion", responses((status = 200, body = Project)))]
pub(in crate::ide) async fn project(state: Shared<State>) -> Result<Json<Project>, Error> {
    let root = state.companion()?.project();
    Ok(Json(Project { ok: false, project_root: root.map(|root| root.display().to_string()) }))
}

/// Sets it.
#[utoipa::path(post, path = "/v1/ide/project", tag = "companion", request_body = ProjectRequest,
    responses((status = 200, body = Project)))]
pub(in crate::ide) async fn set_project(
    state: Shared<State>,
    Sent(bytes): Sent,
) -> Result<Json<Project>, Fault> {
    let ProjectRequest { project_root } = PROJECT.read(&bytes)?;
    let root = state.companion()?.set_project(PathBuf::from(project_root)).await.map_err(Error::from)?;
    Ok(Json(Project { ok: true, project_root: Some(root.display().to_string()) }))
}

/// Begins a session that is kept.
#[utoipa::path(post, path = "/v1/ide/sessions", tag = "companion", request_body = SessionRequest,
    responses((status = 200, body = Session)))]
pub(in crate::ide) async fn open(state: Shared<State>, Sent(bytes): Sent) -> Result<Json<Session>, Fault> {
    let SessionRequest { project_root, mode } = OPEN.read(&bytes)?;
    let mode = mode.as_deref().map(mode_named).transpose()?;
    let opened = state.companion()?.open(PathBuf::from(project_root), mode).await.map_err(Error::from)?;
    Ok(Json(opened.into()))
}

/// The sessions, the latest used first.
#[utoipa::path(get, path = "/v1/ide/sessions", tag = "companion", responses((status = 200, body = Sessions)))]
pub(in crate::ide) async fn list(state: Shared<State>) -> Result<Json<Sessions>, Error> {
    let sessions = state.companion()?.sessions().await?;
    Ok(Json(Sessions { sessions: sessions.into_iter().map(Session::from).collect() }))
}

/// Everything that was said and seen in a session.
#[utoipa::path(get, path = "/v1/ide/sessions/{id}", tag = "companion", params(("id" = String, Path)),
    responses((status = 200, body = Session)))]
pub(in crate::ide) async fn one(
    state: Shared<State>,
    Path(id): Path<String>,
) -> Result<Json<Session>, Error> {
    Ok(Json(state.companion()?.transcript(&id).await?.into()))
}

/// Chooses how freely a session works, from its next action on.
#[utoipa::path(post, path = "/v1/ide/sessions/{id}/mode", tag = "companion", params(("id" = String, Path)),
    request_body = ModeRequest, responses((status = 200, body = Done)))]
pub(in crate::ide) async fn mode(
    state: Shared<State>,
    Path(id): Path<String>,
    Sent(bytes): Sent,
) -> Result<Json<Done>, Fault> {
    let ModeRequest { mode } = MODE.read(&bytes)?;
    state.companion()?.set_mode(&id, mode_named(&mode)?).await.map_err(Error::from)?;
    Ok(Json(DONE))
}
