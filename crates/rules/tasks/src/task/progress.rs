//! What follows from an outcome: followers start, losers stop, rounds go on, and in the end the task is proven or
//! abstains.

use edgecoder_base::Timestamp;
use edgecoder_protocol::work::WorkKind;
use serde_json::{Value, json};

use super::{Task, TaskState};
use crate::escalation::{self, Rung};
use crate::event::EventKind;
use crate::subtask::SubtaskState;

impl Task {
    pub(super) fn restart_failed(&mut self, now: Timestamp) {
        for subtask in &mut self.subtasks {
            if matches!(subtask.state, SubtaskState::Failed | SubtaskState::Cancelled) {
                subtask.state = SubtaskState::Waiting;
                subtask.round = 0;
            }
        }
        self.start_ready(now);
    }

    /// Starts every waiting subtask whose predecessors are done.
    pub(super) fn start_ready(&mut self, now: Timestamp) {
        let samples = u32::from(self.spec.samples);
        let answer = self.spec.snapshot.is_none();
        for index in 0..self.subtasks.len() {
            let done = |on: &usize| self.subtasks[*on].state == SubtaskState::Done;
            if self.subtasks[index].state != SubtaskState::Waiting
                || !self.subtasks[index].depends_on.iter().all(done)
            {
                continue;
            }
            let subtask = &mut self.subtasks[index];
            match (subtask.integrates, answer) {
                (true, true) => subtask.state = SubtaskState::Done,
                (true, false) => subtask.judge(None, now),
                (false, true) => subtask.start(WorkKind::Answer, 1, now),
                (false, false) => subtask.start(WorkKind::Code, samples, now),
            }
        }
    }

    /// A subtask's candidate is proven: losers stop, followers start, the task may be ready for review.
    pub(super) fn after_success(&mut self, index: usize, now: Timestamp) {
        let subtask = &mut self.subtasks[index];
        subtask.cancel_live(now);
        subtask.state = SubtaskState::Done;
        let accepted = subtask.accepted.map(|number| self.id.subtask(index).attempt(number));
        self.record(EventKind::SubtaskDone, Some(index), "coordinator", json!({"attempt": accepted}));
        self.start_ready(now);
        if self.subtasks.iter().all(|subtask| subtask.state == SubtaskState::Done) {
            self.end(TaskState::Review, None, now);
            self.record(EventKind::InReview, None, "coordinator", Value::Null);
        }
    }

    /// An attempt ended without success: when it was the last of its round, the next rung is taken.
    pub(super) fn after_failure(&mut self, index: usize, now: Timestamp) {
        self.close_unjudged(index, now);
        let subtask = &mut self.subtasks[index];
        if subtask.state != SubtaskState::Active || subtask.has_live_attempts() {
            return;
        }
        let rung = if subtask.integrates || self.spec.snapshot.is_none() {
            Rung::Person
        } else {
            escalation::next(&self.spec, subtask)
        };
        let detail = match rung {
            Rung::Round { samples } => {
                subtask.round += 1;
                subtask.start(WorkKind::Code, samples, now);
                json!({"to": "round", "round": subtask.round, "samples": samples})
            }
            Rung::LargerModel { model, samples } => {
                subtask.round = 0;
                let detail = json!({"to": "larger_model", "model": model});
                subtask.model = Some(model);
                subtask.start(WorkKind::Code, samples, now);
                detail
            }
            Rung::Person => {
                subtask.state = SubtaskState::Failed;
                json!({"to": "person"})
            }
        };
        let failed = subtask.state == SubtaskState::Failed;
        self.record(EventKind::Escalated, Some(index), "coordinator", detail);
        if failed {
            self.abstain(index, now);
        }
    }

    fn abstain(&mut self, index: usize, now: Timestamp) {
        let reason = self.why_nothing_was_proven(index);
        self.stop_all(now);
        self.end(TaskState::Abstained, Some(reason.clone()), now);
        self.record(EventKind::Abstained, Some(index), "coordinator", json!({"reason": reason}));
    }

    /// The most telling reason among the attempts, with how often it came.
    fn why_nothing_was_proven(&self, index: usize) -> String {
        let attempts = &self.subtasks[index].attempts;
        let tries = attempts.iter().filter(|attempt| attempt.kind != WorkKind::Verify).count();
        let last = attempts.iter().rev().find_map(|attempt| match &attempt.verdict {
            Some(verdict) if !verdict.passed() => verdict.rejections.first().map(ToString::to_string),
            Some(_) => None,
            None => attempt.detail.clone(),
        });
        match last {
            Some(last) => format!("no candidate of {tries} attempts was proven; last: {last}"),
            None => format!("no candidate of {tries} attempts was proven"),
        }
    }

    pub(super) fn stop_all(&mut self, now: Timestamp) {
        for subtask in &mut self.subtasks {
            subtask.cancel_live(now);
            if matches!(subtask.state, SubtaskState::Waiting | SubtaskState::Active) {
                subtask.state = SubtaskState::Cancelled;
            }
        }
    }
}
