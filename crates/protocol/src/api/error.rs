//! The one body of every refusal and error.

use serde::{Deserialize, Serialize};

use crate::ErrorCode;

/// What a door answers when it does not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ErrorBody {
    /// For programs.
    pub code: ErrorCode,
    /// The same as `code`, where older clients look for it.
    pub error: ErrorCode,
    /// For people: what was being done, and what to do.
    pub message: String,
    /// Names this request in the node's log.
    pub request_id: String,
}
