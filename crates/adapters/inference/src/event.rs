//! What an engine says while it answers.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One step of an answer. A complete answer is `Started`, any number of `Delta`, one `Done`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The request was accepted: it fits. It may still wait for a slot.
    Started {
        /// Tokens of the prompt; 0 where a server tells only at the end.
        prompt_tokens: u32,
    },
    /// More text.
    Delta {
        /// Whole characters; never part of a stop sequence.
        text: String,
    },
    /// The answer is over.
    Done {
        /// Why it ended.
        finish: Finish,
        /// What it cost.
        usage: TokenUsage,
    },
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Started { prompt_tokens } => write!(f, "Started({prompt_tokens} tokens)"),
            Self::Delta { text } => write!(f, "Delta({} bytes)", text.len()),
            Self::Done { finish, usage } => write!(f, "Done({finish:?}, {usage:?})"),
        }
    }
}

/// Why an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finish {
    /// The model was done, or a stop sequence came.
    Stop,
    /// `max_tokens` were generated.
    Length,
    /// The caller cancelled.
    Cancelled,
}

/// What an answer cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TokenUsage {
    /// Tokens read.
    pub prompt_tokens: u32,
    /// Tokens written.
    pub output_tokens: u32,
    /// Milliseconds from the first decoding step to the last.
    pub model_ms: u64,
}
