//! The only mapping from what happened inside to what a caller is told. The body is written by the request
//! layer, which knows the request's id; until then the error travels in the response's extensions.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use edgecoder_protocol::ErrorCode;
use edgecoder_protocol::api::error::ErrorBody;

/// A refusal or an error, as the caller may see it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message} ({code})")]
pub struct Error {
    /// For programs.
    pub code: ErrorCode,
    /// For people.
    pub message: String,
}

impl Error {
    pub(crate) fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// What a bare status of the router means: it knows no codes of ours.
    pub(crate) fn of_status(status: StatusCode) -> Self {
        match status {
            StatusCode::METHOD_NOT_ALLOWED => {
                Self::new(ErrorCode::MethodNotAllowed, "this path does not take that method")
            }
            StatusCode::NOT_FOUND => {
                Self::new(ErrorCode::RouteNotFound, "there is no such path on this door")
            }
            status if status.is_client_error() => {
                Self::new(ErrorCode::InvalidRequest, "the request is not understood")
            }
            _ => Self::new(ErrorCode::Internal, "answering failed unexpectedly"),
        }
    }

    pub(crate) fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    pub(crate) fn body(self, request_id: &str) -> ErrorBody {
        let Self { code, message } = self;
        ErrorBody { code, error: code, message, request_id: request_id.to_owned() }
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<edgecoder_coordinator::Error> for Error {
    fn from(error: edgecoder_coordinator::Error) -> Self {
        Self { code: error.code, message: error.message }
    }
}

impl From<edgecoder_companion::Error> for Error {
    fn from(error: edgecoder_companion::Error) -> Self {
        Self { code: error.code, message: error.message }
    }
}

impl From<edgecoder_worker::InferenceError> for Error {
    fn from(error: edgecoder_worker::InferenceError) -> Self {
        use edgecoder_worker::InferenceError as Engine;
        let code = match &error {
            Engine::ContextOverflow { .. } => ErrorCode::ContextOverflow,
            Engine::InvalidRequest { .. } => ErrorCode::InvalidRequest,
            Engine::EngineStarting
            | Engine::EngineCrashed { .. }
            | Engine::EngineMissing { .. }
            | Engine::ModelMissing { .. }
            | Engine::ModelUnreadable { .. } => ErrorCode::ModelUnavailable,
            Engine::EngineStopped | Engine::Cancelled => ErrorCode::ShuttingDown,
            Engine::Overloaded => ErrorCode::RateLimited,
            Engine::Protocol { .. } | Engine::Upstream { .. } | Engine::Unreachable { .. } => {
                ErrorCode::InferenceServiceUnavailable
            }
            Engine::Timeout { .. } => ErrorCode::Timeout,
            Engine::Unsupported { .. } => ErrorCode::NotImplementedHere,
        };
        tracing::warn!(%error, "the engine did not do what was asked");
        Self::new(code, outer_words(&error))
    }
}

/// Paths, commands and what a model server said stay in the log.
pub(crate) fn outer_words(error: &edgecoder_worker::InferenceError) -> String {
    use edgecoder_worker::InferenceError as Engine;
    match error {
        Engine::ContextOverflow { .. }
        | Engine::InvalidRequest { .. }
        | Engine::Unsupported { .. }
        | Engine::EngineStarting
        | Engine::EngineStopped
        | Engine::Overloaded
        | Engine::Timeout { .. }
        | Engine::Cancelled => error.to_string(),
        Engine::EngineCrashed { .. } => "the engine crashed and is being restarted".to_owned(),
        Engine::EngineMissing { .. } => "the engine cannot be started on this node".to_owned(),
        Engine::ModelMissing { .. } | Engine::ModelUnreadable { .. } => {
            "this node has no usable model".to_owned()
        }
        Engine::Protocol { .. } | Engine::Upstream { .. } | Engine::Unreachable { .. } => {
            "the model server did not answer properly".to_owned()
        }
    }
}
