//! What is known of models at a moment, and how each event changes it. Pure; the owner publishes it.

use std::collections::VecDeque;

use edgecoder_base::Timestamp;

use super::shelf::ShelfPullStep;
use super::spec::EngineSpec;

/// Swaps remembered: as many as the published list shows.
const REMEMBERED: usize = 5;

/// A swap that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Swapping {
    /// Its number, from 1.
    pub number: u64,
    /// What is to have the place.
    pub to: EngineSpec,
    /// Why.
    pub reason: String,
    /// Since when.
    pub since: Timestamp,
}

/// A swap that ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Swapped {
    /// Its number, from 1.
    pub number: u64,
    /// What had the place.
    pub from: EngineSpec,
    /// What was to have it.
    pub to: EngineSpec,
    /// Why.
    pub reason: String,
    /// When it ended.
    pub at: Timestamp,
    /// Time it took, milliseconds.
    pub took_ms: u64,
    /// Why it failed, if it did; `from` stayed then.
    pub error: Option<String>,
}

/// How a fetch stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PullStatus {
    /// It runs.
    Pulling,
    /// The model is there.
    Done,
    /// It failed.
    Failed,
}

/// The last fetch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pull {
    /// What is fetched.
    pub model: String,
    /// By whom.
    pub provider: String,
    /// How it stands.
    pub status: PullStatus,
    /// What is being done, for people.
    pub step: String,
    /// Bytes that arrived.
    pub completed: u64,
    /// Bytes in all, as far as known.
    pub total: u64,
    /// Since when.
    pub started_at: Timestamp,
    /// Why it failed.
    pub error: Option<String>,
}

impl Pull {
    /// How much arrived, from 0 to 100.
    pub const fn percent(&self) -> u64 {
        match (self.status, self.completed.saturating_mul(100).checked_div(self.total)) {
            (PullStatus::Done, _) => 100,
            (_, Some(percent)) => percent,
            (_, None) => 0,
        }
    }
}

/// Everything known of models.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelsView {
    /// What has the place.
    pub active: EngineSpec,
    /// The swap that runs.
    pub swapping: Option<Swapping>,
    /// Swaps that ended, the latest first.
    pub history: VecDeque<Swapped>,
    /// The last fetch.
    pub pull: Option<Pull>,
    /// Swaps begun so far.
    swaps: u64,
}

impl ModelsView {
    pub(super) const fn new(active: EngineSpec) -> Self {
        Self { active, swapping: None, history: VecDeque::new(), pull: None, swaps: 0 }
    }

    /// Swap `number`, once it ended and while it is remembered.
    pub fn ended(&self, number: u64) -> Option<&Swapped> {
        self.history.iter().find(|swapped| swapped.number == number)
    }

    pub(super) fn begin_swap(&mut self, to: EngineSpec, reason: String, now: Timestamp) -> u64 {
        self.swaps = self.swaps.saturating_add(1);
        self.swapping = Some(Swapping { number: self.swaps, to, reason, since: now });
        self.swaps
    }

    pub(super) fn end_swap(&mut self, outcome: Result<(), String>, now: Timestamp) {
        let Some(Swapping { number, to, reason, since }) = self.swapping.take() else { return };
        let from = self.active.clone();
        if outcome.is_ok() {
            self.active = to.clone();
        }
        let took_ms = u64::try_from(now.since(since).as_millis()).unwrap_or(u64::MAX);
        let error = outcome.err();
        self.history.push_front(Swapped { number, from, to, reason, at: now, took_ms, error });
        self.history.truncate(REMEMBERED);
    }

    pub(super) fn begin_pull(&mut self, model: &str, provider: &str, now: Timestamp) {
        self.pull = Some(Pull {
            model: model.to_owned(),
            provider: provider.to_owned(),
            status: PullStatus::Pulling,
            step: "starting".to_owned(),
            completed: 0,
            total: 0,
            started_at: now,
            error: None,
        });
    }

    pub(super) fn step_pull(&mut self, step: &ShelfPullStep) {
        if let Some(pull) = &mut self.pull {
            pull.step.clone_from(&step.status);
            (pull.completed, pull.total) = (step.completed, step.total);
        }
    }

    pub(super) fn end_pull(&mut self, error: Option<String>) {
        if let Some(pull) = &mut self.pull {
            pull.status = if error.is_some() { PullStatus::Failed } else { PullStatus::Done };
            pull.error = error;
        }
    }
}
