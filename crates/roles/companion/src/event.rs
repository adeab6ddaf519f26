//! What a client sees of a chat, in the published names.

use edgecoder_agent::session::{ApprovalClass, Ending, PlanStep};
use edgecoder_protocol::ErrorCode;
use edgecoder_workspace::project::Hunk;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// One happening.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    /// The model says more.
    Text {
        /// What.
        content: String,
    },
    /// Something a person should know.
    Status {
        /// What.
        message: String,
    },
    /// The model wants something done.
    ToolCall {
        /// Names the action: a random part, and the hash of what is shown of it.
        id: String,
        /// The tool.
        tool: String,
        /// Its arguments, as the model wrote them.
        args: Map<String, Value>,
        /// Whether it waits for a person.
        requires_approval: bool,
        /// What it could do at worst.
        class: ApprovalClass,
        /// What it does, in one line made from the action itself.
        title: String,
        /// Events `diff` that belong to it and follow before anything else of it.
        #[serde(default)]
        diffs: usize,
    },
    /// What came of it.
    ToolResult {
        /// The action.
        id: String,
        /// What the model is told.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        result: Option<String>,
        /// Why it was not done, as the model is told.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<String>,
    },
    /// What an action would change in one file.
    Diff {
        /// The action.
        id: String,
        /// The file and its pieces.
        #[serde(flatten)]
        diff: DiffFile,
    },
    /// What a command said.
    ShellOutput {
        /// The action.
        id: String,
        /// Standard output, clipped.
        stdout: String,
        /// Standard error, clipped.
        stderr: String,
        /// As a shell tells it: 128 and more for a signal, 124 when time ran out.
        exit_code: i32,
    },
    /// The model's plan.
    Plan {
        /// Its steps.
        steps: Vec<NumberedStep>,
        /// Where it stands.
        status: PlanStatus,
    },
    /// It is over.
    Done {
        /// How.
        reason: Ending,
        /// Answers of the model.
        iterations: u32,
        /// What they cost.
        usage: Usage,
        /// The session, where it is kept.
        #[serde(default, skip_serializing_if = "Option::is_none", rename = "sessionId")]
        session_id: Option<String>,
        /// Where the last answer was made and why there.
        #[serde(default, skip_serializing_if = "Value::is_null")]
        edgecoder: Value,
    },
    /// It broke off.
    Error {
        /// For programs.
        code: ErrorCode,
        /// For people.
        message: String,
    },
}

/// The change of one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiffFile {
    /// The file.
    pub file: String,
    /// The pieces.
    pub hunks: Vec<Hunk>,
    /// What a person must look at, beyond the lines.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// Bytes of one file's pieces that are shown: nobody reads more, and events are bounded.
const SHOWN_BYTES: usize = 256 << 10;

impl DiffFile {
    /// With the pieces that are shown, and a note where there are more.
    pub(crate) fn clipped(mut self) -> Self {
        let mut left = SHOWN_BYTES;
        let all = self.hunks.len();
        self.hunks.retain(|hunk| {
            let fits = hunk.content.len() <= left;
            left = if fits { left - hunk.content.len() } else { 0 };
            fits
        });
        if self.hunks.len() < all {
            let missing = all - self.hunks.len();
            self.notes.push(format!("{missing} of {all} pieces of this change are too long to be shown"));
        }
        self
    }
}

/// A step with its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NumberedStep {
    /// From 0.
    pub index: usize,
    /// The step.
    #[serde(flatten)]
    pub step: PlanStep,
}

/// Where a plan stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlanStatus {
    /// Nothing of it is begun.
    Proposed,
    /// A person agreed to it.
    Approved,
    /// It is worked on.
    Executing,
}

/// Tokens of an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Usage {
    /// Read.
    pub prompt_tokens: u64,
    /// Written.
    pub output_tokens: u64,
}

impl Event {
    /// The published name.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Text { .. } => "text",
            Self::Status { .. } => "status",
            Self::ToolCall { .. } => "tool_call",
            Self::ToolResult { .. } => "tool_result",
            Self::Diff { .. } => "diff",
            Self::ShellOutput { .. } => "shell_output",
            Self::Plan { .. } => "plan",
            Self::Done { .. } => "done",
            Self::Error { .. } => "error",
        }
    }
}

impl std::fmt::Debug for Event {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Event({})", self.name())
    }
}
