//! Bodies of the ledger routes.

use serde::{Deserialize, Serialize};

use crate::ledger::{Checkpoint, Entry};

/// Most records one page carries.
pub const MAX_PAGE: u32 = 1_000;

/// `GET /ledger/snapshot`: a page of records and the newest checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LedgerPage {
    /// Records in order.
    pub records: Vec<Entry>,
    /// Pass as `after` for the next page; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
    /// The newest signed head.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<Checkpoint>,
}

/// `GET /ledger/verify`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LedgerVerdict {
    /// Whether every chain holds.
    pub ok: bool,
    /// The first fault, named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Records checked.
    pub entries: u64,
    /// Checkpoint signatures checked.
    pub checkpoints: u64,
}
