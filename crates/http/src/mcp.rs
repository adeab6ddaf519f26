//! MCP: agents of other makers submit, watch, fetch and apply tasks, over `/mcp` of the IDE door or standard streams.
//!
//! ```text
//! POST /mcp ─► guard: Host, Origin, token always ─┐
//! edgecoder mcp: standard input and output ───────┴─► Server ─► dyn Tasks: freeze, ask the coordinator, apply
//! ```
//!
//! A task of ours is a task of MCP under the same id: call now, poll later, cancel. Clients that do not know tasks of
//! MCP poll `status`, or wait in `result`, which tells its progress.
//!
//! **Invariants.** Nothing is kept between two requests, so a client that was started anew asks for the id it knows,
//! and so does one whose node was. What the command line demands of a person is demanded here too.

mod answers;
mod progress;
mod resources;
mod server;
mod states;
mod tools;

use std::path::PathBuf;
use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use edgecoder_base::TaskId;
use edgecoder_protocol::api::tasks::{TaskSummary, TaskView};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use rmcp::ServiceExt as _;
use rmcp::transport::async_rw::AsyncRwTransport;
use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;

use crate::Error;
use crate::request::Verbatim;

pub use server::Server;
pub use tools::{Apply, Submit};

/// Longest message taken: a request of a task and its scope; files never travel here.
const MAX_MESSAGE_BYTES: usize = 1024 * 1024;

/// What the tools do on this machine, in the name of its owner.
pub trait Tasks: std::fmt::Debug + Send + Sync + 'static {
    /// Freezes a repository and submits a request about it.
    fn submit(&self, submit: Submit) -> BoxFuture<'_, Result<Submitted, Error>>;
    /// A task in full.
    fn task<'a>(&'a self, id: &'a TaskId) -> BoxFuture<'a, Result<TaskView, Error>>;
    /// The newest tasks.
    fn newest(&self) -> BoxFuture<'_, Result<Vec<TaskSummary>, Error>>;
    /// The proven patch as a unified diff.
    fn diff<'a>(&'a self, id: &'a TaskId) -> BoxFuture<'a, Result<String, Error>>;
    /// The winning attempt's trace, a JSON value a line.
    fn trace<'a>(&'a self, id: &'a TaskId) -> BoxFuture<'a, Result<String, Error>>;
    /// Stops a task.
    fn cancel<'a>(&'a self, id: &'a TaskId) -> BoxFuture<'a, Result<TaskView, Error>>;
    /// Writes the proven patch into a working directory, exactly or not at all.
    fn apply(&self, apply: Apply) -> BoxFuture<'_, Result<Applied, Error>>;
}

/// A task that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submitted {
    /// The task.
    pub task: TaskView,
    /// What is not part of the snapshot and why, like files that look like secrets.
    pub left_out: Vec<String>,
}

/// What applying came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// The working directory.
    pub repo: PathBuf,
    /// The files of the patch.
    pub paths: Vec<String>,
    /// Whether every file was so already, and nothing was written.
    pub already: bool,
}

/// Speaks MCP over two streams until the client hangs up or `stop`.
pub async fn serve_streams(
    server: Server,
    read: impl AsyncRead + Send + Unpin + 'static,
    write: impl AsyncWrite + Send + Unpin + 'static,
    stop: CancellationToken,
) -> Result<(), std::io::Error> {
    let streams = AsyncRwTransport::new_server(read, write).with_max_line_length(MAX_MESSAGE_BYTES);
    match server.serve_with_ct(streams, stop).await {
        Ok(running) => running.waiting().await.map(|_| ()).map_err(std::io::Error::other),
        // A client that leaves before it has said anything leaves nothing behind.
        Err(rmcp::service::ServerInitializeError::ConnectionClosed(_)) => Ok(()),
        Err(error) => Err(std::io::Error::other(error)),
    }
}

type Streamable = StreamableHttpService<Server, NeverSessionManager>;

/// The service of one path: each request stands for itself, so there are no sessions to lose.
pub(crate) fn service(server: Server) -> Streamable {
    // Who may enter is the guard's question, which knows the settings.
    let config = StreamableHttpServerConfig::default()
        .disable_allowed_hosts()
        .with_legacy_session_mode(false)
        .with_json_response(true)
        .with_max_request_body_bytes(MAX_MESSAGE_BYTES);
    StreamableHttpService::new(move || Ok(server.clone()), Arc::new(NeverSessionManager::default()), config)
}

/// The handler of `/mcp`: errors have MCP's own bodies.
pub(crate) fn answer(
    streamable: Streamable,
    request: axum::extract::Request,
) -> BoxFuture<'static, Response> {
    async move {
        let mut response = streamable.handle(request).await.map(axum::body::Body::new).into_response();
        response.extensions_mut().insert(Verbatim);
        response
    }
    .boxed()
}
