//! `edgecoder up`, and the children that a node starts.

use std::path::PathBuf;

use clap::Args;
use tokio::io::AsyncReadExt;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::Context;
use crate::error::{Error, Exit};
use crate::node::Node;
use crate::output::Style;
use crate::role::Role;
use crate::roles::worker::work;
use crate::{shutdown, supervise, telemetry};

#[derive(Debug, Clone, Default, Args)]
pub(crate) struct UpArgs {
    /// Roles to perform, separated by commas [default: all]
    #[arg(long, value_delimiter = ',', value_name = "ROLE")]
    pub(crate) roles: Vec<Role>,
    /// Use ports 14301 to 14304 and 14310 instead of 4301 to 4304 and 4310
    #[arg(long, conflicts_with = "port_offset")]
    pub(crate) alt_ports: bool,
    /// Add N to the port of every door
    #[arg(long, value_name = "N")]
    pub(crate) port_offset: Option<u16>,
}

#[derive(Debug, Args)]
pub(crate) struct WorkerArgs {
    /// The coordinator's door
    #[arg(long)]
    pub(crate) coordinator_door: String,
    /// The inference door
    #[arg(long)]
    pub(crate) inference_door: String,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct EngineArgs {
    /// GGUF file
    #[arg(long)]
    pub(crate) model: PathBuf,
    /// Window in tokens
    #[arg(long)]
    pub(crate) context: Option<u32>,
    /// Threads
    #[arg(long)]
    pub(crate) threads: Option<u32>,
    /// Requests decoded together
    #[arg(long)]
    pub(crate) slots: Option<u32>,
    /// Layers on a graphics card
    #[arg(long)]
    pub(crate) gpu_layers: Option<u32>,
    /// GGUF file that guesses ahead
    #[arg(long)]
    pub(crate) draft: Option<PathBuf>,
}

pub(super) async fn run(context: Context) -> Result<Exit, Error> {
    let telemetry = telemetry::start(&context.loaded.config.telemetry, &context.env, "node");
    let done = serve(&context).await;
    telemetry.close().await;
    done
}

async fn serve(context: &Context) -> Result<Exit, Error> {
    let shutdown = CancellationToken::new();
    let mut signals = JoinSet::new();
    signals.spawn(shutdown::on_signals(shutdown.clone()));
    let node = Node::build(context, &context.loaded.config).await?;
    let running = node.running();
    context.out.line(format_args!("{} is up", context.out.paint(Style::Strong, &running.node)));
    for (role, url) in &running.doors {
        context.out.line(format_args!("  {role:<12} {url}"));
    }
    node.run(shutdown).await?;
    Ok(Exit::Done)
}

pub(super) async fn worker(context: Context, args: WorkerArgs) -> Result<Exit, Error> {
    supervise::become_child();
    let telemetry = telemetry::start(&context.loaded.config.telemetry, &context.env, "worker");
    let shutdown = CancellationToken::new();
    let mut waiting = JoinSet::new();
    waiting.spawn(shutdown::on_signals(shutdown.clone()));
    let alone = shutdown.clone();
    waiting.spawn(async move {
        // The node holds the other end as long as it lives.
        let _ended = tokio::io::stdin().read(&mut [0]).await;
        alone.cancel();
        Ok(())
    });
    let worked = work(&context, &args, shutdown).await;
    telemetry.close().await;
    worked.map(|()| Exit::Done)
}

#[cfg(feature = "llama")]
pub(super) fn engine(args: &EngineArgs) -> Result<Exit, Error> {
    supervise::become_child();
    let EngineArgs { model, context, threads, slots, gpu_layers, draft } = args.clone();
    let config =
        edgecoder_inference::serve::ServeConfig { model, context, threads, slots, gpu_layers, draft };
    // The reason of a failure goes to the parent as a frame.
    let served = edgecoder_inference::serve::run_stdio(&config);
    Ok(if served.is_ok() { Exit::Done } else { Exit::Failed })
}

#[cfg(not(feature = "llama"))]
pub(super) fn engine(_: &EngineArgs) -> Result<Exit, Error> {
    Err(Error::Unsupported("this build has no embedded engine: build it with the feature `llama`"))
}
