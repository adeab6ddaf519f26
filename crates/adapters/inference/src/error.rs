//! Everything that can go wrong between a request and its text. Serialisable, because the engine usually
//! lives in another process or on another machine.

use serde::{Deserialize, Serialize};

/// Why a completion, a count or a question about capabilities failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Error {
    /// The prompt and the room asked for do not fit; refused before generating anything.
    #[error(
        "the prompt has {prompt_tokens} tokens and asks for {max_tokens} more, the context holds {context_tokens}"
    )]
    ContextOverflow {
        /// Tokens of the templated prompt.
        prompt_tokens: u32,
        /// Tokens asked for.
        max_tokens: u32,
        /// Tokens the model's context holds.
        context_tokens: u32,
    },
    /// The request itself makes no sense (no messages, no room to answer, a number out of range).
    #[error("invalid request: {reason}")]
    InvalidRequest {
        /// What to change.
        reason: String,
    },
    /// This engine or its model cannot do what was asked; another may.
    #[error("{what} is not supported: {reason}")]
    Unsupported {
        /// What was asked.
        what: String,
        /// What is missing.
        reason: String,
    },
    /// The engine is loading its model and did not get ready within the caller's bound.
    #[error("the engine is still starting")]
    EngineStarting,
    /// The engine died with this request in flight; it is being restarted.
    #[error("the engine crashed: {reason}")]
    EngineCrashed {
        /// Exit status and the last words on its error output.
        reason: String,
    },
    /// The engine was told to stop.
    #[error("the engine is stopped")]
    EngineStopped,
    /// The engine's program cannot be started at all.
    #[error("cannot start the engine `{command}`: {reason}")]
    EngineMissing {
        /// The program.
        command: String,
        /// What the system said.
        reason: String,
    },
    /// More requests are waiting than the engine keeps.
    #[error("the engine has too many requests waiting")]
    Overloaded,
    /// There is no model file.
    #[error("no model at {path}: {fix}")]
    ModelMissing {
        /// Where it was looked for.
        path: String,
        /// What the person can do.
        fix: String,
    },
    /// There is a file, but it is not a usable model.
    #[error("cannot read the model {path}: {reason}")]
    ModelUnreadable {
        /// The file.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The other side said something outside the agreed form.
    #[error("protocol violation: {reason}")]
    Protocol {
        /// What was seen.
        reason: String,
    },
    /// The server answered with an error status.
    #[error("the model server answered {status}: {message}")]
    Upstream {
        /// HTTP status.
        status: u16,
        /// The server's own words, shortened.
        message: String,
    },
    /// The server could not be reached, or the connection broke.
    #[error("cannot reach the model server: {reason}")]
    Unreachable {
        /// What the network said.
        reason: String,
    },
    /// Nothing came within the bound.
    #[error("no answer within {after_ms} ms")]
    Timeout {
        /// The bound, milliseconds.
        after_ms: u64,
    },
    /// The caller cancelled before anything was generated.
    #[error("cancelled")]
    Cancelled,
}

impl Error {
    /// Whether the same request may succeed later, here or elsewhere, without being changed.
    pub const fn is_retryable(&self) -> bool {
        match self {
            Self::EngineStarting
            | Self::EngineCrashed { .. }
            | Self::Overloaded
            | Self::Unreachable { .. }
            | Self::Timeout { .. } => true,
            Self::Upstream { status, .. } => matches!(status, 408 | 425 | 429 | 500..=599),
            Self::ContextOverflow { .. }
            | Self::InvalidRequest { .. }
            | Self::Unsupported { .. }
            | Self::EngineStopped
            | Self::EngineMissing { .. }
            | Self::ModelMissing { .. }
            | Self::ModelUnreadable { .. }
            | Self::Protocol { .. }
            | Self::Cancelled => false,
        }
    }

    pub(crate) fn invalid(reason: impl Into<String>) -> Self {
        Self::InvalidRequest { reason: reason.into() }
    }

    pub(crate) fn unsupported(what: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Unsupported { what: what.into(), reason: reason.into() }
    }

    pub(crate) fn protocol(reason: impl Into<String>) -> Self {
        Self::Protocol { reason: reason.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_passing_troubles_are_worth_a_retry() {
        let upstream = |status| Error::Upstream { status, message: String::new() };
        for (error, retryable) in [
            (Error::EngineStarting, true),
            (Error::EngineCrashed { reason: "signal 9".into() }, true),
            (upstream(503), true),
            (upstream(429), true),
            (upstream(400), false),
            (Error::ContextOverflow { prompt_tokens: 9, max_tokens: 9, context_tokens: 10 }, false),
            (Error::unsupported("infill", "no tokens for it"), false),
            (Error::ModelMissing { path: "m".into(), fix: "f".into() }, false),
        ] {
            assert_eq!(error.is_retryable(), retryable, "{error}");
            let text = serde_json::to_string(&error).unwrap();
            assert_eq!(serde_json::from_str::<Error>(&text).unwrap(), error, "{text}");
        }
    }
}
