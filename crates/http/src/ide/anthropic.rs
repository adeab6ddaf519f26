//! Anthropic's dialect: what its routes have in common.

pub(super) mod answer;
pub(super) mod content;
pub(super) mod messages;

use axum::http::StatusCode;
use edgecoder_protocol::ErrorCode;
use serde_json::{Value, json};

use super::fault;
use crate::Error;
use crate::request::Field;

/// Names of errors; whatever stands here not is told apart by its status.
const KINDS: &[(ErrorCode, &str)] = &[
    (ErrorCode::IdeUnauthorized, "authentication_error"),
    (ErrorCode::ForeignPage, "permission_error"),
    (ErrorCode::ModelNotFound, "not_found_error"),
    (ErrorCode::RouteNotFound, "not_found_error"),
    (ErrorCode::NotFound, "not_found_error"),
    (ErrorCode::BodyTooLarge, "request_too_large"),
    (ErrorCode::RateLimited, "rate_limit_error"),
    (ErrorCode::ModelUnavailable, "overloaded_error"),
    (ErrorCode::ShuttingDown, "overloaded_error"),
];

/// The body of an error.
pub(super) fn error_body(error: &Error) -> Value {
    let ours = fault::status(error).is_server_error();
    let otherwise = if ours { "api_error" } else { "invalid_request_error" };
    let kind = KINDS.iter().find(|(code, _)| *code == error.code).map_or(otherwise, |(_, kind)| kind);
    json!({"type": "error", "error": {"type": kind, "message": error.message}})
}

/// Errors as Anthropic's clients expect them.
pub(super) fn worded(error: &Error, _: Option<&Field>, id: &str) -> (StatusCode, Vec<u8>) {
    let mut body = error_body(error);
    body["request_id"] = id.into();
    (fault::status(error), body.to_string().into_bytes())
}
