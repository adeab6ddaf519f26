//! What a model wrote when it was offered tools: prose, calls, or a call that nobody can read. One tolerant
//! layer for every family of models, because a call that silently becomes prose looks like a finished answer.
//!
//! ```text
//! text ─► marks (where a call may begin) ─► its form (JSON, XML, pythonic, plain text) ─► name and arguments
//!                                                                                         held against the tool
//! ```
//!
//! **Invariants.** What is mended is named as a [`Repair`]. What allows two readings is [`Reading::Malformed`],
//! never a guess. A text with a mark of a call, or which names a declared tool in an object, is never prose.

mod arguments;
mod envelope;
mod fuel;
mod lenient;
mod mark;
mod name;
mod payload;
mod plain;
mod pythonic;
mod read;
mod reader;
mod tagged;

pub mod course;
pub mod malformed;
pub mod repair;
pub mod scanner;
pub mod words;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use course::{Course, Next};
pub use malformed::Malformed;
pub use read::{MAX_BYTES, read};
pub use repair::Repair;
pub use scanner::Scanner;
pub use words::{Dialect, declare};

/// A function that the model may ask for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tool {
    /// The name it is called by.
    pub name: String,
    /// What it does, for the model.
    #[serde(default)]
    pub description: String,
    /// JSON Schema of its arguments; anything that is no object schema allows everything.
    #[serde(default)]
    pub parameters: Value,
}

/// One call of a declared tool, with arguments that keep to its schema.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Call {
    /// The tool's name as declared.
    pub name: String,
    /// Arguments by parameter.
    pub arguments: Map<String, Value>,
    /// What had to be mended, sorted, each kind once; empty for a well-formed call.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub repairs: Vec<Repair>,
}

/// What a text is.
#[derive(Debug, Clone, PartialEq)]
pub enum Reading {
    /// No call and nothing that looks like the attempt of one.
    Prose,
    /// At least one call, each of a declared tool.
    Calls {
        /// The text around them.
        prose: String,
        /// In the order written.
        calls: Vec<Call>,
    },
    /// Something that is meant as a call and cannot be read. Nothing of it may be performed.
    Malformed {
        /// Where it begins, bytes.
        at: usize,
        /// Why; its text is written for the model.
        reason: Malformed,
    },
}
