//! Bodies of the inference door: `/decompose`, `/escalate`.

use edgecoder_base::{Scope, TaskId, Verifier};
use serde::{Deserialize, Serialize};

fn python() -> String {
    "python".to_owned()
}

/// Most subtasks one request may be split into.
pub const MAX_SUBTASKS: usize = 10;

/// `POST /decompose`.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(missing_docs, reason = "the names are the published contract and say all there is")]
pub struct DecomposeRequest {
    pub task_id: TaskId,
    pub prompt: String,
    #[serde(default)]
    pub snapshot_ref: Option<String>,
    #[serde(default = "python")]
    pub language: String,
    /// Ours: what the whole request may touch; no part gets more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<Scope>,
    /// Ours: the judge of the whole request, which every part inherits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verifier: Option<Verifier>,
}

/// One proposed subtask.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DecomposedSubtask {
    /// The task.
    pub task_id: TaskId,
    /// Always `micro_loop`.
    pub kind: String,
    /// What to do.
    pub input: String,
    /// Language.
    pub language: String,
    /// Time it may take.
    pub timeout_ms: u64,
    /// Snapshot.
    #[serde(default)]
    pub snapshot_ref: Option<String>,
    /// Ours: positions of subtasks that must be done before.
    #[serde(default)]
    pub depends_on: Vec<usize>,
    /// Ours: what it may touch, within what was asked; none where nothing was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<Scope>,
    /// Ours: the asked judge. It judges the whole: a part alone need not pass it before the others are there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verifier: Option<Verifier>,
}

/// Answer to `/decompose`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DecomposeReply {
    /// 1 to 10 subtasks.
    pub subtasks: Vec<DecomposedSubtask>,
    /// Ours: why the request stands as one subtask although a split was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback: Option<String>,
}

/// `POST /escalate`.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(missing_docs, reason = "the names are the published contract and say all there is")]
pub struct EscalateRequest {
    pub task: String,
    pub failed_code: String,
    #[serde(default)]
    pub error_history: Vec<String>,
    #[serde(default = "python")]
    pub language: String,
}

/// Answer to `/escalate`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names are the published contract and say all there is")]
pub struct EscalateReply {
    pub improved_code: String,
    pub explanation: String,
}

/// `POST /model/swap` and `POST /model/pull`.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ModelRequest {
    /// The model's name.
    #[serde(default)]
    pub model: Option<String>,
    /// Ours: who is to run it, where several could: `local`, `ollama`, `lm_studio`, `llama_server`, `vllm`, `openai`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
}

/// Answer to `POST /model/swap`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SwapReply {
    /// The model that had the place.
    pub previous: String,
    /// The model that has it now.
    pub active: String,
    /// `ready`, `loading`, `pulling` or `error`.
    pub status: String,
    /// Like `7.6B`, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub param_size: Option<String>,
    /// How far the fetch is, percent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<u64>,
    /// Why it failed; the previous one stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// `GET /model/pull/progress`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PullReply {
    /// `idle`, `pulling`, `done` or `error`.
    pub status: String,
    /// The model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Ours: who fetches it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// Ours: what is being done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// Percent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress_pct: Option<u64>,
    /// Bytes that arrived.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completed: Option<u64>,
    /// Bytes in all, as far as known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
    /// Since when, Unix milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at_ms: Option<i64>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// `GET /model/status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ModelStatus {
    /// The model in use.
    pub model: Option<String>,
    /// Like `7.6B`, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub param_size: Option<String>,
    /// `ready`, `loading`, `error` or `no_model`.
    pub status: String,
    /// Whether an Ollama answers on this machine or at the address of the settings.
    pub ollama_healthy: bool,
    /// The fetch that runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pull_progress: Option<PullReply>,
    /// Ours: who runs the model.
    pub provider: String,
    /// Ours: the model being loaded to take its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// Ours: the engine.
    pub engine: crate::api::status::EngineHealth,
}

/// An entry of `GET /model/list` and `GET /models`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ListedModel {
    /// The model's name.
    pub model_id: String,
    /// Like `7.6B`, where known.
    pub param_size: Option<String>,
    /// Like `Q4_K_M`, where known.
    pub quantization: Option<String>,
    /// Whether it is there.
    pub installed: bool,
    /// Whether it is in use.
    pub active: bool,
    /// Who runs it.
    pub source: String,
    /// Ours: its size on the disk, bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size_bytes: Option<u64>,
    /// Ours: whether it can be removed from here.
    #[serde(default)]
    pub removable: bool,
}

/// A model server that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ListedProvider {
    /// What it is; absent when nothing known answers there.
    pub kind: Option<String>,
    /// Its address.
    pub url: String,
    /// Whether it can be used.
    pub healthy: bool,
    /// Its version, where it tells.
    pub version: Option<String>,
    /// Names of its models.
    pub models: Vec<String>,
    /// Time it took to answer, milliseconds.
    pub answered_ms: Option<u64>,
    /// Why it is of no use.
    pub trouble: Option<String>,
}

/// How an engine did with a few short questions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MeasuredEngine {
    /// The model.
    pub model: String,
    /// Who runs it.
    pub provider: String,
    /// Questions answered rightly.
    pub right: u32,
    /// Questions asked.
    pub asked: u32,
    /// Time until the first text, milliseconds.
    pub first_text_ms: Option<u64>,
    /// Tokens written in a second.
    pub tokens_per_second: Option<f64>,
    /// Why it could not be measured.
    pub trouble: Option<String>,
}

/// Answer to `POST /models/providers/measure`. Nothing is changed by it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MeasureReply {
    /// Each engine.
    pub measured: Vec<MeasuredEngine>,
    /// The model that would be chosen.
    pub model: String,
    /// Who would run it.
    pub provider: String,
    /// Why.
    pub reason: String,
}

/// An entry of `GET /dashboard/api/swap-history`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SwapRecord {
    /// The model that had the place.
    pub from: String,
    /// The model that was to have it.
    pub to: String,
    /// Who runs that.
    pub provider: String,
    /// Why.
    pub reason: String,
    /// When it ended, Unix milliseconds.
    pub at_ms: i64,
    /// Time it took, milliseconds.
    pub took_ms: u64,
    /// Why it failed; `from` stayed then.
    pub error: Option<String>,
}

/// How often something was asked of this role, and how it went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AskedCount {
    /// Asked.
    pub requests: u64,
    /// Answered.
    pub successes: u64,
    /// Time over all, milliseconds.
    pub total_latency_ms: u64,
}

/// `GET /dashboard/api/overview`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct InferenceOverview {
    /// The model in use.
    pub status: ModelStatus,
    /// Requests the engine answers at once; absent while it is not ready.
    pub slots: Option<u32>,
    /// Answers in the making.
    pub running: u64,
    /// Of these, waiting for a slot.
    pub waiting: u64,
    /// Answers on engines that were replaced.
    pub draining: u64,
    /// How often an engine died and was started again.
    pub restarts: u64,
    /// Requests split.
    pub decompose: AskedCount,
    /// Splits that stood as one subtask.
    pub decompose_fallbacks: u64,
    /// Code looked at again.
    pub escalate: AskedCount,
    /// Completions.
    pub complete: AskedCount,
    /// The larger model that failed work is handed to.
    pub larger: Option<String>,
    /// How long the door has been open, seconds.
    pub uptime_s: u64,
    /// The node's version.
    pub version: String,
}
