//! The way to a coordinator for one command: the one that was named, the node that runs here, or a node of our
//! own for as long as the command takes.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use edgecoder_net::ApiClient;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::Context;
use crate::config::{Config, Loaded, Origin};
use crate::error::{Error, Exit, chain};
use crate::node::Node;
use crate::role::Role;
use crate::telemetry::Telemetry;

/// Between two looks at a model that is being loaded. The shipped one takes 30 ms.
const MODEL_LOOK: Duration = Duration::from_millis(10);

/// What a command needs of a node of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    /// Only what is written down.
    Queue,
    /// Somebody who works.
    Work,
}

/// A client, and perhaps the node behind it.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) client: ApiClient,
    own: Option<Own>,
}

#[derive(Debug)]
struct Own {
    shutdown: CancellationToken,
    tasks: JoinSet<Result<(), Error>>,
    telemetry: Telemetry,
}

/// Runs one command with a client, and ends the node that was started for it.
pub(super) async fn with_client(
    context: &Context,
    need: Need,
    command: impl AsyncFnOnce(&ApiClient) -> Result<Exit, Error>,
) -> Result<Exit, Error> {
    let session = Session::open(context, need).await?;
    let stopped = session.own.as_ref().map_or_else(CancellationToken::new, |own| own.shutdown.clone());
    let done = tokio::select! {
        biased;
        () = stopped.cancelled() => {
            context.out.note("stopped; what was submitted goes on with the next node: `edgecoder up`");
            Ok(Exit::Cancelled)
        }
        done = command(&session.client) => done,
    };
    session.close(context).await;
    done
}

impl Session {
    async fn open(context: &Context, need: Need) -> Result<Self, Error> {
        let session = match context.client() {
            Ok(client) => return Ok(Self { client, own: None }),
            Err(Error::NoNode { .. }) => Self::start(context, need).await?,
            Err(error) => return Err(error),
        };
        if need == Need::Work
            && let Err(error) = model_is_ready(&session.client).await
        {
            session.close(context).await;
            return Err(error);
        }
        Ok(session)
    }

    async fn start(context: &Context, need: Need) -> Result<Self, Error> {
        let config = brief(&context.loaded, need);
        let telemetry = crate::telemetry::start(&config.telemetry, &context.env, "command");
        let node = Node::build(context, &config).await?;
        let url = node.running().doors.get(Role::Coordinator.as_str()).cloned().unwrap_or_default();
        let shutdown = CancellationToken::new();
        let mut tasks = JoinSet::new();
        let (until, signals) = (shutdown.clone(), shutdown.clone());
        tasks.spawn(async move {
            let ended = node.run(until.clone()).await;
            until.cancel();
            ended
        });
        tasks.spawn(async move {
            crate::shutdown::on_signals(signals).await.map_err(Error::io("listen for", "signals"))
        });
        let client = ApiClient::build(&url, context.mesh_token()?)?;
        Ok(Self { client, own: Some(Own { shutdown, tasks, telemetry }) })
    }

    /// Waits for the end of a node of our own.
    async fn close(self, context: &Context) {
        let Some(mut own) = self.own else { return };
        own.shutdown.cancel();
        // The node ends; the task that waits for signals does not, and goes with the set.
        if let Some(Ok(Err(error))) = own.tasks.join_next().await {
            context.out.note(format_args!("edgecoder: {}", chain(&error)));
        }
        own.telemetry.close().await;
    }
}

/// Waits for the model of a node of our own; the reason, when there will be none: a request would only wait.
async fn model_is_ready(client: &ApiClient) -> Result<(), Error> {
    loop {
        let engine = client.runtime_health().await?.engine;
        match engine.state.as_str() {
            "ready" => return Ok(()),
            "failed" | "absent" => {
                let why = engine.detail.unwrap_or(engine.state);
                return Err(Error::Role(format!("no model works here: {why}; see `edgecoder doctor`")));
            }
            _ => tokio::time::sleep(MODEL_LOOK).await,
        }
    }
}

/// The settings of a node for one command: what it needs, on free loopback ports.
fn brief(loaded: &Loaded, need: Need) -> Config {
    let mut brief = loaded.config.clone();
    if loaded.origin("telemetry.log") == Origin::Default {
        // The person asked for a result, not for a log.
        "error".clone_into(&mut brief.telemetry.log);
    }
    brief.node.port_offset = 0;
    brief.node.roles = match need {
        Need::Queue => vec![Role::Coordinator],
        Need::Work => vec![Role::Coordinator, Role::Inference, Role::Worker],
    };
    let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
    (brief.coordinator.bind, brief.coordinator.port) = (loopback, 0);
    (brief.inference.bind, brief.inference.port) = (loopback, 0);
    brief
}
