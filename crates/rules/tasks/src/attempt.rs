//! One try by one worker, and what is known of it.

use edgecoder_base::{BlobHash, NodeId, Timestamp, Usage};
use edgecoder_protocol::work::{Confinement, Verdict, WorkKind};
use serde::{Deserialize, Serialize};

/// Where an attempt stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttemptState {
    /// Waits for a worker.
    Queued,
    /// A worker holds it.
    Leased,
    /// Its candidate waits for the origin's verdict.
    Proposed,
    /// Its candidate is proven.
    Proven,
    /// Its candidate was refused by the origin.
    Refuted,
    /// It ended without a candidate.
    Empty,
    /// A judgement or an answer that was delivered.
    Done,
    /// It failed too often for reasons outside the work.
    Dead,
    /// It was stopped because it is no longer needed.
    Cancelled,
}

impl AttemptState {
    /// Whether something is still to come of it.
    pub const fn is_live(self) -> bool {
        matches!(self, Self::Queued | Self::Leased | Self::Proposed)
    }

    /// The state as shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Leased => "leased",
            Self::Proposed => "proposed",
            Self::Proven => "proven",
            Self::Refuted => "refuted",
            Self::Empty => "empty",
            Self::Done => "done",
            Self::Dead => "dead",
            Self::Cancelled => "cancelled",
        }
    }
}

/// One try.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// Number within the subtask, from 1.
    pub number: u32,
    /// What kind of work.
    pub kind: WorkKind,
    /// Which sample, counted over all rounds: the seed's difference.
    pub sample: u32,
    /// For a judgement: the attempt judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub judges: Option<u32>,
    /// Where it stands.
    pub state: AttemptState,
    /// Times it was leased; the fencing token.
    pub epoch: u64,
    /// Leases that ended without an outcome.
    pub tries: u32,
    /// Who holds it, or held it last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker: Option<NodeId>,
    /// Deadline of the lease.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease_until: Option<Timestamp>,
    /// Not to be leased before.
    pub not_before: Timestamp,
    /// First lease.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// End.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// Proposed patch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patch: Option<BlobHash>,
    /// The origin's verdict on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,
    /// Trace of the work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<BlobHash>,
    /// What went wrong, or a summary, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Model used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// What it used.
    #[serde(default)]
    pub usage: Usage,
    /// How its executions were confined, as the worker says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confinement: Option<Confinement>,
}

impl Attempt {
    /// A fresh attempt, ready at `not_before`.
    pub(crate) fn queued(number: u32, kind: WorkKind, sample: u32, not_before: Timestamp) -> Self {
        Self {
            number,
            kind,
            sample,
            judges: None,
            state: AttemptState::Queued,
            epoch: 0,
            tries: 0,
            worker: None,
            lease_until: None,
            not_before,
            started_at: None,
            ended_at: None,
            patch: None,
            verdict: None,
            trace: None,
            detail: None,
            model: None,
            usage: Usage::default(),
            confinement: None,
        }
    }

    /// Ends the attempt in `state`.
    pub(crate) fn end(&mut self, state: AttemptState, now: Timestamp) {
        self.state = state;
        self.lease_until = None;
        self.ended_at = Some(now);
    }
}
