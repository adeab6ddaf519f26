//! One unit of a plan: its rounds of attempts and the candidate that won.

use edgecoder_base::{BlobHash, Scope, Timestamp, Verifier};
use edgecoder_protocol::work::WorkKind;
use serde::{Deserialize, Serialize};

use crate::attempt::{Attempt, AttemptState};

/// Where a subtask stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SubtaskState {
    /// Waits for others.
    Waiting,
    /// Attempts are made.
    Active,
    /// A candidate is proven.
    Done,
    /// Nothing was proven.
    Failed,
    /// Stopped.
    Cancelled,
}

impl SubtaskState {
    /// The state as shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Active => "active",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// One unit of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subtask {
    /// What is wanted.
    pub request: String,
    /// Positions of those that must be done before.
    pub depends_on: Vec<usize>,
    /// Its own judge.
    pub verifier: Option<Verifier>,
    /// Its own scope.
    pub scope: Option<Scope>,
    /// Whether it only judges the patches of all others together.
    pub integrates: bool,
    /// Where it stands.
    pub state: SubtaskState,
    /// Round on the present rung, from 0.
    pub round: u32,
    /// Larger model it was escalated to.
    pub model: Option<String>,
    /// Its tries.
    pub attempts: Vec<Attempt>,
    /// Number of the attempt whose candidate won.
    pub accepted: Option<u32>,
}

impl Subtask {
    /// The attempt with `number`.
    pub fn attempt(&self, number: u32) -> Option<&Attempt> {
        self.attempts.get(usize::try_from(number.checked_sub(1)?).ok()?)
    }

    pub(crate) fn attempt_mut(&mut self, number: u32) -> Option<&mut Attempt> {
        self.attempts.get_mut(usize::try_from(number.checked_sub(1)?).ok()?)
    }

    /// The patch that won.
    pub fn accepted_patch(&self) -> Option<BlobHash> {
        self.attempt(self.accepted?)?.patch
    }

    /// Adds `count` attempts of `kind`.
    pub(crate) fn start(&mut self, kind: WorkKind, count: u32, not_before: Timestamp) {
        let made = self.attempts.iter().filter(|attempt| attempt.kind == kind).count();
        for sample in 0..count {
            let sample = sample.saturating_add(u32::try_from(made).unwrap_or(u32::MAX));
            self.attempts.push(Attempt::queued(self.next_number(), kind, sample, not_before));
        }
        self.state = SubtaskState::Active;
    }

    /// Adds the judgement of attempt `of` (none: of the patches of all other subtasks together).
    pub(crate) fn judge(&mut self, of: Option<u32>, now: Timestamp) {
        let mut attempt = Attempt::queued(self.next_number(), WorkKind::Verify, 0, now);
        attempt.judges = of;
        self.attempts.push(attempt);
        self.state = SubtaskState::Active;
    }

    /// Whether an attempt of this round may still bring a candidate or a verdict.
    pub(crate) fn has_live_attempts(&self) -> bool {
        self.attempts.iter().any(|attempt| attempt.state.is_live())
    }

    /// Stops everything that is still going on.
    pub(crate) fn cancel_live(&mut self, now: Timestamp) {
        for attempt in self.attempts.iter_mut().filter(|attempt| attempt.state.is_live()) {
            attempt.end(AttemptState::Cancelled, now);
        }
    }

    fn next_number(&self) -> u32 {
        u32::try_from(self.attempts.len()).unwrap_or(u32::MAX).saturating_add(1)
    }
}
