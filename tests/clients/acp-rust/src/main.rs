//! The agent-client-protocol crate, speaking with `edgecoder acp`: the same scenario as the clients of npm and PyPI.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use agent_client_protocol::schema::ProtocolVersion;
use agent_client_protocol::v1::ConnectionTo;
use agent_client_protocol::v1::schema::{
    CancelNotification, ContentBlock, InitializeRequest, LoadSessionRequest, NewSessionRequest,
    PermissionOptionKind, PromptRequest, RequestPermissionOutcome, RequestPermissionRequest,
    RequestPermissionResponse, SelectedPermissionOutcome, SessionId, SessionNotification, SessionUpdate,
    StopReason, TextContent, ToolCallContent,
};
use agent_client_protocol::{Agent, ByteStreams, Client, Error};
use serde_json::json;
use tokio_util::compat::{TokioAsyncReadCompatExt as _, TokioAsyncWriteCompatExt as _};

const ASK: &str = "Write a function add(a, b) that returns the sum of a and b.";
const PATIENCE: Duration = Duration::from_secs(60);

/// What a person sees, and says when asked.
#[derive(Clone, Default)]
struct Editor {
    updates: Arc<Mutex<Vec<SessionUpdate>>>,
    asked: Arc<Mutex<Vec<RequestPermissionRequest>>>,
    rejects: Arc<Mutex<bool>>,
}

impl Editor {
    fn said(&self) -> String {
        let text = |update: &SessionUpdate| match update {
            SessionUpdate::AgentMessageChunk(chunk) => match &chunk.content {
                ContentBlock::Text(text) => Some(text.text.clone()),
                _ => None,
            },
            _ => None,
        };
        self.updates.lock().unwrap().iter().filter_map(text).collect()
    }

    fn count(&self, which: fn(&SessionUpdate) -> bool) -> usize {
        self.updates.lock().unwrap().iter().filter(|update| which(update)).count()
    }
}

type Agents = ConnectionTo<Agent>;

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set"))
}

/// Runs `work` with an agent process of its own.
async fn with_agent(home: &str, editor: &Editor, work: impl AsyncFnOnce(Agents) -> Result<(), Error>) {
    let mut command = tokio::process::Command::new(variable("EDGECODER_PROGRAM"));
    command.arg("acp").env_clear().env("PATH", "/usr/bin:/bin").env("EDGECODER_DATA_DIR", home);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().unwrap();
    let streams =
        ByteStreams::new(child.stdin.take().unwrap().compat_write(), child.stdout.take().unwrap().compat());
    let (seen, asked) = (editor.clone(), editor.clone());
    let done = Client
        .v1()
        .on_receive_notification(
            async move |notification: SessionNotification, _connection| {
                seen.updates.lock().unwrap().push(notification.update);
                Ok(())
            },
            agent_client_protocol::on_receive_notification!(),
        )
        .on_receive_request(
            async move |request: RequestPermissionRequest, responder, _connection| {
                let rejects = *asked.rejects.lock().unwrap();
                let kind =
                    if rejects { PermissionOptionKind::RejectOnce } else { PermissionOptionKind::AllowOnce };
                let option =
                    request.options.iter().find(|option| option.kind == kind).unwrap().option_id.clone();
                asked.asked.lock().unwrap().push(request);
                let chosen = RequestPermissionOutcome::Selected(SelectedPermissionOutcome::new(option));
                responder.respond(RequestPermissionResponse::new(chosen))
            },
            agent_client_protocol::on_receive_request!(),
        )
        .connect_with(streams, async |agent: Agents| {
            let told = agent.send_request(InitializeRequest::new(ProtocolVersion::V1)).block_task().await?;
            assert!(told.agent_capabilities.load_session);
            work(agent).await
        });
    tokio::time::timeout(PATIENCE, done).await.expect("in time").unwrap();
}

async fn opened(agent: &Agents, cwd: &Path) -> Result<SessionId, Error> {
    Ok(agent.send_request(NewSessionRequest::new(cwd)).block_task().await?.session_id)
}

async fn prompt(agent: &Agents, session: &SessionId, words: &str) -> Result<StopReason, Error> {
    let block = ContentBlock::Text(TextContent::new(words));
    let request = PromptRequest::new(session.clone(), vec![block]);
    Ok(agent.send_request(request).block_task().await?.stop_reason)
}

fn project() -> tempfile::TempDir {
    let place = tempfile::tempdir().unwrap();
    std::fs::write(place.path().join("a.py"), "print(1)\n").unwrap();
    place
}

