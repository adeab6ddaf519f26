//! What happened in the world since the last step.

use serde::{Deserialize, Serialize};

use crate::RepoView;

/// The answer to a [`crate::Step`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "observation", rename_all = "snake_case")]
pub enum Observation {
    /// The snapshot is laid out; the first observation of every attempt.
    Started(RepoView),
    /// Files were read.
    Files {
        /// Those that could be.
        files: Vec<FileText>,
        /// Those that could not: absent, not text, or too large.
        #[serde(default)]
        missing: Vec<String>,
    },
    /// The model answered.
    Completion {
        /// Its output, without the prefill.
        text: String,
        /// Why it stopped.
        finish: Finish,
        /// What it counted.
        usage: TokenUsage,
    },
    /// The model did not answer.
    CompletionFailed(CompletionFailure),
    /// The verifier or the syntax check ran.
    TestReport(TestReport),
    /// The attempt must end now.
    Interrupted(Interruption),
}

/// One file's content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileText {
    /// Relative path.
    pub path: String,
    /// The whole text.
    pub text: String,
}

/// Why a model stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finish {
    /// It was done.
    Stop,
    /// `max_tokens` was reached.
    Length,
    /// Somebody cancelled it.
    Cancelled,
}

/// Counts reported by the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct TokenUsage {
    /// Tokens read.
    pub prompt_tokens: u32,
    /// Tokens written.
    pub output_tokens: u32,
    /// Milliseconds the model was busy.
    pub model_ms: u64,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "failure", rename_all = "snake_case")]
pub enum CompletionFailure {
    /// Refused before generating: prompt and answer do not fit.
    ContextOverflow {
        /// Tokens of the prompt, as the engine counts.
        prompt_tokens: u32,
        /// The engine's window.
        context_tokens: u32,
    },
    /// Anything else, after the worker's own retries.
    Engine {
        /// For people.
        message: String,
    },
}

/// What a run of the verifier showed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct TestReport {
    /// Exit code 0 and no limit hit.
    pub passed: bool,
    /// Exit code, if the command ended by itself.
    pub exit: Option<i32>,
    /// End of standard output.
    pub stdout_tail: String,
    /// End of standard error.
    pub stderr_tail: String,
    /// Whether the time limit ended it.
    pub timed_out: bool,
    /// Milliseconds it took.
    pub duration_ms: u64,
}

/// Why an attempt must end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Interruption {
    /// The wall-clock limit; the best candidate so far may still be submitted.
    TimeUp,
    /// Somebody else won or the task was withdrawn; nothing is submitted.
    Cancelled,
}
