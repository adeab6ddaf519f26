//! What the companion answers when it does not do what was asked: a code for programs, a sentence for people.

use edgecoder_protocol::ErrorCode;

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
    /// An error with its sentence.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::InvalidRequest, message)
    }

    /// The disk under the sessions failed; paths stay in the log.
    pub(crate) fn disk(error: &std::io::Error) -> Self {
        tracing::error!(%error, "a session's log failed");
        Self::new(ErrorCode::Internal, "the session cannot be kept on disk")
    }
}

/// Runs blocking work off the async threads.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Error> {
    let panicked = |_| Error::new(ErrorCode::Internal, "work on the disk failed unexpectedly");
    tokio::task::spawn_blocking(work).await.map_err(panicked)
}
