//! The person's own MCP servers as a toolbox of the companion: each a process in the sandbox, started when it is first
//! needed, named before its tools, and started again after its end.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use edgecoder_agent::session::ApprovalClass;
use edgecoder_agent::tool_call::Tool;
use edgecoder_companion::{Borrowed, BorrowedCall, NoTools, Toolbox};
use edgecoder_mcp::{Connection, Error, Limits, harmless};
use edgecoder_sandbox::{Job, Sandbox};
use futures::FutureExt as _;
use futures::future::{BoxFuture, join_all};
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::cli::Context;
use crate::config::{McpConfig, McpServerConfig};
use crate::error::Error as NodeError;

/// Between the names of a server and of its tool.
const SEPARATOR: &str = "__";
/// A server that could not be started is left alone for so long: a person should not wait for it with every message.
const LEFT_ALONE: Duration = Duration::from_secs(60);
/// A server lives as long as its node, and no longer than anybody forgets a process.
const LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

/// All servers of the settings.
#[derive(Debug)]
pub(crate) struct McpServers {
    servers: BTreeMap<String, Server>,
}

#[derive(Debug)]
struct Server {
    name: String,
    config: McpServerConfig,
    sandbox: Sandbox,
    state: Mutex<State>,
}

#[derive(Debug)]
enum State {
    Idle,
    Up(Running),
    Failed(Instant),
}

/// A process and the conversation with it; both end when this is dropped.
#[derive(Debug)]
struct Running {
    connection: Arc<Connection>,
    /// Polls the end of the process, which dies with it.
    _end: JoinSet<()>,
    /// What the server sees as its folder.
    _folder: tempfile::TempDir,
}

/// What the settings lend to the companion.
pub(crate) fn lent(context: &Context) -> Result<Arc<dyn Toolbox>, NodeError> {
    let settings = &context.loaded.config;
    if settings.mcp.servers.is_empty() {
        return Ok(Arc::new(NoTools));
    }
    let sandbox = Sandbox::new(settings.sandbox.to_sandbox(&context.env));
    let sandbox = sandbox.map_err(|error| NodeError::Role(error.to_string()))?;
    Ok(Arc::new(McpServers::new(&settings.mcp, &sandbox)))
}

impl McpServers {
    fn new(config: &McpConfig, sandbox: &Sandbox) -> Self {
        let server = |(name, config): (&String, &McpServerConfig)| {
            let (config, sandbox) = (config.clone(), sandbox.clone());
            (name.clone(), Server { name: name.clone(), config, sandbox, state: Mutex::new(State::Idle) })
        };
        Self { servers: config.servers.iter().map(server).collect() }
    }
}

impl Server {
    /// The conversation, begun anew where there is none.
    async fn connection(&self) -> Result<Arc<Connection>, String> {
        let mut state = self.state.lock().await;
        match &*state {
            State::Up(running) if running.connection.is_open() => return Ok(Arc::clone(&running.connection)),
            State::Failed(at) if at.elapsed() < LEFT_ALONE => {
                return Err(format!("the server {} could not be started; see the node's log", self.name));
            }
            State::Up(_) | State::Failed(_) | State::Idle => {}
        }
        // Before another is begun, the one before ends.
        *state = State::Idle;
        match self.start().await {
            Ok(running) => {
                let connection = Arc::clone(&running.connection);
                for why in &connection.offer().left_out {
                    tracing::warn!(server = self.name, why, "a tool is left out");
                }
                *state = State::Up(running);
                Ok(connection)
            }
            Err(error) => {
                tracing::warn!(server = self.name, error, "an MCP server could not be started");
                *state = State::Failed(Instant::now());
                Err(error)
            }
        }
    }

    async fn start(&self) -> Result<Running, String> {
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        let mut job = Job::new(folder.path(), command_line(&self.config));
        job.env =
            self.config.env.iter().map(|(name, value)| (name.clone(), value.expose().clone())).collect();
        job.limits.wall = LIFETIME;
        let (stream, end) =
            self.sandbox.converse(&job, CancellationToken::new()).map_err(|error| error.to_string())?;
        let mut ends = JoinSet::new();
        let name = self.name.clone();
        ends.spawn(async move {
            match end.await {
                Ok(report) => {
                    let complaints = harmless(&report.stderr.text());
                    tracing::warn!(server = name, exit = ?report.exit, complaints, "an MCP server ended");
                }
                Err(error) => tracing::warn!(server = name, %error, "an MCP server could not be confined"),
            }
        });
        let (read, write) = stream.into_split();
        let limits = Limits { call: self.config.timeout(), ..Limits::default() };
        let connection = Connection::open(read, write, limits).await.map_err(|error| error.to_string())?;
        Ok(Running { connection: Arc::new(connection), _end: ends, _folder: folder })
    }

    async fn tools(&self) -> Vec<Borrowed> {
        let Ok(connection) = self.connection().await else { return Vec::new() };
        let tools = connection.offer().tools.iter().map(|tool| Borrowed {
            tool: Tool {
                name: format!("{}{SEPARATOR}{}", self.name, tool.name),
                description: tool.description.clone(),
                parameters: tool.schema.clone().into(),
            },
            // What is passed leaves this process, whatever the server says of itself.
            class: ApprovalClass::Network,
        });
        tools.collect()
    }

    async fn call(&self, tool: &str, call: BorrowedCall, stop: CancellationToken) -> Result<String, String> {
        let connection = self.connection().await?;
        if !connection.offer().tools.iter().any(|offered| offered.name == tool) {
            return Err(format!("the server {} has no tool {tool}", self.name));
        }
        connection.call(tool, call.arguments, &stop).await.map_err(|error| {
            // What a tool says of its failure is for the model; what befell the server needs its name.
            if let Error::Failed(words) = error { words } else { format!("{}: {error}", self.name) }
        })
    }
}

