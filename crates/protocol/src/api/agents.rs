//! Bodies of the worker-facing routes: `/register`, `/heartbeat`, `/pull`, `/result`, `/agent/diagnostics`.
//! Field names are the published ones; `lease`, `work`, `waitMs` and `report` are ours.

use edgecoder_base::{AttemptId, Level, NodeId, PublicKey, Secret, SubtaskId, TaskId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::work::{Assignment, Report};

/// Longest time a pull or heartbeat waits for news.
pub const MAX_WAIT_MS: u64 = 30_000;

/// Power state, as far as the device knows it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[expect(missing_docs, reason = "the names are the published contract and say all there is")]
pub struct PowerTelemetry {
    pub on_external_power: Option<bool>,
    pub battery_level_pct: Option<f32>,
    pub low_power_mode: Option<bool>,
    pub updated_at_ms: Option<i64>,
    #[serde(rename = "onACPower")]
    pub on_ac_power: Option<bool>,
    pub battery_pct: Option<f32>,
    pub thermal_state: Option<String>,
    pub cpu_usage_pct: Option<f32>,
    pub memory_usage_pct: Option<f32>,
    pub device_type: Option<String>,
}

/// Claims about the worker's binary; recorded, not believed.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[expect(missing_docs, reason = "the names are the published contract and say all there is")]
pub struct BinaryIntegrity {
    pub dist_hash: Option<String>,
    pub release_version: Option<String>,
    pub release_signature: Option<String>,
    pub distribution_channel: Option<String>,
}

fn one() -> u32 {
    1
}

fn default_provider() -> String {
    "edgecoder-local".to_owned()
}

fn default_client() -> String {
    "edgecoder-native".to_owned()
}

/// The one place a registration token is written out: into the request that presents it.
fn exposed<S: serde::Serializer>(token: &Option<Secret<String>>, serializer: S) -> Result<S::Ok, S::Error> {
    token.as_ref().map(Secret::expose).serialize(serializer)
}

/// `POST /register`.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RegisterRequest {
    /// The worker's name.
    pub agent_id: NodeId,
    /// The device it runs on.
    #[serde(default)]
    pub device_id: Option<String>,
    /// Operating system.
    pub os: String,
    /// The worker's version.
    pub version: String,
    /// `swarm-only` or `ide-enabled`.
    #[serde(default)]
    pub mode: Option<String>,
    /// Proof of enrolment.
    #[serde(default, serialize_with = "exposed")]
    #[schema(value_type = Option<String>)]
    pub registration_token: Option<Secret<String>>,
    /// Engine kind.
    #[serde(default = "default_provider")]
    pub local_model_provider: String,
    /// Kind of client.
    #[serde(default = "default_client")]
    pub client_type: String,
    /// Attempts it runs at once, 1 to 64.
    #[serde(default = "one")]
    pub max_concurrent_tasks: u32,
    /// Power state.
    #[serde(default)]
    pub power_telemetry: Option<PowerTelemetry>,
    /// Ed25519 key that signs its requests. The first key registered for an id stays.
    #[serde(default)]
    pub public_key_pem: Option<PublicKey>,
    /// X25519 key for sealed tasks, base64.
    #[serde(default)]
    pub x25519_public_key: Option<String>,
    /// `none`, `docker`, `process` or `vm`.
    #[serde(default)]
    pub sandbox_mode: Option<String>,
    /// Claims about the binary.
    #[serde(default)]
    pub binary_integrity: Option<BinaryIntegrity>,
    /// Ours: confinement its self-test measured.
    #[serde(default)]
    pub sandbox_level: Option<Level>,
    /// Ours: models it can use now.
    #[serde(default)]
    pub models: Vec<String>,
    /// Ours: names one run of the worker; a new value releases leases of the run before.
    #[serde(default)]
    pub session: Option<String>,
}

/// What the coordinator allows a worker.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names are the published contract and say all there is")]
pub struct Policy {
    pub cpu_cap_percent: u32,
    pub memory_limit_mb: u32,
    pub idle_only: bool,
    pub max_concurrent_tasks: u32,
}

/// Answer to `/register`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RegisterReply {
    /// Always true; a refusal is an error body.
    pub accepted: bool,
    /// Limits that apply.
    pub policy: Policy,
    /// Echo of the worker's mode.
    pub mode: String,
    /// How often to send a heartbeat at the latest, milliseconds.
    pub heartbeat_ms: u64,
    /// Leases of an earlier session that were released.
    pub released: u32,
}

/// One lease a worker says it holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HeldLease {
    /// The attempt.
    pub attempt: AttemptId,
    /// Its fencing token.
    pub epoch: u64,
    /// What it is doing, for people: `plan`, `code`, `test` …
    #[serde(default)]
    pub phase: Option<String>,
    /// Tokens written so far.
    #[serde(default)]
    pub output_tokens: Option<u64>,
}

