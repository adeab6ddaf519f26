//! Bodies of the inference door: `/decompose`, `/escalate`.

use edgecoder_base::TaskId;
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
