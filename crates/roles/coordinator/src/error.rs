//! What the coordinator answers when it does not do what was asked: a code for programs, a sentence for
//! people. What happened inside stays in the log.

use edgecoder_protocol::{ErrorCode, WorkError};
use edgecoder_tasks::Refusal;

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

    pub(crate) fn not_found(what: &str) -> Self {
        Self::new(ErrorCode::NotFound, format!("{what} does not exist here"))
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        let code = match &refusal {
            Refusal::Invalid { .. } | Refusal::BadPlan(_) | Refusal::WrongReport => ErrorCode::InvalidRequest,
            Refusal::UnknownAttempt => ErrorCode::NotFound,
            Refusal::LeaseLost(_) | Refusal::NotLeasable(_) => ErrorCode::LeaseLost,
            Refusal::NotEligible(_) => ErrorCode::Forbidden,
            Refusal::WrongState(_) | Refusal::NotesUnread(_) => ErrorCode::WrongState,
        };
        Self::new(code, refusal.to_string())
    }
}

impl From<edgecoder_store::Error> for Error {
    fn from(error: edgecoder_store::Error) -> Self {
        use edgecoder_store::Error as Store;
        let (code, message) = match &error {
            Store::Refused(refusal) => return refusal.clone().into(),
            Store::UnknownTask(id) => return Self::not_found(&format!("the task {id}")),
            Store::TaskExists(_) => (ErrorCode::TaskExists, error.to_string()),
            Store::IdempotencyMismatch => (ErrorCode::IdempotencyMismatch, error.to_string()),
            Store::Full { .. } => (ErrorCode::StorageFull, "the disk is full; nothing was stored".to_owned()),
            Store::Unavailable { .. } | Store::Conflict { .. } => (
                ErrorCode::StoreUnavailable,
                "the database is not available; nothing was stored, try again".to_owned(),
            ),
            Store::Closed => (ErrorCode::ShuttingDown, "the node is stopping".to_owned()),
            Store::Corrupt { .. } | Store::SchemaTooNew { .. } => {
                (ErrorCode::Internal, "stored content is not readable; see the node's log".to_owned())
            }
        };
        tracing::warn!(%error, "the store did not do what was asked");
        Self::new(code, message)
    }
}

impl Error {
    pub(crate) fn from_blobs(doing: &str, error: &std::io::Error) -> Self {
        use std::io::ErrorKind;
        tracing::warn!(%error, doing, "the blob store did not do what was asked");
        let kind = error.kind();
        if kind == ErrorKind::NotFound {
            Self::not_found("the blob")
        } else if matches!(kind, ErrorKind::StorageFull | ErrorKind::QuotaExceeded) {
            Self::new(ErrorCode::StorageFull, "the disk is full; nothing was stored")
        } else if kind == ErrorKind::InvalidData {
            Self::new(ErrorCode::HashMismatch, "the stored blob is damaged")
        } else {
            Self::new(ErrorCode::StoreUnavailable, format!("{doing} failed; nothing was stored, try again"))
        }
    }
}

impl From<Error> for WorkError {
    fn from(error: Error) -> Self {
        Self::Refused { code: error.code, message: error.message }
    }
}
