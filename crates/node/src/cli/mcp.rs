//! `edgecoder mcp`: the tools of the queue over standard streams, for agents that start their MCP servers themselves.

use std::sync::Arc;

use edgecoder_http::mcp::{Server, serve_streams};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::Context;
use crate::config::Origin;
use crate::error::{Error, Exit};
use crate::roles::task_tools::TaskTools;

/// Serves until the client closes our input. Needs a node that runs: work outlives this process.
pub(super) async fn run(context: &Context) -> Result<Exit, Error> {
    let mut settings = context.loaded.config.telemetry.clone();
    if context.loaded.origin("telemetry.log") == Origin::Default {
        // Clients show what we log to people who did not ask for it.
        "error".clone_into(&mut settings.log);
    }
    let telemetry = crate::telemetry::start(&settings, &context.env, "mcp");
    let working = std::env::current_dir().map_err(Error::io("find", "the working directory"))?;
    let tools = TaskTools::new(context, context.mesh_token()?, Some(working));
    // Told now and here, rather than with the first call and by an agent.
    tools.client()?;
    let stop = CancellationToken::new();
    let mut signals = JoinSet::new();
    signals.spawn(crate::shutdown::on_signals(stop.clone()));
    let streams = (tokio::io::stdin(), tokio::io::stdout());
    let served = serve_streams(Server::new(Arc::new(tools)), streams.0, streams.1, stop).await;
    telemetry.close().await;
    served.map_err(Error::io("serve", "standard streams"))?;
    Ok(Exit::Done)
}
