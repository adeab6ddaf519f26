//! What a report does to a task. Only the holder of the current lease is heard; a repeated report of the
//! same lease is answered like the first and changes nothing.

use edgecoder_base::{AttemptId, NodeId, Timestamp};
use edgecoder_protocol::work::{Confinement, Outcome, Rejection, Report, Verdict, WorkKind};
use serde_json::json;

use super::{At, Task, TaskState};
use crate::attempt::AttemptState;
use crate::event::EventKind;
use crate::subtask::SubtaskState;
use crate::{Refusal, limits};

impl Task {
    pub(super) fn report(
        &mut self,
        id: &AttemptId,
        epoch: Option<u64>,
        worker: &NodeId,
        report: Report,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let at = self.find(id).ok_or(Refusal::UnknownAttempt)?;
        let attempt = self.attempt_mut(at);
        let epoch = epoch.unwrap_or(attempt.epoch);
        if already_heard(attempt, epoch, worker) {
            return Ok(());
        }
        attempt.held_by(worker, epoch)?;
        let kind = attempt.kind;
        if !fits(kind, &report.outcome) {
            return Err(Refusal::WrongReport);
        }
        attempt.usage.add(&report.usage);
        attempt.model = report.model.or_else(|| attempt.model.take());
        attempt.trace = report.trace.or(attempt.trace);
        let seen = report.level.map(|level| Confinement { level, degraded: weaknesses(report.degraded) });
        attempt.confinement =
            seen.map(|seen| seen.after(attempt.confinement.take())).or_else(|| attempt.confinement.take());
        match report.outcome {
            Outcome::Candidate { patch, summary, claimed_pass } => {
                let attempt = self.attempt_mut(at);
                attempt.patch = Some(patch);
                attempt.detail = Some(cut(&summary));
                attempt.end(AttemptState::Proposed, now);
                self.completed(
                    at,
                    worker,
                    json!({"outcome": "candidate", "patch": patch, "claimed": claimed_pass}),
                );
                self.subtasks[at.subtask].judge(Some(at.number), now);
            }
            Outcome::NoCandidate { detail } => {
                let attempt = self.attempt_mut(at);
                attempt.detail = Some(cut(&detail));
                attempt.end(AttemptState::Empty, now);
                self.completed(at, worker, json!({"outcome": "no_candidate"}));
                self.after_failure(at.subtask, now);
            }
            Outcome::Judged { verdict } => self.judged(at, worker, verdict, now),
            Outcome::Answer { ok, output } => self.answered(at, worker, ok, output, now),
            Outcome::Failed { code, detail, retryable } => {
                let why = format!("{code}: {}", cut(&detail));
                let attempt = self.attempt_mut(at);
                attempt.detail = Some(why.clone());
                if retryable {
                    self.give_back(at, now, true, &why);
                } else {
                    attempt.end(AttemptState::Dead, now);
                    self.completed(at, worker, json!({"outcome": "failed", "code": code}));
                    self.after_failure(at.subtask, now);
                }
            }
        }
        Ok(())
    }

    fn judged(&mut self, at: At, worker: &NodeId, mut verdict: Verdict, now: Timestamp) {
        for rejection in &mut verdict.rejections {
            if let Rejection::DoesNotApply { detail }
            | Rejection::VerifierFailed { detail, .. }
            | Rejection::OutOfScope { detail, .. } = rejection
            {
                *detail = cut(detail);
            }
        }
        verdict.degraded = weaknesses(verdict.degraded);
        verdict.notes.truncate(limits::MAX_NOTES);
        for note in &mut verdict.notes {
            note.detail = cut(&note.detail);
        }
        let passed = verdict.passed();
        let attempt = self.attempt_mut(at);
        let judges = attempt.judges;
        attempt.end(AttemptState::Done, now);
        let reasons: Vec<String> = verdict.rejections.iter().map(ToString::to_string).collect();
        let of = judges.map(|number| self.id.subtask(at.subtask).attempt(number));
        let detail = json!({"of": of, "passed": passed, "reasons": reasons, "log": verdict.log, "tests": verdict.tests});
        self.record(EventKind::Verdict, Some(at.subtask), worker.as_str(), detail);
        let judged = At { subtask: at.subtask, number: judges.unwrap_or(at.number) };
        let candidate = self.attempt_mut(judged);
        candidate.verdict = Some(verdict);
        if judges.is_some() {
            candidate.state = if passed { AttemptState::Proven } else { AttemptState::Refuted };
        }
        if passed && self.subtasks[at.subtask].state == SubtaskState::Active {
            self.subtasks[at.subtask].accepted = Some(judged.number);
            self.after_success(at.subtask, now);
        } else {
            self.after_failure(at.subtask, now);
        }
    }

