//! OpenAI's dialect: what its routes have in common.

pub(super) mod chat;
pub(super) mod chat_answer;
pub(super) mod completions;
pub(super) mod embeddings;
pub(super) mod message;
pub(super) mod models;
pub(super) mod responses;
pub(super) mod responses_answer;
pub(super) mod responses_input;
pub(super) mod store;
pub(super) mod tail;

use axum::http::StatusCode;
use edgecoder_protocol::ErrorCode;
use edgecoder_worker::TokenUsage;
use serde_json::{Value, json};

use super::fault;
use super::parameters::{Parameter, idle, only, refused};
use crate::Error;
use crate::request::Field;

const NO_LOSS_HINT: &str = "it helps OpenAI to find abuse or cache hits, and changes no answer";

/// Parameters that chat and responses have in common and that stand alike in both.
pub(super) const USER: Parameter = idle("user", NO_LOSS_HINT);
pub(super) const SAFETY_IDENTIFIER: Parameter = idle("safety_identifier", NO_LOSS_HINT);
pub(super) const PROMPT_CACHE_KEY: Parameter = idle("prompt_cache_key", NO_LOSS_HINT);
pub(super) const PROMPT_CACHE_RETENTION: Parameter = idle("prompt_cache_retention", NO_LOSS_HINT);
pub(super) const SERVICE_TIER: Parameter =
    only("service_tier", &["\"auto\"", "\"default\""], "a node has one class of service");
pub(super) const LOGIT_BIAS: Parameter =
    refused("logit_bias", "token ids are those of OpenAI's vocabulary, not of this model's");

/// Errors that OpenAI has a name of its own for: type and code.
const NAMED: &[(ErrorCode, &str, &str)] = &[
    (ErrorCode::RateLimited, "rate_limit_error", "rate_limit_exceeded"),
    (ErrorCode::IdeUnauthorized, "authentication_error", "invalid_api_key"),
    (ErrorCode::ForeignPage, "permission_error", "foreign_page"),
    (ErrorCode::ContextOverflow, "invalid_request_error", "context_length_exceeded"),
    (ErrorCode::UnknownField, "invalid_request_error", "unknown_parameter"),
];

/// The body of an error.
pub(super) fn error_body(error: &Error, field: Option<&Field>) -> Value {
    let ours = fault::status(error).is_server_error();
    let kind = if ours { "server_error" } else { "invalid_request_error" };
    let named = NAMED.iter().find(|(code, ..)| *code == error.code);
    let (kind, code) = named.map_or((kind, error.code.as_str()), |(_, kind, code)| (*kind, *code));
    let param = field.map(|field| field.0.as_str());
    json!({"error": {"message": error.message, "type": kind, "param": param, "code": code}})
}

/// Errors as OpenAI's clients expect them.
pub(super) fn worded(error: &Error, field: Option<&Field>, _: &str) -> (StatusCode, Vec<u8>) {
    (fault::status(error), error_body(error, field).to_string().into_bytes())
}

/// What an answer cost, as chat and completions tell it.
pub(super) fn usage(usage: TokenUsage) -> Value {
    let TokenUsage { prompt_tokens, output_tokens, .. } = usage;
    let total = prompt_tokens.saturating_add(output_tokens);
    json!({"prompt_tokens": prompt_tokens, "completion_tokens": output_tokens, "total_tokens": total})
}
