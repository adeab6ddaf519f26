//! Why something that is meant as a call cannot be one. The texts go back to the model, once, and to people.

use serde::{Deserialize, Serialize};

/// The first reason found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Malformed {
    /// More text than any call.
    #[error("the answer has {bytes} bytes, too many for a tool call")]
    TooLong {
        /// Bytes of the answer.
        bytes: usize,
    },
    /// Nested or repeated beyond what reading is worth.
    #[error("the call is nested too deeply")]
    Tangled,
    /// It ends in the middle of a value.
    #[error("the call is cut off in the middle of a value")]
    Truncated,
    /// Not JSON, and not mendable without guessing.
    #[error("the arguments are not valid JSON: {expected} expected at {near:?}")]
    Syntax {
        /// What should stand there.
        expected: String,
        /// The text at that place.
        near: String,
    },
    /// A mark of a call with no call behind it.
    #[error("there is a tool-call mark without a call: name and arguments expected at {near:?}")]
    NoCall {
        /// The text at that place.
        near: String,
    },
    /// The call stands within the model's thinking.
    #[error("the call is inside <think>; write it after the thinking")]
    InThinking,
    /// No tool of that name.
    #[error("there is no tool {name:?}; there are: {}", .tools.join(", "))]
    UnknownTool {
        /// The name as written.
        name: String,
        /// What is declared.
        tools: Vec<String>,
    },
    /// Several tools whose names are as near.
    #[error("{name:?} may mean any of: {}", .tools.join(", "))]
    AmbiguousTool {
        /// The name as written.
        name: String,
        /// What it may mean.
        tools: Vec<String>,
    },
    /// Arguments that are no object.
    #[error("the arguments of {tool} are not an object of parameters")]
    NoParameters {
        /// The tool.
        tool: String,
    },
    /// A required parameter is missing.
    #[error("{tool} needs the parameter {parameter:?}")]
    MissingParameter {
        /// The tool.
        tool: String,
        /// The first that is missing.
        parameter: String,
    },
    /// A parameter that the schema forbids.
    #[error("{tool} has no parameter {parameter:?}; it has: {}", .known.join(", "))]
    UnknownParameter {
        /// The tool.
        tool: String,
        /// The name as written.
        parameter: String,
        /// What it has.
        known: Vec<String>,
    },
    /// One parameter twice, with different values.
    #[error("the parameter {parameter:?} of {tool} is given twice, with different values")]
    Contradiction {
        /// The tool.
        tool: String,
        /// The parameter.
        parameter: String,
    },
    /// A value of the wrong type.
    #[error("{parameter:?} of {tool} must be {wanted}, not {found}")]
    WrongType {
        /// The tool.
        tool: String,
        /// The parameter.
        parameter: String,
        /// What the schema asks for.
        wanted: String,
        /// What was written.
        found: String,
    },
    /// A value that is none of the choices.
    #[error("{parameter:?} of {tool} must be one of {}, not {found}", .choices.join(", "))]
    NoChoice {
        /// The tool.
        tool: String,
        /// The parameter.
        parameter: String,
        /// What may stand there.
        choices: Vec<String>,
        /// What was written.
        found: String,
    },
}

/// The first characters of `text`, enough to find the place.
pub(super) fn near(text: &str) -> String {
    crate::syntax::clip(text.trim_start(), 40)
}
