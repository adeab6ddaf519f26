//! The ordering ledger as it is shown and exchanged: one record per event of a queue, chained by hash, with
//! signed checkpoints over the chain's head.

use edgecoder_base::{NodeId, Signature, SubtaskId, TaskId, Timestamp};
use serde::{Deserialize, Serialize};

/// One record of a coordinator's ordering chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// The first 32 digits of `hash`.
    pub id: String,
    /// What happened.
    pub event_type: String,
    /// To which task; empty for events of the node itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_id: Option<TaskId>,
    /// To which subtask.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subtask_id: Option<SubtaskId>,
    /// By whom.
    pub actor_id: String,
    /// Position in this coordinator's chain, from 1, without gaps.
    pub sequence: u64,
    /// When, Unix milliseconds.
    pub issued_at_ms: i64,
    /// Hash of the record before; `GENESIS` for the first.
    pub prev_hash: String,
    /// Whose chain.
    pub coordinator_id: NodeId,
    /// Details as JSON text; the hash covers these very bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload_json: Option<String>,
    /// SHA-256 over the fields above (without `id`), hexadecimal.
    pub hash: String,
}

/// A coordinator's signature on its chain up to a height.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Checkpoint {
    /// Whose chain.
    pub coordinator_id: NodeId,
    /// The last record covered.
    pub sequence: u64,
    /// Its hash.
    pub hash: String,
    /// When it was signed.
    pub signed_at: Timestamp,
    /// Ed25519 over `edgecoder-checkpoint-v1`, coordinator, sequence and hash, one a line.
    pub signature: Signature,
}

impl Checkpoint {
    /// The bytes that are signed.
    pub fn signed_text(coordinator_id: &NodeId, sequence: u64, hash: &str) -> String {
        format!("edgecoder-checkpoint-v1\n{coordinator_id}\n{sequence}\n{hash}")
    }
}
