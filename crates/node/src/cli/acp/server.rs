//! The agent as editors see it: each request a task of its own, one prompt at a time in a session, and the node's door
//! looked up anew each time, so that a node may restart meanwhile.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use edgecoder_base::Secret;
use edgecoder_net::IdeClient;
use edgecoder_protocol::ErrorCode;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite, BufReader};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::messages::{self, Cancel, ListSessions, LoadSession, NewSession, Prompt, SetMode, modes};
use super::prompt::Prompting;
use super::updates::Teller;
use super::wire::{
    self, AUTH_REQUIRED, Editor, Fault, INTERNAL_ERROR, INVALID_PARAMS, INVALID_REQUEST, Incoming,
    METHOD_NOT_FOUND, NOT_FOUND,
};
use crate::cli::Context;
use crate::home::Token;

/// Requests answered at once: an editor asks for one thing at a time in each of a few sessions.
const AT_ONCE: usize = 64;

/// What all requests share.
struct Agent {
    context: Context,
    editor: Editor,
    sessions: Mutex<BTreeMap<String, Session>>,
}

/// A session that the editor has open.
struct Session {
    root: PathBuf,
    /// Cancels the prompt that runs.
    running: Option<CancellationToken>,
    /// Servers that the editor named and nobody starts: told once.
    untold_servers: usize,
}

/// Serves until the input ends or `stop`.
pub(super) async fn serve(
    context: Context,
    input: impl AsyncRead + Unpin,
    output: impl AsyncWrite + Unpin + Send + 'static,
    stop: CancellationToken,
) -> io::Result<()> {
    let (editor, lines) = Editor::new();
    let mut writing = JoinSet::new();
    writing.spawn(wire::write(lines, output));
    let agent = Arc::new(Agent { context, editor, sessions: Mutex::default() });
    let mut input = BufReader::new(input);
    let mut tasks = JoinSet::new();
    loop {
        let line = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            Some(_) = tasks.join_next(), if !tasks.is_empty() => continue,
            line = wire::next_line(&mut input), if tasks.len() < AT_ONCE => line?,
        };
        let Some(line) = line else { break };
        match wire::parse(&line) {
            Incoming::Request { id, method, params } => {
                let agent = Arc::clone(&agent);
                tasks.spawn(async move {
                    let outcome = agent.request(&method, params).await;
                    agent.editor.answer(id, outcome).await;
                });
            }
            Incoming::Notification { method, params } => agent.notified(&method, params),
            Incoming::Answer { id, outcome } => agent.editor.answered(id, outcome),
            Incoming::Garbled(id, fault) => agent.editor.answer(id, Err(fault)).await,
        }
    }
    // Whoever waits for an answer is told no more; dropping the tasks hangs up at the node.
    drop(tasks);
    drop(agent);
    writing.join_next().await.map_or(Ok(()), |wrote| wrote.unwrap_or(Ok(())))
}

impl Agent {
    async fn request(&self, method: &str, params: Value) -> Result<Value, Fault> {
        match method {
            "initialize" => Ok(messages::initialized()),
            "session/new" => self.new_session(messages::read(params)?).await,
            "session/load" => self.load(messages::read(params)?, true).await,
            "session/resume" => self.load(messages::read(params)?, false).await,
            "session/list" => self.list(messages::read(params)?).await,
            "session/set_mode" => self.set_mode(messages::read(params)?).await,
            "session/prompt" => self.prompt(messages::read(params)?).await,
            _ => Err(Fault::new(METHOD_NOT_FOUND, format!("there is no method {method}"))),
        }
    }

    fn notified(&self, method: &str, params: Value) {
        // Others are to be ignored, says the protocol.
        if method == "session/cancel"
            && let Ok(Cancel { session_id }) = messages::read(params)
            && let Some(session) = self.sessions.lock().get(&session_id)
            && let Some(running) = &session.running
        {
            running.cancel();
        }
    }

    async fn new_session(&self, asked: NewSession) -> Result<Value, Fault> {
        let body = json!({"projectRoot": asked.cwd});
        let opened = self.door()?.post("/v1/ide/sessions", &body).await.map_err(|error| fault(&error))?;
        let id = self.remember(&opened, asked.mcp_servers.len());
        Ok(json!({"sessionId": id, "modes": modes(mode_of(&opened))}))
    }

    async fn load(&self, asked: LoadSession, replay: bool) -> Result<Value, Fault> {
        let path = path_of(&asked.session_id, "")?;
        let kept = self.door()?.get(&path).await.map_err(|error| fault(&error))?;
        let root = root_of(&kept);
        if !same(&root, &asked.cwd) {
            let words = format!("cwd: the session is about {}", root.display());
            return Err(Fault::new(INVALID_PARAMS, words));
        }
        let id = self.remember(&kept, asked.mcp_servers.len());
        if replay {
            let mut teller = Teller::new(root);
            for event in kept["seen"].as_array().into_iter().flatten() {
                if let Some(update) = teller.tell(event) {
                    self.editor.update(&id, update).await;
                }
            }
            for update in teller.give_up() {
                self.editor.update(&id, update).await;
            }
        }
        Ok(json!({"modes": modes(mode_of(&kept))}))
    }

