//! What may be asked of a task.

use edgecoder_base::{AttemptId, NodeId};
use edgecoder_protocol::api::tasks::ReviewDecision;
use edgecoder_protocol::work::Report;

use crate::WorkerProfile;

/// One wish, to be granted whole or refused whole.
#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "a command lives for one call and is never stored")]
pub enum Command<'a> {
    /// A worker takes a queued attempt.
    Lease {
        /// The attempt.
        attempt: &'a AttemptId,
        /// Who takes it.
        worker: &'a WorkerProfile,
    },
    /// The holder is still working.
    Renew {
        /// The attempt.
        attempt: &'a AttemptId,
        /// Its fencing token.
        epoch: u64,
        /// The holder.
        worker: &'a NodeId,
    },
    /// The holder gives it back undone (graceful stop, or a restart found it).
    Release {
        /// The attempt.
        attempt: &'a AttemptId,
        /// Its fencing token.
        epoch: u64,
        /// The holder.
        worker: &'a NodeId,
    },
    /// The holder says what came of it.
    Report {
        /// The attempt.
        attempt: &'a AttemptId,
        /// Its fencing token; none accepts the current one, if this worker holds it.
        epoch: Option<u64>,
        /// The holder.
        worker: &'a NodeId,
        /// The outcome.
        report: Report,
    },
    /// The deadline passed.
    Expire {
        /// The attempt.
        attempt: &'a AttemptId,
    },
    /// A person stops the task.
    Cancel {
        /// Who.
        by: &'a str,
    },
    /// A person decides on the proven patch, or asks for another go.
    Review {
        /// Who.
        by: &'a str,
        /// What.
        decision: ReviewDecision,
        /// Whether the notes on the patch were read.
        accept_notes: bool,
    },
}