    fn answered(&mut self, at: At, worker: &NodeId, ok: bool, mut output: String, now: Timestamp) {
        if output.len() > limits::MAX_OUTPUT_BYTES {
            let mut end = limits::MAX_OUTPUT_BYTES;
            while !output.is_char_boundary(end) {
                end -= 1;
            }
            output.truncate(end);
            output.push_str("\n[output cut at 256 KiB]");
        }
        let bytes = output.len();
        self.attempt_mut(at).end(AttemptState::Done, now);
        self.output = Some((at.subtask, output));
        self.completed(at, worker, json!({"outcome": "answer", "ok": ok, "bytes": bytes}));
        let subtask = &mut self.subtasks[at.subtask];
        subtask.state = SubtaskState::Done;
        subtask.accepted = Some(at.number);
        self.start_ready(now);
        if self.subtasks.iter().all(|subtask| subtask.state == SubtaskState::Done) {
            let reason = (!ok).then(|| "the worker reported failure".to_owned());
            self.end(TaskState::Completed, reason, now);
        }
    }

    /// A judgement that became a dead letter leaves its candidate unjudged: it cannot win any more.
    pub(super) fn close_unjudged(&mut self, index: usize, now: Timestamp) {
        let subtask = &mut self.subtasks[index];
        let dead = |a: &&crate::Attempt| a.kind == WorkKind::Verify && a.state == AttemptState::Dead;
        let orphans: Vec<u32> = subtask.attempts.iter().filter(dead).filter_map(|a| a.judges).collect();
        for number in orphans {
            if let Some(candidate) = subtask.attempt_mut(number)
                && candidate.state == AttemptState::Proposed
            {
                candidate.detail = Some("its candidate could not be judged".to_owned());
                candidate.end(AttemptState::Refuted, now);
            }
        }
    }

    fn completed(&mut self, at: At, worker: &NodeId, mut detail: serde_json::Value) {
        let attempt = self.attempt_mut(at);
        let (number, epoch) = (attempt.number, attempt.epoch);
        detail["attempt"] = json!(self.id.subtask(at.subtask).attempt(number));
        detail["epoch"] = json!(epoch);
        self.record(EventKind::Completed, Some(at.subtask), worker.as_str(), detail);
    }
}

/// The same lease reported before: its worker did not get our answer and asks again.
fn already_heard(attempt: &crate::Attempt, epoch: u64, worker: &NodeId) -> bool {
    let ended =
        !matches!(attempt.state, AttemptState::Queued | AttemptState::Leased | AttemptState::Cancelled);
    ended && attempt.epoch == epoch && attempt.worker.as_ref() == Some(worker)
}

/// Whether this kind of work can have this outcome.
fn fits(kind: WorkKind, outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Candidate { .. } | Outcome::NoCandidate { .. } => kind == WorkKind::Code,
        Outcome::Judged { .. } => kind == WorkKind::Verify,
        Outcome::Answer { .. } => kind == WorkKind::Answer,
        Outcome::Failed { .. } => true,
    }
}

/// What a worker says of its sandbox, within bounds.
fn weaknesses(mut degraded: Vec<String>) -> Vec<String> {
    degraded.truncate(limits::MAX_DEGRADED);
    degraded.iter().map(|words| cut(words)).collect()
}

fn cut(text: &str) -> String {
    text.chars().take(limits::MAX_DETAIL_CHARS).collect()
}