impl Toolbox for McpServers {
    fn tools<'a>(&'a self, _: &'a Path) -> BoxFuture<'a, Vec<Borrowed>> {
        async { join_all(self.servers.values().map(Server::tools)).await.into_iter().flatten().collect() }
            .boxed()
    }

    fn call(&self, call: BorrowedCall, stop: CancellationToken) -> BoxFuture<'_, Result<String, String>> {
        async move {
            let named = call.name.clone();
            let found = named.split_once(SEPARATOR);
            match found.and_then(|(server, tool)| Some((self.servers.get(server)?, tool))) {
                Some((server, tool)) => server.call(tool, call, stop).await,
                None => Err(format!("there is no tool {named}")),
            }
        }
        .boxed()
    }
}

/// For the sandbox's shell: the words themselves, whatever stands in them.
fn command_line(config: &McpServerConfig) -> String {
    let words = std::iter::once(&config.command).chain(&config.args);
    let quoted: Vec<String> = words.map(|word| format!("'{}'", word.replace('\'', r"'\''"))).collect();
    format!("exec {}", quoted.join(" "))
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use serde_json::{Map, json};

    use super::*;

    /// A server in the shell, which every sandbox has. It looks for what it must not find.
    const PLAYED: &str = r#"
while read -r line; do
    id=$(printf '%s' "$line" | sed -n 's/.*"id":\([0-9]*\).*/\1/p')
    answer() { printf '{"jsonrpc":"2.0","id":%s,"result":%s}\n' "$id" "$1"; }
    case "$line" in
    *'"initialize"'*) answer '{"protocolVersion":"2025-06-18","capabilities":{"tools":{}},"serverInfo":{"name":"p","version":"1"}}' ;;
    *'"tools/list"'*) answer '{"tools":[{"name":"look","description":"l\u001b[2J","inputSchema":{"type":"object"}}]}' ;;
    *'"die"'*) exit 3 ;;
    *'"tools/call"'*)
        [ -e "$HOME_OF_OWNER" ] && seen=files
        ls /sys/class/net | grep -qv '^lo$' && seen="$seen network"
        answer "{\"content\":[{\"type\":\"text\",\"text\":\"key $KEY, outside: $seen\"}]}" ;;
    esac
done
"#;

    fn servers(command: &str, home: &Path) -> McpServers {
        let server = McpServerConfig {
            command: "/bin/sh".to_owned(),
            args: vec!["-c".to_owned(), command.to_owned()],
            env: [("KEY", "it's"), ("HOME_OF_OWNER", home.to_str().unwrap())]
                .map(|(name, value)| (name.to_owned(), edgecoder_base::Secret::new(value.to_owned())))
                .into(),
            ..McpServerConfig::default()
        };
        let config = McpConfig { servers: [("box".to_owned(), server)].into() };
        // Programs lie one folder above the tests.
        let tests = std::env::current_exe().unwrap();
        let jail = tests.ancestors().nth(2).unwrap().join("edgecoder-jail");
        let found = edgecoder_sandbox::Config { jail: Some(jail), ..edgecoder_sandbox::Config::default() };
        McpServers::new(&config, &Sandbox::new(found).unwrap())
    }

    async fn call(servers: &McpServers, tool: &str, arguments: serde_json::Value) -> Result<String, String> {
        let arguments: Map<_, _> = arguments.as_object().cloned().unwrap_or_default();
        let call = BorrowedCall { name: tool.to_owned(), arguments, project: "/".into() };
        servers.call(call, CancellationToken::new()).await
    }

    #[tokio::test]
    async fn a_server_is_lent_from_inside_the_sandbox_and_comes_back_after_its_end() {
        let home = tempfile::tempdir().unwrap();
        let servers = servers(PLAYED, home.path());
        let offered = servers.tools(Path::new("/")).await;
        assert_eq!(offered.len(), 1, "{offered:?}");
        assert_eq!((offered[0].tool.name.as_str(), offered[0].class), ("box__look", ApprovalClass::Network));
        assert_eq!(offered[0].tool.description, "l\u{fffd}[2J");
        assert_eq!(call(&servers, "box__look", json!({})).await.unwrap(), "key it's, outside: ");
        let died = call(&servers, "box__look", json!({"a": "die"})).await.unwrap_err();
        assert!(died.contains("gone"), "{died}");
        assert_eq!(call(&servers, "box__look", json!({})).await.unwrap(), "key it's, outside: ");
        for unknown in ["box__other", "nobody__look", "look"] {
            assert!(call(&servers, unknown, json!({})).await.unwrap_err().contains("no tool"));
        }
    }

    #[tokio::test]
    async fn a_server_that_cannot_be_is_left_out_and_left_alone() {
        let home = tempfile::tempdir().unwrap();
        let servers = servers("exit 1", home.path());
        assert!(servers.tools(Path::new("/")).await.is_empty());
        let error = call(&servers, "box__look", json!({})).await.unwrap_err();
        assert!(error.contains("could not be started"), "{error}");
    }

    #[test]
    fn words_stay_words() {
        let config = McpServerConfig {
            command: "a b".to_owned(),
            args: vec!["it's; rm -rf /".to_owned(), String::new()],
            ..McpServerConfig::default()
        };
        assert_eq!(command_line(&config), r"exec 'a b' 'it'\''s; rm -rf /' ''");
    }
}
