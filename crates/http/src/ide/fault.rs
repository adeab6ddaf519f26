//! A refusal as the dialects tell it: the house's error and the field it is about. The body is worded by the dialect of
//! the path, so that also a panic or an unknown path has the form that the client expects.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use edgecoder_protocol::ErrorCode;

use super::{anthropic, chat, ollama, openai};
use crate::Error;
use crate::request::{Field, Wording, house};

/// An error and the field of the request it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) error: Error,
    pub(super) field: Option<String>,
}

impl Fault {
    /// The value of a field cannot be taken.
    pub(super) fn of(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { error: Error::new(ErrorCode::InvalidRequest, message), field: Some(field.into()) }
    }

    /// What a field asks for is not offered here.
    pub(super) fn unsupported(field: impl Into<String>, why: &str) -> Self {
        let field = field.into();
        let message = format!("`{field}` is not supported here: {why}");
        Self { error: Error::new(ErrorCode::InvalidRequest, message), field: Some(field) }
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self { error, field: None }
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let mut response = self.error.into_response();
        if let Some(field) = self.field {
            response.extensions_mut().insert(Field(field));
        }
        response
    }
}

/// The wording of a path's errors.
pub(super) fn wording(path: &str) -> Wording {
    if path.starts_with("/v1/messages") {
        anthropic::worded
    } else if path.starts_with("/v1/router") || path.starts_with(chat::PREFIX) {
        house
    } else if path.starts_with("/v1/") {
        openai::worded
    } else if path.starts_with("/api/") {
        ollama::worded
    } else {
        house
    }
}

/// Refusals of what was asked are 400 in all three dialects, where the house is more exact.
pub(super) fn status(error: &Error) -> StatusCode {
    let plain = [ErrorCode::ContextOverflow, ErrorCode::NotImplementedHere, ErrorCode::NoPlace];
    if plain.contains(&error.code) { StatusCode::BAD_REQUEST } else { error.status() }
}
