//! The ide role: the editors' door over this node's engine, and the machines that the mesh brings.

use std::sync::Arc;
use std::time::Duration;

use edgecoder_http::ide::{Config, Deps, Nowhere, State};

use super::inference::EngineRole;
use super::task_tools::TaskTools;
use super::{Shared, entropy, now};
use crate::cli::Context;
use crate::config::IdeConfig;

/// What the door is opened with.
pub(crate) fn state(context: &Context, config: &IdeConfig, shared: &Shared, engine: &EngineRole) -> State {
    let config = Config {
        token: shared.ide_token.clone(),
        token_required: config.requires_token(),
        hosts: config.allowed_hosts.clone(),
        origins: config.allowed_origins.clone(),
        tier: config.privacy_tier,
        local_running: config.max_local_running,
        slow: Duration::from_millis(config.slow_ms.into()),
        node: shared.key.public().node_id().to_string(),
    };
    let tools = TaskTools::new(context, Some(shared.mesh_token.clone()), None);
    let deps = Deps {
        inference: engine.skills.clone(),
        models: engine.models.clone(),
        elsewhere: Arc::new(Nowhere),
        tasks: Some(Arc::new(tools)),
        metrics: shared.metrics.clone(),
        engine: Arc::clone(&engine.watch),
        clock: now,
        entropy,
    };
    State::new(&config, deps)
}
