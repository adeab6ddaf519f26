//! Bodies of the small read-only routes.

use std::collections::BTreeMap;

use edgecoder_base::{Level, NodeId, PublicKey, Timestamp};
use serde::{Deserialize, Serialize};

/// `GET /status`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Status {
    /// Attempts waiting or running.
    pub queued: u64,
    /// Workers seen lately.
    pub agents: u64,
    /// Tasks ended.
    pub results: u64,
    /// Ours: tasks by state.
    #[serde(default)]
    pub tasks: BTreeMap<String, u64>,
}

/// `GET /features`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Features {
    /// Whether the node takes part in a public mesh.
    pub public_mesh: bool,
    /// Whether it is run as a closed fleet.
    pub enterprise_overlay: bool,
}

/// `GET /identity`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Identity {
    /// The node.
    pub peer_id: NodeId,
    /// Its key.
    pub public_key_pem: PublicKey,
    /// Its version.
    pub version: String,
}

/// `GET /health` on every door.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Health {
    /// Always true when answered.
    pub ok: bool,
    /// Which door this is.
    pub role: String,
    /// Version of the node.
    pub version: String,
    /// What is not ready yet, by name; empty when everything is.
    #[serde(default)]
    pub waiting_for: BTreeMap<String, String>,
}

/// One worker in `GET /capacity`. No addresses, no owners.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AgentCapacity {
    /// The worker.
    pub agent_id: NodeId,
    /// Operating system.
    pub os: String,
    /// Version.
    pub version: String,
    /// Mode.
    pub mode: String,
    /// Engine kind.
    pub local_model_provider: String,
    /// Models it offers.
    pub local_model_catalog: Vec<String>,
    /// Model in use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active_model: Option<String>,
    /// Kind of client.
    pub client_type: String,
    /// Attempts at once.
    pub max_concurrent_tasks: u32,
    /// Sandbox kind.
    pub sandbox_mode: String,
    /// Ours: measured confinement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sandbox_level: Option<Level>,
    /// Last word from it, Unix milliseconds.
    pub last_seen_ms: i64,
    /// Attempts it holds now.
    pub leases: u32,
    /// Whether it is refused.
    pub blacklisted: bool,
}

/// `GET /capacity`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Capacity {
    /// Sums.
    pub totals: CapacityTotals,
    /// Workers seen in the last two minutes.
    pub agents: Vec<AgentCapacity>,
}

/// Sums of `GET /capacity`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names are the published contract and say all there is")]
pub struct CapacityTotals {
    pub agents_connected: u64,
    pub total_capacity: u64,
    pub swarm_enabled_count: u64,
    pub ide_enabled_count: u64,
    pub blacklisted_agents: u64,
}

/// `GET /health/runtime`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct RuntimeHealth {
    /// Always true when answered.
    pub ok: bool,
    /// The queue.
    pub coordinator: Status,
    /// The engine as last seen; answered from memory, never by calling it.
    pub engine: EngineHealth,
    /// When this was.
    pub at: Timestamp,
}

/// The engine's state.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
pub struct EngineHealth {
    /// `starting`, `ready`, `restarting`, `failed`, `absent`.
    pub state: String,
    /// The model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Its window in tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context_tokens: Option<u32>,
    /// Why it is not ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}
