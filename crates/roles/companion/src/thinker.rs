//! What answers: the seam to whoever chooses a model and lets it speak. The companion never knows where that is.

use std::fmt;

use edgecoder_agent::TokenUsage;
use edgecoder_agent::session::Turn;
use edgecoder_agent::tool_call::Tool;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use serde_json::{Map, Value};

use crate::Error;

/// One answer that is wanted.
#[derive(Clone, PartialEq)]
pub struct Thought {
    /// The model, by the client's name for it.
    pub model: String,
    /// What was said.
    pub turns: Vec<Turn>,
    /// What may be called.
    pub tools: Vec<Tool>,
}

impl fmt::Debug for Thought {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Thought").field("turns", &self.turns.len()).finish_non_exhaustive()
    }
}

/// A piece of an answer: texts and calls, then one `Done`.
#[derive(Clone, PartialEq)]
pub enum Uttered {
    /// More text.
    Text(String),
    /// A call of a tool that was offered, with arguments that keep to its schema.
    Call {
        /// Names it.
        id: String,
        /// The tool.
        name: String,
        /// By parameter.
        arguments: Map<String, Value>,
    },
    /// The end.
    Done {
        /// What it cost.
        usage: TokenUsage,
        /// Whether it was cut at the limit of tokens.
        cut: bool,
        /// Where it was made and why there.
        card: Value,
    },
}

impl fmt::Debug for Uttered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "Text({} bytes)", text.len()),
            Self::Call { name, .. } => write!(f, "Call({name})"),
            Self::Done { usage, .. } => write!(f, "Done({usage:?})"),
        }
    }
}

/// Lets a model answer.
pub trait Thinker: Send + Sync + fmt::Debug {
    /// Tokens of the window of whatever would answer.
    fn window(&self, model: String) -> BoxFuture<'_, Result<u32, Error>>;

    /// Starts an answer. Dropping the stream cancels it and frees its slot.
    fn think(
        &self,
        thought: Thought,
    ) -> BoxFuture<'_, Result<BoxStream<'static, Result<Uttered, Error>>, Error>>;
}
