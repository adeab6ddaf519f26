//! Every setting of a node in one typed tree, read once. Layers, weakest first: defaults, `edgecoder.toml`, the
//! environment (`EDGECODER_<SECTION>__<KEY>` and the published names of [`crate::env`]), flags. Two names of the
//! environment that give one key different values are an error, not a precedence puzzle.

mod capsule;
mod check;
mod ide;
mod inference;
mod layers;
mod mcp;
mod models;
mod problem;
mod resolve;
mod sections;
mod show;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub(crate) use capsule::CapsuleConfig;
pub(crate) use ide::IdeConfig;
pub(crate) use inference::{EngineKind, InferenceConfig, LargerConfig};
pub(crate) use layers::{Flag, SettingsFile, Sources};
pub(crate) use mcp::{McpConfig, McpServerConfig};
pub(crate) use models::ModelsConfig;
pub(crate) use problem::{Origin, Problems};
pub(crate) use resolve::{Loaded, load};
pub(crate) use sections::{
    ControlConfig, CoordinatorConfig, NodeConfig, PortalConfig, SandboxConfig, SandboxMode, TelemetryConfig,
    WorkerConfig,
};
pub(crate) use show::{schema, show};

/// The settings of one node.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    /// The node itself: name, place, roles.
    pub(crate) node: NodeConfig,
    /// The role that owns a queue.
    pub(crate) coordinator: CoordinatorConfig,
    /// The role that runs models.
    pub(crate) inference: InferenceConfig,
    /// Models that are pulled.
    pub(crate) models: ModelsConfig,
    /// The operators' door.
    pub(crate) control: ControlConfig,
    /// The editors' door.
    pub(crate) ide: IdeConfig,
    /// Servers whose tools are lent to the companion.
    pub(crate) mcp: McpConfig,
    /// The door for people.
    pub(crate) portal: PortalConfig,
    /// The role that executes subtasks.
    pub(crate) worker: WorkerConfig,
    /// How executions are confined.
    pub(crate) sandbox: SandboxConfig,
    /// Dependencies that executions are shown.
    pub(crate) capsule: CapsuleConfig,
    /// Logs and traces.
    pub(crate) telemetry: TelemetryConfig,
}

#[cfg(test)]
mod tests;
