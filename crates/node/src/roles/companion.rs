//! The companion's place in a node: it works with the node's sandbox settings, blobs and queue, and its sessions lie in
//! the data directory.

use std::sync::Arc;
use std::time::Duration;

use edgecoder_base::{Level, Patch, TaskId};
use edgecoder_companion::{Companion, Config, Deps, TaskQueue, Toolbox};
use edgecoder_protocol::api::tasks::{SubmitTask, TaskView};
use edgecoder_sandbox::{Mode, Sandbox};
use edgecoder_store::BlobDir;
use edgecoder_workspace::Trees;
use futures::FutureExt as _;
use futures::future::BoxFuture;

use super::{entropy, now};
use crate::cli::Context;
use crate::config::SandboxMode;
use crate::error::Error;

/// The companion of a node, with the queue of its coordinator where there is one.
pub(crate) fn build(
    context: &Context,
    queue: Option<edgecoder_coordinator::Handle>,
    toolbox: Arc<dyn Toolbox>,
) -> Result<Companion, Error> {
    let settings = &context.loaded.config;
    let place = settings.coordinator.blobs(&context.data);
    let blobs = BlobDir::open(&place).map_err(Error::io("open", &place))?;
    let sandbox = sandbox(settings.sandbox.to_sandbox(&context.env))?;
    let trees = Trees::new(context.data.cache().join("trees"))?;
    let mut deps = Deps::new(sandbox, trees, Arc::new(blobs), now, entropy);
    deps.toolbox = toolbox;
    deps.tasks = queue.map(|handle| Arc::new(OwnQueue(handle)) as Arc<dyn TaskQueue>);
    let mut config = Config::new(context.data.path().join("sessions"));
    config.approvals = settings.ide.approvals.rules();
    config.approval_timeout = Duration::from_secs(settings.ide.approvals.timeout_s.into());
    config.forbidden = vec![context.data.path().to_owned()];
    config.tier = settings.ide.privacy_tier;
    if settings.sandbox.mode == SandboxMode::None || !settings.sandbox.required {
        // Whoever switches the sandbox off, or does not insist on it, has said that unconfined work is welcome.
        config.min_level = Level::S0;
    }
    Ok(Companion::new(config, deps))
}

/// The sandbox as it was set; where a machine has none of that kind, one in which every run is refused with the reason,
/// for a door that talks is better than none.
fn sandbox(config: edgecoder_sandbox::Config) -> Result<Sandbox, Error> {
    let unconfined = edgecoder_sandbox::Config { mode: Mode::None, ..config.clone() };
    let built = Sandbox::new(config).or_else(|error| {
        tracing::error!(%error, "the companion runs no commands");
        Sandbox::new(unconfined)
    });
    built.map_err(|error| Error::Role(error.to_string()))
}

/// The queue of the coordinator in this process; their blobs are the same.
#[derive(Debug)]
struct OwnQueue(edgecoder_coordinator::Handle);

fn refused(error: edgecoder_coordinator::Error) -> edgecoder_companion::Error {
    edgecoder_companion::Error::new(error.code, error.message)
}

impl TaskQueue for OwnQueue {
    fn submit(&self, request: SubmitTask) -> BoxFuture<'_, Result<TaskView, edgecoder_companion::Error>> {
        async { self.0.submit(request, None).await.map_err(refused) }.boxed()
    }

    fn task(&self, id: TaskId) -> BoxFuture<'_, Result<TaskView, edgecoder_companion::Error>> {
        async move { self.0.task(&id).await.map_err(refused) }.boxed()
    }

    fn patches(&self, id: TaskId) -> BoxFuture<'_, Result<Vec<Patch>, edgecoder_companion::Error>> {
        async move { self.0.patches(&id).await.map_err(refused) }.boxed()
    }
}
