//! What the worker is asked to do next.

use edgecoder_base::Patch;
use serde::{Deserialize, Serialize};

/// One thing to do in the world. The answer comes back as an [`crate::Observation`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum Step {
    /// Read these files of the snapshot; files that are not text or too large come back in `missing`.
    Read {
        /// Relative paths.
        paths: Vec<String>,
    },
    /// Ask the model.
    Complete(Prompt),
    /// Run the verifier on the snapshot with this patch; without a verifier, check the syntax of what it
    /// touches. An empty patch runs the verifier on the snapshot as it is.
    Verify {
        /// The candidate so far.
        patch: Patch,
    },
    /// The attempt ends with a candidate.
    Submit {
        /// The candidate.
        patch: Patch,
        /// One line for people.
        summary: String,
        /// What is known about it.
        standing: Standing,
    },
    /// The attempt ends without one.
    GiveUp {
        /// Why, for the queue.
        reason: GiveUpReason,
        /// Why, for people.
        detail: String,
    },
}

impl Step {
    /// Whether the attempt is over.
    pub fn is_final(&self) -> bool {
        matches!(self, Self::Submit { .. } | Self::GiveUp { .. })
    }
}

/// What this worker's own run says about a candidate. The origin judges again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// The verifier passed here.
    Verified,
    /// There is no verifier; the syntax was checked.
    SyntaxOnly,
    /// The verifier does not pass; the best that the limits allowed.
    Failing,
}

/// Who says a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The frame.
    System,
    /// The task.
    User,
    /// The model.
    Assistant,
}

/// One message of a prompt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Who says it.
    pub role: Role,
    /// What is said.
    pub content: String,
}

impl Message {
    /// A message.
    pub fn new(role: Role, content: impl Into<String>) -> Self {
        Self { role, content: content.into() }
    }
}

/// A request to the model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Prompt {
    /// The conversation.
    pub messages: Vec<Message>,
    /// Start of the answer, given to the model and not repeated in its output.
    pub prefill: Option<String>,
    /// 0 is greedy.
    pub temperature: f32,
    /// Seed of the sampler.
    pub seed: u64,
    /// Most tokens to generate.
    pub max_tokens: u32,
    /// Texts that end the answer.
    pub stop: Vec<String>,
}

/// Why an attempt ends without a candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GiveUpReason {
    /// The completions or tokens of the attempt are used up and nothing is worth submitting.
    LimitReached,
    /// The smallest useful prompt does not fit the window.
    WindowTooSmall,
    /// The engine refused the prompt twice as too long.
    ContextOverflow,
    /// The engine failed twice.
    EngineFailed,
    /// The scope forbids what the task needs.
    OutOfScope,
    /// It is not clear which function of which file is meant, and this model needs to know.
    NoTarget,
    /// This model does not write the language of the task.
    UnsupportedLanguage,
    /// The attempt was interrupted.
    Interrupted,
    /// The worker answered something that was not asked.
    OutOfTurn,
}
