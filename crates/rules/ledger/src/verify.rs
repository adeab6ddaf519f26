//! Checking a chain, entry by entry and page by page: memory stays flat whatever its length.

use edgecoder_base::{NodeId, PublicKey};
use edgecoder_protocol::ledger::{Checkpoint, Entry};

use crate::chain::{GENESIS, Head, entry_hash};

/// The first thing that is wrong with a chain, by name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A number is missing, repeated or out of order.
    #[error("entry {found} stands where entry {expected} belongs")]
    Sequence {
        /// What belongs there.
        expected: u64,
        /// What stands there.
        found: u64,
    },
    /// An entry does not build on the one before it.
    #[error("entry {0} does not build on the entry before it")]
    BrokenLink(u64),
    /// An entry's content is not what its hash says.
    #[error("entry {0} was changed after it was written")]
    Changed(u64),
    /// An entry's id is not taken from its hash.
    #[error("entry {0} has another entry's id")]
    WrongId(u64),
    /// An entry of another coordinator.
    #[error("entry {0} belongs to another coordinator's chain")]
    ForeignEntry(u64),
    /// A checkpoint names an entry that the chain does not have.
    #[error("the chain ends at entry {height}, but a checkpoint was signed at {signed}: its tail was cut")]
    Truncated {
        /// Last entry.
        height: u64,
        /// Signed height.
        signed: u64,
    },
    /// A checkpoint's hash is not that of its entry.
    #[error("the checkpoint at {0} was signed over another history")]
    Forked(u64),
    /// A checkpoint's signature does not verify.
    #[error("the checkpoint at {0} is not signed by its coordinator")]
    BadSignature(u64),
}

/// Walks one coordinator's chain from its start. Entries and checkpoints are given in order; a checkpoint
/// after the entry it signs, or later.
#[derive(Debug)]
pub struct Verifier {
    head: Head,
    key: Option<PublicKey>,
    entries: u64,
    checkpoints: u64,
}

impl Verifier {
    /// Starts at the beginning. Without a key, signatures are not checked (a foreign chain whose key is unknown).
    pub fn new(coordinator_id: NodeId, key: Option<PublicKey>) -> Self {
        Self { head: Head::genesis(coordinator_id), key, entries: 0, checkpoints: 0 }
    }

    /// Takes the next entry.
    pub fn entry(&mut self, entry: &Entry) -> Result<(), Fault> {
        let expected = self.head.sequence + 1;
        if entry.sequence != expected {
            return Err(Fault::Sequence { expected, found: entry.sequence });
        }
        if entry.coordinator_id != self.head.coordinator_id {
            return Err(Fault::ForeignEntry(entry.sequence));
        }
        let genesis_is_first = (entry.prev_hash == GENESIS) == (entry.sequence == 1);
        if entry.prev_hash != self.head.hash || !genesis_is_first {
            return Err(Fault::BrokenLink(entry.sequence));
        }
        if entry_hash(entry) != entry.hash {
            return Err(Fault::Changed(entry.sequence));
        }
        if !entry.hash.starts_with(&entry.id) || entry.id.len() != 32 {
            return Err(Fault::WrongId(entry.sequence));
        }
        self.head.sequence = entry.sequence;
        self.head.hash.clone_from(&entry.hash);
        self.entries += 1;
        Ok(())
    }

    /// Takes the checkpoint at the present head.
    pub fn checkpoint(&mut self, checkpoint: &Checkpoint) -> Result<(), Fault> {
        if checkpoint.sequence > self.head.sequence {
            return Err(Fault::Truncated { height: self.head.sequence, signed: checkpoint.sequence });
        }
        if checkpoint.sequence != self.head.sequence || checkpoint.hash != self.head.hash {
            return Err(Fault::Forked(checkpoint.sequence));
        }
        if let Some(key) = &self.key {
            let text =
                Checkpoint::signed_text(&checkpoint.coordinator_id, checkpoint.sequence, &checkpoint.hash);
            key.verify(text.as_bytes(), &checkpoint.signature)
                .map_err(|_| Fault::BadSignature(checkpoint.sequence))?;
        }
        self.checkpoints += 1;
        Ok(())
    }

    /// The last entry seen.
    pub const fn height(&self) -> u64 {
        self.head.sequence
    }

    /// Entries and checkpoints checked.
    pub const fn counts(&self) -> (u64, u64) {
        (self.entries, self.checkpoints)
    }
}
