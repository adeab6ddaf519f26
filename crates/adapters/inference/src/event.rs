//! What an engine says while it answers.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::compact::Compaction;

/// One step of an answer. A complete answer is `Started`, any number of `Delta`, one `Done`; before `Started`
/// stands `Compacted` where that was asked for and needed, among the deltas stand `Logprobs` where asked for.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The request was accepted: it fits. It may still wait for a slot.
    Started {
        /// Tokens of the prompt; 0 where a server tells only at the end.
        prompt_tokens: u32,
    },
    /// The conversation did not fit and was shortened, as the caller had allowed.
    Compacted {
        /// What was shortened: to be kept with the conversation, so that the next request begins the same.
        compaction: Compaction,
    },
    /// More text.
    Delta {
        /// Whole characters; never part of a stop sequence.
        text: String,
    },
    /// How likely the tokens were; their text comes in deltas, perhaps later.
    Logprobs {
        /// In the order of writing.
        tokens: Vec<TokenLogprob>,
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
            Self::Compacted { compaction } => write!(f, "{compaction:?}"),
            Self::Logprobs { tokens } => write!(f, "Logprobs({} tokens)", tokens.len()),
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

/// One token and how likely the model held it, before temperature and other choices of the request.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct TokenLogprob {
    /// The token's text; half a character is shown as the replacement character.
    pub text: String,
    /// Its bytes, which together are the answer's.
    pub bytes: Vec<u8>,
    /// Natural logarithm of its likelihood.
    pub logprob: f32,
    /// The likeliest tokens in its place, likeliest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alternatives: Vec<TokenLogprob>,
}

impl fmt::Debug for TokenLogprob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenLogprob({} bytes, {})", self.bytes.len(), self.logprob)
    }
}
