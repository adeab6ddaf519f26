//! Bodies of the task routes: ours (`/tasks…`) and the published `/submit`.

mod submit;

use edgecoder_base::{
    AttemptId, BlobHash, Level, NodeId, PrivacyTier, ReviewNote, SubtaskId, TaskId, Timestamp, Usage,
    Verifier,
};
use serde::{Deserialize, Serialize};

pub use self::submit::{PromptPart, SubmitPrompt, SubmitTask, SubmittedPrompt};
use crate::work::{Confinement, Rejection, TestCounts, WorkKind};

/// A task as people and programs see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct TaskView {
    /// The task.
    pub id: TaskId,
    /// `planning`, `running`, `review`, `approved`, `rejected`, `completed`, `abstained`, `cancelled`.
    pub state: String,
    /// Why it is in that state, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What was asked.
    pub request: String,
    /// The frozen repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<BlobHash>,
    /// The judge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verifier: Option<Verifier>,
    /// Whether a hidden part exists. Never its content.
    pub has_hidden_verifier: bool,
    /// Privacy tier.
    pub privacy: PrivacyTier,
    /// Priority.
    pub priority: u8,
    /// Project.
    pub project: String,
    /// Samples asked for.
    pub samples: u8,
    /// When it came in.
    pub created_at: Timestamp,
    /// Last change.
    pub updated_at: Timestamp,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// The plan.
    pub subtasks: Vec<SubtaskView>,
    /// What all attempts used together.
    pub usage: Usage,
    /// The proven patch, once there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<ResultView>,
    /// The output of a task without a repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
    /// The same, where older clients look for success.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ok: Option<bool>,
}

/// One subtask.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SubtaskView {
    /// The subtask.
    pub id: SubtaskId,
    /// What is wanted.
    pub request: String,
    /// Its state.
    pub state: String,
    /// Subtasks it waits for.
    pub depends_on: Vec<SubtaskId>,
    /// Its tries.
    pub attempts: Vec<AttemptView>,
}

/// One attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct AttemptView {
    /// The attempt.
    pub id: AttemptId,
    /// What kind of work.
    pub kind: WorkKind,
    /// Its state.
    pub state: String,
    /// Which sample.
    pub sample: u32,
    /// The attempt it judges.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub judges: Option<AttemptId>,
    /// Times it was leased.
    pub epoch: u64,
    /// Who holds or held it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker: Option<NodeId>,
    /// Model used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// When work began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// The proposed patch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patch: Option<BlobHash>,
    /// The trace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<BlobHash>,
    /// The verifier's output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<BlobHash>,
    /// Why its candidate was refused.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rejections: Vec<Rejection>,
    /// What went wrong otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// How its executions were confined, as its worker says; of a judgement, as the origin measured it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confinement: Option<Confinement>,
    /// What it used.
    pub usage: Usage,
}

/// The patch that is offered for review.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ResultView {
    /// The patch; several when the plan had several subtasks, in order.
    pub patches: Vec<BlobHash>,
    /// Unified diff.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diff: Option<BlobHash>,
    /// Lines added.
    pub lines_added: u32,
    /// Lines removed.
    pub lines_removed: u32,
    /// Counted tests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tests: Option<TestCounts>,
    /// The verifier's output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<BlobHash>,
    /// Whether the user's own verifier proved it.
    pub verified_by_user: bool,
    /// Confinement of the proof.
    pub level: Level,
    /// Layers of it that were weaker than they should be, in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub degraded: Vec<String>,
    /// What a person must look at before the patch is taken: no test judges it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<ReviewNote>,
    /// The attempt that wrote it.
    pub attempt: AttemptId,
    /// Its trace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<BlobHash>,
    /// The signed receipt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<BlobHash>,
}

/// A page of `GET /tasks`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct TaskPage {
    /// Newest first.
    pub tasks: Vec<TaskSummary>,
    /// Pass as `cursor` for the next page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// One line of `GET /tasks`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct TaskSummary {
    /// The task.
    pub id: TaskId,
    /// Its state.
    pub state: String,
    /// First line of the request.
    pub title: String,
    /// When it came in.
    pub created_at: Timestamp,
    /// Last change.
    pub updated_at: Timestamp,
}

/// One thing that happened to a task; also an entry of the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct TaskEventView {
    /// Place in the order of events: pass as `Last-Event-ID` to go on after it.
    pub sequence: u64,
    /// What happened.
    pub event: String,
    /// When.
    pub at: Timestamp,
    /// To which subtask.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subtask: Option<SubtaskId>,
    /// By whom.
    pub actor: String,
    /// Details.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub detail: serde_json::Value,
}

/// `POST /tasks/{id}/review`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReviewRequest {
    /// The decision.
    pub decision: ReviewDecision,
    /// A note for the record.
    #[serde(default)]
    pub note: Option<String>,
    /// Whether the notes on the patch were read; a patch with notes is approved only then.
    #[serde(default)]
    pub accept_notes: bool,
}

/// What a person decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReviewDecision {
    /// Take it.
    Approve,
    /// Drop it.
    Reject,
    /// Try again with fresh samples.
    Retry,
}

/// Answer to `GET /tasks/{taskId}/subtasks/{subtaskId}/result`, which older clients poll.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names are the published contract and say all there is")]
pub struct SubtaskResult {
    pub output: String,
    pub ok: bool,
}

/// The signed proof of a finished task: who did what to which snapshot, and how it was judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[expect(missing_docs, reason = "each field is the glossary's term")]
pub struct Receipt {
    pub task: TaskId,
    pub snapshot: Option<BlobHash>,
    pub patches: Vec<BlobHash>,
    pub verifier: BlobHash,
    pub test_log: Option<BlobHash>,
    pub attempt: AttemptId,
    pub worker: Option<NodeId>,
    pub model: Option<String>,
    pub origin: NodeId,
    pub level: Level,
    pub usage: Usage,
    pub submitted_at: Timestamp,
    pub verified_at: Timestamp,
}
