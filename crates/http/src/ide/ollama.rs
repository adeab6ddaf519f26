//! Ollama's dialect: what its routes have in common.

pub(super) mod answer;
pub(super) mod chat;
pub(super) mod generate;
pub(super) mod models;
pub(super) mod options;
pub(super) mod pull;

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::fault;
use super::parameters::{Parameter, idle, only};
use crate::Error;
use crate::request::Field;

pub(super) const KEEP_ALIVE: Parameter =
    idle("keep_alive", "the model stays loaded as long as the node runs");

pub(super) const TRUNCATE: Parameter =
    only("truncate", &["false"], "what does not fit the window is refused, never cut");
pub(super) const SHIFT: Parameter = only("shift", &["false"], "an answer ends where the window does");

/// The body of an error.
pub(super) fn error_body(error: &Error) -> Value {
    json!({"error": error.message})
}

/// Errors as Ollama's clients expect them.
pub(super) fn worded(error: &Error, _: Option<&Field>, _: &str) -> (StatusCode, Vec<u8>) {
    (fault::status(error), error_body(error).to_string().into_bytes())
}

/// Ollama's clients add the usual tag to names that have none.
pub(super) fn untagged(model: &str) -> String {
    model.strip_suffix(":latest").unwrap_or(model).to_owned()
}
