//! Making the next entry of a chain.

use edgecoder_base::hash::sha256_hex;
use edgecoder_base::{NodeId, SubtaskId, TaskId, Timestamp};
use edgecoder_protocol::ledger::Entry;
use serde::Serialize;

/// `prevHash` of the first entry.
pub const GENESIS: &str = "GENESIS";

/// What is to be recorded, before it has a place in the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// What happened.
    pub event_type: &'static str,
    /// To which task.
    pub task_id: Option<TaskId>,
    /// To which subtask.
    pub subtask_id: Option<SubtaskId>,
    /// By whom.
    pub actor_id: String,
    /// Details as JSON text.
    pub payload_json: Option<String>,
}

/// The end of a chain: what the next entry builds on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Whose chain.
    pub coordinator_id: NodeId,
    /// The last entry's position; 0 for an empty chain.
    pub sequence: u64,
    /// The last entry's hash; `GENESIS` for an empty chain.
    pub hash: String,
}

impl Head {
    /// The head of an empty chain.
    pub fn genesis(coordinator_id: NodeId) -> Self {
        Self { coordinator_id, sequence: 0, hash: GENESIS.to_owned() }
    }

    /// The next entry; the head moves on to it.
    pub fn append(&mut self, draft: Draft, now: Timestamp) -> Entry {
        let mut entry = Entry {
            id: String::new(),
            event_type: draft.event_type.to_owned(),
            task_id: draft.task_id,
            subtask_id: draft.subtask_id,
            actor_id: draft.actor_id,
            sequence: self.sequence + 1,
            issued_at_ms: now.as_millis(),
            prev_hash: std::mem::take(&mut self.hash),
            coordinator_id: self.coordinator_id.clone(),
            payload_json: draft.payload_json,
            hash: String::new(),
        };
        entry.hash = entry_hash(&entry);
        entry.id = entry.hash[..32].to_owned();
        self.sequence = entry.sequence;
        self.hash.clone_from(&entry.hash);
        entry
    }
}

/// The published fields in their published order; `serde_json` writes them in the order of declaration.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Hashed<'a> {
    event_type: &'a str,
    task_id: Option<&'a TaskId>,
    subtask_id: Option<&'a SubtaskId>,
    actor_id: &'a str,
    sequence: u64,
    #[serde(rename = "issuedAtMs")]
    issued_at_ms: i64,
    prev_hash: &'a str,
    coordinator_id: &'a NodeId,
    checkpoint_height: Option<u64>,
    checkpoint_hash: Option<&'a str>,
    payload_json: Option<&'a str>,
}

/// The hash an entry must have.
pub fn entry_hash(entry: &Entry) -> String {
    let hashed = Hashed {
        event_type: &entry.event_type,
        task_id: entry.task_id.as_ref(),
        subtask_id: entry.subtask_id.as_ref(),
        actor_id: &entry.actor_id,
        sequence: entry.sequence,
        issued_at_ms: entry.issued_at_ms,
        prev_hash: &entry.prev_hash,
        coordinator_id: &entry.coordinator_id,
        checkpoint_height: None,
        checkpoint_hash: None,
        payload_json: entry.payload_json.as_deref(),
    };
    sha256_hex(&serde_json::to_vec(&hashed).unwrap_or_default())
}
