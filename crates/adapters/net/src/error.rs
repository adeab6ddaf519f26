//! What can go wrong between two nodes, told apart by what the caller can do about it.

use edgecoder_protocol::{ErrorCode, WorkError};

/// Why a request to another node failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address cannot be used.
    #[error("{url:?} is not an http(s) address")]
    Address {
        /// What was given.
        url: String,
    },
    /// The TLS or connection machinery could not be set up.
    #[error("cannot set up the HTTP client")]
    Client(#[source] reqwest::Error),
    /// No connection, or no answer in time.
    #[error("{url} cannot be reached: {detail}")]
    Unreachable {
        /// The node's address.
        url: String,
        /// The innermost cause, for people.
        detail: String,
    },
    /// The node understood and said no.
    #[error("{message} ({code}, request {request_id})")]
    Refused {
        /// Its code.
        code: ErrorCode,
        /// Its words.
        message: String,
        /// Names the request in its log.
        request_id: String,
    },
    /// An HTTP error that is not one of ours: a proxy in between, or something else listens there.
    #[error("{url} answered HTTP {status}: {text}")]
    Status {
        /// The node's address.
        url: String,
        /// HTTP status.
        status: u16,
        /// The start of the body.
        text: String,
    },
    /// An answer over the bound.
    #[error("the answer is larger than {limit} bytes")]
    TooLarge {
        /// The bound.
        limit: usize,
    },
    /// An answer that makes no sense.
    #[error("the answer is not understood: {0}")]
    Protocol(String),
    /// What was to be sent could not be encoded.
    #[error("the request cannot be written as JSON")]
    Encode(#[source] serde_json::Error),
    /// A local blob that was to be sent could not be read.
    #[error("cannot read a blob to upload")]
    Local(#[source] std::io::Error),
}

impl Error {
    /// Whether the same call may succeed later.
    pub const fn is_retryable(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Status { status, .. } => matches!(status, 429 | 502 | 503 | 504),
            Self::Refused { code, .. } => matches!(
                code,
                ErrorCode::StoreUnavailable
                    | ErrorCode::StorageFull
                    | ErrorCode::ShuttingDown
                    | ErrorCode::Timeout
                    | ErrorCode::RateLimited
                    | ErrorCode::Internal
            ),
            Self::Address { .. }
            | Self::Client(_)
            | Self::TooLarge { .. }
            | Self::Protocol(_)
            | Self::Encode(_)
            | Self::Local(_) => false,
        }
    }

    /// The refusal's code, if the node refused.
    pub const fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Refused { code, .. } => Some(*code),
            Self::Address { .. }
            | Self::Client(_)
            | Self::Unreachable { .. }
            | Self::Status { .. }
            | Self::TooLarge { .. }
            | Self::Protocol(_)
            | Self::Encode(_)
            | Self::Local(_) => None,
        }
    }
}

impl From<Error> for WorkError {
    fn from(error: Error) -> Self {
        let retryable = error.is_retryable();
        match error {
            Error::Refused { code, message, .. } => Self::Refused { code, message },
            Error::Unreachable { .. } | Error::Status { .. } if retryable => {
                Self::Unreachable(error.to_string())
            }
            Error::Address { .. }
            | Error::Client(_)
            | Error::Unreachable { .. }
            | Error::Status { .. }
            | Error::TooLarge { .. }
            | Error::Protocol(_)
            | Error::Encode(_)
            | Error::Local(_) => Self::Protocol(error.to_string()),
        }
    }
}