    async fn list(&self, asked: ListSessions) -> Result<Value, Fault> {
        let kept = self.door()?.get("/v1/ide/sessions").await.map_err(|error| fault(&error))?;
        let sessions = kept["sessions"].as_array().into_iter().flatten();
        let wanted = sessions.filter(|one| asked.cwd.as_deref().is_none_or(|cwd| same(&root_of(one), cwd)));
        let info = |one: &Value| json!({"sessionId": one["sessionId"], "cwd": one["projectRoot"], "title": one["title"], "updatedAt": one["updatedAt"]});
        Ok(json!({"sessions": wanted.map(info).collect::<Vec<_>>()}))
    }

    async fn set_mode(&self, asked: SetMode) -> Result<Value, Fault> {
        let path = path_of(&asked.session_id, "/mode")?;
        let body = json!({"mode": asked.mode_id});
        self.door()?.post(&path, &body).await.map_err(|error| fault(&error))?;
        Ok(json!({}))
    }

    async fn prompt(&self, asked: Prompt) -> Result<Value, Fault> {
        let id = asked.session_id;
        let words = messages::words(asked.prompt)?;
        let cancel = CancellationToken::new();
        let (root, servers) = {
            let mut sessions = self.sessions.lock();
            let session = sessions.get_mut(&id);
            let session =
                session.ok_or_else(|| Fault::new(NOT_FOUND, "this session is not open: load it first"))?;
            if session.running.is_some() {
                return Err(Fault::new(INVALID_REQUEST, "a prompt runs in this session: cancel it, or wait"));
            }
            session.running = Some(cancel.clone());
            (session.root.clone(), std::mem::take(&mut session.untold_servers))
        };
        let _running = Running { agent: self, session: &id };
        if servers > 0 {
            let words = format!(
                "{servers} MCP servers of the editor are not used here; EdgeCoder's settings name its own.\n"
            );
            let content = json!({"type": "text", "text": words});
            self.editor
                .update(&id, json!({"sessionUpdate": "agent_thought_chunk", "content": content}))
                .await;
        }
        let door = self.door()?;
        let prompting =
            Prompting { editor: &self.editor, door: &door, session: &id, teller: Teller::new(root) };
        prompting.run(words, &cancel).await
    }

    fn remember(&self, session: &Value, untold_servers: usize) -> String {
        let id = session["sessionId"].as_str().unwrap_or_default().to_owned();
        let session = Session { root: root_of(session), running: None, untold_servers };
        self.sessions.lock().entry(id.clone()).or_insert(session);
        id
    }

    /// The door of the node that runs now.
    fn door(&self) -> Result<IdeClient, Fault> {
        let config = &self.context.loaded.config.ide;
        let broken = |error: crate::error::Error| Fault::new(INTERNAL_ERROR, crate::error::chain(&error));
        let running = self.context.data.running().map_err(broken)?;
        let url = running.and_then(|node| node.doors.get("ide").cloned());
        let url = url.ok_or_else(|| {
            Fault::new(INTERNAL_ERROR, "no EdgeCoder node runs on this machine: start it with `edgecoder up`")
        })?;
        let known = match &config.token {
            Some(token) => Some(token.clone()),
            None => self.context.data.known_token(Token::Ide).map_err(broken)?,
        };
        let token = known.unwrap_or_else(|| Secret::new(String::new()));
        IdeClient::build(&url, token).map_err(|error| fault(&error))
    }
}

/// A prompt that runs: the session takes another one when this is dropped.
struct Running<'a> {
    agent: &'a Agent,
    session: &'a str,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if let Some(session) = self.agent.sessions.lock().get_mut(self.session) {
            session.running = None;
        }
    }
}

/// Refusals of the node that the protocol has a number for; all others are internal errors with the node's code.
const NUMBERS: &[(ErrorCode, i64)] = &[
    (ErrorCode::NotFound, NOT_FOUND),
    (ErrorCode::InvalidRequest, INVALID_PARAMS),
    (ErrorCode::UnknownField, INVALID_PARAMS),
    (ErrorCode::Forbidden, INVALID_PARAMS),
    (ErrorCode::WrongState, INVALID_REQUEST),
    (ErrorCode::IdeUnauthorized, AUTH_REQUIRED),
];

/// The node's refusal in the protocol's numbers.
pub(super) fn fault(error: &edgecoder_net::Error) -> Fault {
    let edgecoder_net::Error::Refused { code, message, .. } = error else {
        return Fault::new(INTERNAL_ERROR, error.to_string());
    };
    let known = NUMBERS.iter().find(|(known, _)| known == code);
    let number = known.map_or(INTERNAL_ERROR, |(_, number)| *number);
    Fault { node_code: Some(code.to_string()), ..Fault::new(number, message.clone()) }
}

/// The path of a session; its name must not lead elsewhere.
fn path_of(session: &str, below: &str) -> Result<String, Fault> {
    let plain = !session.is_empty() && session.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !plain {
        return Err(Fault::new(NOT_FOUND, "there is no session of that name"));
    }
    Ok(format!("/v1/ide/sessions/{session}{below}"))
}

fn root_of(session: &Value) -> PathBuf {
    PathBuf::from(session["projectRoot"].as_str().unwrap_or_default())
}

fn mode_of(session: &Value) -> &str {
    session["mode"].as_str().unwrap_or("ask")
}

fn same(one: &Path, other: &Path) -> bool {
    one == other || other.canonicalize().is_ok_and(|other| one == other)
}
