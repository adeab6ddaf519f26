//! Which model runs where, and why a wish about it is refused.

use std::path::PathBuf;

use edgecoder_inference::discover::ServerKind;
use edgecoder_inference::ollama;

/// Who runs a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Provider {
    /// The engine in a child process of this node, with this file.
    Local {
        /// The model's file.
        path: PathBuf,
    },
    /// A server.
    Server {
        /// What it is.
        kind: ServerKind,
        /// Its root.
        url: String,
    },
}

impl Provider {
    /// The name in settings and answers.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Local { .. } => "local",
            Self::Server { kind, .. } => kind.as_str(),
        }
    }
}

/// A model and who runs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineSpec {
    /// Who runs it.
    pub provider: Provider,
    /// The model, as its provider names it.
    pub model: String,
}

impl EngineSpec {
    /// A model of the local engine.
    pub fn local(model: impl Into<String>, path: impl Into<PathBuf>) -> Self {
        Self { provider: Provider::Local { path: path.into() }, model: model.into() }
    }

    /// A model of a server.
    pub fn server(kind: ServerKind, url: impl Into<String>, model: impl Into<String>) -> Self {
        Self { provider: Provider::Server { kind, url: url.into() }, model: model.into() }
    }
}

/// Why a wish about models is not granted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Nobody has the model, and nobody can fetch it.
    #[error("no provider has the model {0:?}, and none can fetch it")]
    NotFound(String),
    /// Something else has to end first.
    #[error("one thing at a time: {0}")]
    Busy(String),
    /// The model is the one in use, or about to be.
    #[error("the model {0:?} is in use: activate another one first")]
    InUse(String),
    /// The model is not ours to remove.
    #[error("the model {0:?} is not kept here, or came with the program; it cannot be removed")]
    NotRemovable(String),
    /// The engine or the provider failed.
    #[error(transparent)]
    Engine(#[from] edgecoder_inference::Error),
}

/// Whether two names mean the same model: case does not count, and a missing tag is `latest`.
pub(super) fn same_model(one: &str, other: &str) -> bool {
    ollama::same_model(one, other)
}
