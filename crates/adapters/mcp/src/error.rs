//! What can go wrong with a server, told apart by what the reader can do about it.

use std::time::Duration;

/// Why a server is of no use, or a call failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It did not answer in its time.
    #[error("the server did not answer within {} s", .0.as_secs())]
    Silent(Duration),
    /// It ended, hung up, or said more than its share.
    #[error("the server is gone: it ended, hung up, or said more than its share")]
    Gone,
    /// It answered with an error, or with what makes no sense.
    #[error("the server answered: {0}")]
    Answered(String),
    /// The tool said that it failed; its words are for the model.
    #[error("{0}")]
    Failed(String),
    /// The caller does not wait any more.
    #[error("the call was cancelled")]
    Cancelled,
}