async fn plain() {
    let (place, editor) = (project(), Editor::default());
    with_agent(&variable("EDGECODER_TINY_DATA"), &editor, async |agent| {
        let session = opened(&agent, place.path()).await?;
        let reason = prompt(&agent, &session, ASK).await?;
        assert!(matches!(reason, StopReason::EndTurn | StopReason::MaxTokens), "{reason:?}");
        assert!(!editor.said().is_empty());
        Ok(())
    })
    .await;
}

async fn streamed() {
    let (place, editor) = (project(), Editor::default());
    with_agent(&variable("EDGECODER_SCRIPTED_DATA"), &editor, async |agent| {
        let session = opened(&agent, place.path()).await?;
        assert_eq!(prompt(&agent, &session, "look").await?, StopReason::EndTurn);
        assert!(editor.count(|update| matches!(update, SessionUpdate::AgentMessageChunk(_))) > 1);
        Ok(())
    })
    .await;
}

async fn cancelled() {
    let (place, editor) = (project(), Editor::default());
    with_agent(&variable("EDGECODER_SCRIPTED_DATA"), &editor, async |agent| {
        let session = opened(&agent, place.path()).await?;
        let hang = prompt(&agent, &session, "Speak without end.");
        let cancel = async {
            while editor.said().is_empty() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            let since = Instant::now();
            agent.send_notification(CancelNotification::new(session.clone()))?;
            Ok::<_, Error>(since)
        };
        let (reason, since) = tokio::join!(hang, cancel);
        assert_eq!(reason?, StopReason::Cancelled);
        assert!(since?.elapsed() < Duration::from_secs(1), "cancelling took longer than a second");
        assert_eq!(prompt(&agent, &session, "look").await?, StopReason::EndTurn);
        Ok(())
    })
    .await;
}

async fn tools() {
    let (place, home) = (project(), variable("EDGECODER_SCRIPTED_DATA"));
    let text = || std::fs::read_to_string(place.path().join("a.py")).unwrap();
    let (editor, kept) = (Editor::default(), Mutex::new(None));
    with_agent(&home, &editor, async |agent| {
        let session = opened(&agent, place.path()).await?;
        prompt(&agent, &session, "look").await?;
        assert!(editor.said().contains("The tool said: print(1)"), "{}", editor.said());
        *editor.rejects.lock().unwrap() = true;
        prompt(&agent, &session, "Change a.py.").await?;
        assert_eq!(text(), "print(1)\n");
        *editor.rejects.lock().unwrap() = false;
        prompt(&agent, &session, "Change a.py.").await?;
        assert_eq!(text(), "print(2)\n");
        *kept.lock().unwrap() = Some(session);
        Ok(())
    })
    .await;
    {
        let asked = editor.asked.lock().unwrap();
        let content = asked[1].tool_call.fields.content.clone().unwrap();
        let ToolCallContent::Diff(diff) = &content[0] else { panic!("{content:?}") };
        assert_eq!((diff.old_text.as_deref(), diff.new_text.as_str()), (Some("print(1)\n"), "print(2)\n"));
    }
    // The editor was restarted: everything is shown again.
    let (again, session) = (Editor::default(), kept.into_inner().unwrap().unwrap());
    with_agent(&home, &again, async |agent| {
        let cwd: PathBuf = place.path().into();
        agent.send_request(LoadSessionRequest::new(session, cwd)).block_task().await?;
        assert_eq!(again.count(|update| matches!(update, SessionUpdate::UserMessageChunk(_))), 3);
        assert_eq!(again.count(|update| matches!(update, SessionUpdate::ToolCall(_))), 3);
        assert_eq!(again.said(), editor.said());
        Ok(())
    })
    .await;
}

async fn error() {
    let (place, editor) = (project(), Editor::default());
    with_agent(&variable("EDGECODER_SCRIPTED_DATA"), &editor, async |agent| {
        let nowhere = opened(&agent, Path::new("/nonexistent")).await.unwrap_err();
        assert!(nowhere.message.contains("projectRoot"), "{nowhere:?}");
        let unknown = LoadSessionRequest::new("sess_unknown", place.path());
        let unknown = agent.send_request(unknown).block_task().await.unwrap_err();
        assert!(unknown.message.contains("no session"), "{unknown:?}");
        Ok(())
    })
    .await;
}

/// Runs a step; what it panics with is a finding.
fn step(work: impl Future<Output = ()>) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| runtime.block_on(work)));
    done.map_or_else(|_| "failed".to_owned(), |()| "ok".to_owned())
}

fn main() {
    let outcome = json!({
        "plain": step(plain()), "streamed": step(streamed()), "cancelled": step(cancelled()), "tools": step(tools()),
        "error": step(error()),
    });
    println!("{outcome}");
    let good = outcome.as_object().is_some_and(|steps| steps.values().all(|said| said == "ok"));
    std::process::exit(if good { 0 } else { 1 });
}