/// `POST /heartbeat`.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HeartbeatRequest {
    /// The worker.
    pub agent_id: NodeId,
    /// Power state.
    #[serde(default)]
    pub power_telemetry: Option<PowerTelemetry>,
    /// Model in use.
    #[serde(default)]
    pub active_model: Option<String>,
    /// Its size in billions of parameters.
    #[serde(default)]
    pub active_model_param_size: Option<f32>,
    /// Whether it is being changed.
    #[serde(default)]
    pub model_swap_in_progress: Option<bool>,
    /// Sandbox in use.
    #[serde(default)]
    pub sandbox_mode: Option<String>,
    /// Ours: leases to renew.
    #[serde(default)]
    pub leases: Vec<HeldLease>,
    /// Ours: how long to wait for news; 0 answers at once.
    #[serde(default)]
    pub wait_ms: u64,
}

/// Blacklist part of a heartbeat's answer.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
pub struct BlacklistView {
    /// Grows with every change.
    pub version: u64,
    /// Identities refused.
    pub agents: Vec<String>,
}

/// Answer to `/heartbeat`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct HeartbeatReply {
    /// Whether the worker is welcome.
    pub ok: bool,
    /// Expired leases put back, of any worker.
    pub requeued: u32,
    /// Limits that apply.
    pub policy: Policy,
    /// Refused identities.
    pub blacklist: BlacklistView,
    /// Ours: attempts among `leases` that must stop now: cancelled, expired, or lost to another.
    pub stop: Vec<AttemptId>,
    /// Ours: new deadline of the renewed leases.
    pub lease_until: Timestamp,
}

/// `POST /pull`.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PullRequest {
    /// The worker.
    pub agent_id: NodeId,
    /// Ours: how long to wait for work, at most 30,000; 0 answers at once.
    #[serde(default)]
    pub wait_ms: u64,
}

/// Grouping of a subtask.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names are the published contract and say all there is")]
pub struct ProjectMeta {
    pub project_id: String,
    pub resource_class: String,
    pub priority: u8,
}

/// The published shape of a pulled subtask.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names are the published contract and say all there is")]
pub struct PulledSubtask {
    pub id: SubtaskId,
    pub task_id: TaskId,
    pub kind: String,
    pub language: String,
    pub input: String,
    pub timeout_ms: u64,
    pub snapshot_ref: String,
    pub project_meta: ProjectMeta,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requested_model: Option<String>,
}

/// Answer to `/pull`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct PullReply {
    /// The work, in the published shape; null when there is none.
    pub subtask: Option<PulledSubtask>,
    /// Ours: the same work with everything a worker needs, and its lease.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub work: Option<Assignment>,
    /// True when the worker may not have any work; `reason` says why.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub blocked: bool,
    /// Why there is no work for this worker although the queue is not empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// `POST /result`. Either `report` (ours) or `ok` and `output` (published shape).
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ResultRequest {
    /// The subtask.
    pub subtask_id: SubtaskId,
    /// Its task.
    pub task_id: TaskId,
    /// The worker.
    pub agent_id: NodeId,
    /// Whether it worked.
    #[serde(default)]
    pub ok: bool,
    /// Text output.
    #[serde(default)]
    pub output: String,
    /// What went wrong.
    #[serde(default)]
    pub error: Option<String>,
    /// As the worker measured it; recorded as a hint, never paid for.
    #[serde(default)]
    pub duration_ms: Option<u64>,
    /// Published shape; part of `reportSignature`.
    #[serde(default)]
    pub report_nonce: Option<String>,
    /// Published shape.
    #[serde(default)]
    pub report_signature: Option<String>,
    /// Ours: the attempt; without it the one this worker holds a lease on.
    #[serde(default)]
    pub attempt: Option<AttemptId>,
    /// Ours: its fencing token; without it the current one, if this worker holds the lease.
    #[serde(default)]
    pub epoch: Option<u64>,
    /// Ours: the full report.
    #[serde(default)]
    pub report: Option<Report>,
}

/// Answer to `/result`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ResultReply {
    /// Always true; a refusal is an error body.
    pub ok: bool,
}

/// One line of a worker's diagnostics.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DiagnosticEvent {
    /// When, Unix milliseconds.
    #[serde(default)]
    pub event_at_ms: Option<i64>,
    /// What, 1 to 500 characters.
    pub message: String,
}

/// `POST /agent/diagnostics`.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(missing_docs, reason = "the names are the published contract and say all there is")]
pub struct DiagnosticsRequest {
    pub agent_id: NodeId,
    pub events: Vec<DiagnosticEvent>,
    #[serde(default)]
    pub source: Option<String>,
    #[serde(default)]
    pub runtime_state: Option<String>,
    #[serde(default)]
    pub model_state: Option<String>,
}

/// `GET /agent/diagnostics/{agentId}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names are the published contract and say all there is")]
pub struct DiagnosticsView {
    pub ok: bool,
    pub agent_id: NodeId,
    pub events: Vec<DiagnosticEvent>,
    pub count: usize,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latest_event_at_ms: Option<i64>,
}
