//! The task aggregate: the one place where a task changes.

use edgecoder_base::{AttemptId, BlobHash, NodeId, TaskId, Timestamp, Usage};
use edgecoder_protocol::api::tasks::ReviewDecision;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::attempt::{Attempt, AttemptState};
use crate::event::EventKind;
use crate::subtask::{Subtask, SubtaskState};
use crate::{Command, Event, Plan, Refusal, Spec, eligibility, invariant};

mod progress;
mod report;

/// Where a task stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskState {
    /// Attempts are made.
    Running,
    /// Proven; a person decides.
    Review,
    /// Taken by a person.
    Approved,
    /// Dropped by a person.
    Rejected,
    /// Answered (tasks without a repository).
    Completed,
    /// Nothing was proven.
    Abstained,
    /// Stopped.
    Cancelled,
}

impl TaskState {
    /// Whether nothing more happens by itself.
    pub const fn is_ended(self) -> bool {
        !matches!(self, Self::Running)
    }

    /// The state as shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Review => "review",
            Self::Approved => "approved",
            Self::Rejected => "rejected",
            Self::Completed => "completed",
            Self::Abstained => "abstained",
            Self::Cancelled => "cancelled",
        }
    }
}

impl std::fmt::Display for TaskState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A task with its whole history of attempts. Stored as one document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// The task.
    pub id: TaskId,
    /// What was asked.
    pub spec: Spec,
    /// Where it stands.
    pub state: TaskState,
    /// Why, for people.
    pub reason: Option<String>,
    /// When it came in.
    pub created_at: Timestamp,
    /// Last change.
    pub updated_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// The plan.
    pub subtasks: Vec<Subtask>,
    /// The signed receipt of the proven result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<BlobHash>,
    /// Output of an answer, until the store has put it aside.
    #[serde(skip)]
    output: Option<(usize, String)>,
    /// What happened since the store last looked.
    #[serde(skip)]
    events: Vec<Event>,
}

/// Why a task counts as proven.
#[derive(Debug, Clone)]
pub struct Proof<'a> {
    /// Name of the attempt that wrote the result.
    pub id: AttemptId,
    /// That attempt.
    pub attempt: &'a Attempt,
    /// The verdict on the whole.
    pub verdict: &'a edgecoder_protocol::work::Verdict,
    /// The patches in order.
    pub patches: Vec<BlobHash>,
}

/// A position in a task: which subtask, which attempt.
#[derive(Debug, Clone, Copy)]
struct At {
    subtask: usize,
    number: u32,
}

impl Task {
    /// Accepts a task: checks it, lays out its plan, and queues what is ready.
    pub fn submit(id: TaskId, spec: Spec, plan: Plan, now: Timestamp) -> Result<Self, Refusal> {
        spec.check()?;
        if id.as_str().len() > edgecoder_base::id::MAX_TASK_ID_LEN {
            return Err(Refusal::Invalid { field: "id", rule: "at most 72 characters" });
        }
        let unsplit = plan.unsplit_because().map(str::to_owned);
        let mut subtasks: Vec<Subtask> = plan.into_subtasks().into_iter().map(Subtask::from).collect();
        if subtasks.len() > 1 {
            subtasks.push(Subtask::integration(subtasks.len()));
        }
        let mut task = Self {
            id,
            spec,
            state: TaskState::Running,
            reason: None,
            created_at: now,
            updated_at: now,
            ended_at: None,
            subtasks,
            receipt: None,
            output: None,
            events: Vec::new(),
        };
        let actor = task.spec.submitter.clone();
        let mut detail = json!({
            "snapshot": task.spec.snapshot, "samples": task.spec.samples, "subtasks": task.subtasks.len(),
        });
        if let Some(why) = unsplit {
            detail["unsplit"] = json!(why);
        }
        task.record(EventKind::Enqueued, None, &actor, detail);
        task.start_ready(now);
        debug_assert_eq!(invariant::check(&task), Ok(()));
        Ok(task)
    }

    /// Changes the task as `command` asks, or refuses and changes nothing.
    pub fn apply(&mut self, command: Command<'_>, now: Timestamp) -> Result<(), Refusal> {
        match command {
            Command::Lease { attempt, worker } => self.lease(attempt, worker, now),
            Command::Renew { attempt, epoch, worker } => {
                let held = self.held(attempt, epoch, worker)?;
                self.attempt_mut(held).renew(now);
                Ok(())
            }
            Command::Release { attempt, epoch, worker } => {
                let at = self.held(attempt, epoch, worker)?;
                self.give_back(at, now, false, "released by its worker");
                Ok(())
            }
            Command::Report { attempt, epoch, worker, report } => {
                self.report(attempt, epoch, worker, report, now)
            }
            Command::Expire { attempt } => self.expire(attempt, now),
            Command::Cancel { by } => self.cancel(by, now),
            Command::Review { by, decision, accept_notes } => self.review(by, decision, accept_notes, now),
        }?;
        self.updated_at = self.updated_at.max(now);
        debug_assert_eq!(invariant::check(self), Ok(()));
        Ok(())
    }

    /// Notes the receipt of a proven task, once.
    pub fn note_receipt(&mut self, receipt: BlobHash) -> Result<(), Refusal> {
        if self.receipt.is_some() || self.proof().is_none() {
            return Err(Refusal::WrongState(self.state));
        }
        self.receipt = Some(receipt);
        self.record(EventKind::Receipt, None, "coordinator", json!({"receipt": receipt}));
        Ok(())
    }

    /// The attempt that wrote the result and the verdict that proved it, once the whole task is proven: the
    /// last subtask's, which is the integration when there were several.
    pub fn proof(&self) -> Option<Proof<'_>> {
        if !self.subtasks.iter().all(|subtask| subtask.state == SubtaskState::Done) {
            return None;
        }
        let last = self.subtasks.last()?;
        let verdict = last.attempt(last.accepted?)?.verdict.as_ref()?;
        let author = self.subtasks.iter().rposition(|subtask| !subtask.integrates)?;
        let number = self.subtasks[author].accepted?;
        let patches = self.subtasks.iter().filter_map(Subtask::accepted_patch).collect();
        let attempt = self.subtasks[author].attempt(number)?;
        Some(Proof { id: self.id.subtask(author).attempt(number), attempt, verdict, patches })
    }

    /// What happened since this was last called; the caller writes it where it writes the task.
    pub fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    /// The output of an answer and the position of its subtask, once, to be kept beside the task.
    pub fn take_output(&mut self) -> Option<(usize, String)> {
        self.output.take()
    }

    /// The attempt named `id`.
    pub fn attempt(&self, id: &AttemptId) -> Option<(usize, &Attempt)> {
        let at = self.find(id)?;
        Some((at.subtask, self.subtasks.get(at.subtask)?.attempt(at.number)?))
    }

    /// Verified patches that subtask `index` builds on, in order.
    pub fn base_patches(&self, index: usize) -> Vec<BlobHash> {
        let mut before = vec![false; index];
        let mut open: Vec<usize> = self.subtasks[index].depends_on.clone();
        while let Some(on) = open.pop() {
            if !std::mem::replace(&mut before[on], true) {
                open.extend(&self.subtasks[on].depends_on);
            }
        }
        (0..index).filter(|on| before[*on]).filter_map(|on| self.subtasks[on].accepted_patch()).collect()
    }

    /// What all attempts used together.
    pub fn usage(&self) -> Usage {
        let mut total = Usage::default();
        for attempt in self.subtasks.iter().flat_map(|subtask| &subtask.attempts) {
            total.add(&attempt.usage);
        }
        total
    }

    fn lease(
        &mut self,
        id: &AttemptId,
        worker: &crate::WorkerProfile,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let at = self.find(id).ok_or(Refusal::UnknownAttempt)?;
        let rows = self.queue_rows();
        let row = rows.iter().find(|row| row.attempt == *id);
        let Some(row) = row else {
            return Err(Refusal::NotLeasable(self.attempt_mut(at).state));
        };
        eligibility::eligible(row, worker).map_err(Refusal::NotEligible)?;
        self.attempt_mut(at).lease(&worker.id, now)?;
        let epoch = self.attempt_mut(at).epoch;
        let detail = json!({"attempt": id, "epoch": epoch});
        self.record(EventKind::Claimed, Some(at.subtask), worker.id.as_str(), detail);
        Ok(())
    }

    fn expire(&mut self, id: &AttemptId, now: Timestamp) -> Result<(), Refusal> {
        let at = self.find(id).ok_or(Refusal::UnknownAttempt)?;
        let attempt = self.attempt_mut(at);
        if attempt.state != AttemptState::Leased {
            return Err(Refusal::NotLeasable(attempt.state));
        }
        if attempt.lease_until.is_some_and(|until| until > now) {
            return Err(Refusal::LeaseLost("its deadline has not passed"));
        }
        self.give_back(at, now, true, "the lease expired");
        Ok(())
    }

    /// Puts a leased attempt back; after too many tries it is a dead letter and the round goes on without it.
    fn give_back(&mut self, at: At, now: Timestamp, counts: bool, why: &str) {
        let attempt = self.attempt_mut(at);
        let worker = attempt.worker.clone();
        attempt.requeue(now, counts);
        let (state, number, epoch) = (attempt.state, attempt.number, attempt.epoch);
        let dead = state == AttemptState::Dead;
        if dead {
            attempt.detail.get_or_insert_with(|| why.to_owned());
        }
        let kind = if dead { EventKind::DeadLetter } else { EventKind::Requeued };
        let actor = worker.map_or_else(|| "coordinator".to_owned(), String::from);
        let detail =
            json!({"attempt": self.id.subtask(at.subtask).attempt(number), "epoch": epoch, "why": why});
        self.record(kind, Some(at.subtask), &actor, detail);
        if dead {
            self.after_failure(at.subtask, now);
        }
    }

    fn cancel(&mut self, by: &str, now: Timestamp) -> Result<(), Refusal> {
        if self.state != TaskState::Running && self.state != TaskState::Review {
            return Err(Refusal::WrongState(self.state));
        }
        self.stop_all(now);
        self.end(TaskState::Cancelled, Some(format!("cancelled by {by}")), now);
        self.record(EventKind::Cancelled, None, by, Value::Null);
        Ok(())
    }

    fn review(
        &mut self,
        by: &str,
        decision: ReviewDecision,
        accept_notes: bool,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        match (decision, self.state) {
            (ReviewDecision::Approve, TaskState::Review) if self.notes() > 0 && !accept_notes => {
                return Err(Refusal::NotesUnread(self.notes()));
            }
            (ReviewDecision::Approve, TaskState::Review) => {
                self.end(TaskState::Approved, Some(format!("approved by {by}")), now);
                self.record(EventKind::Approved, None, by, Value::Null);
            }
            (ReviewDecision::Reject, TaskState::Review) => {
                self.end(TaskState::Rejected, Some(format!("rejected by {by}")), now);
                self.record(EventKind::Rejected, None, by, Value::Null);
            }
            (ReviewDecision::Retry, TaskState::Abstained) => {
                self.state = TaskState::Running;
                self.reason = None;
                self.ended_at = None;
                self.record(EventKind::Retried, None, by, Value::Null);
                self.restart_failed(now);
            }
            (ReviewDecision::Approve | ReviewDecision::Reject | ReviewDecision::Retry, state) => {
                return Err(Refusal::WrongState(state));
            }
        }
        Ok(())
    }

    /// How much of the proven patch a person must look at.
    fn notes(&self) -> usize {
        self.proof().map_or(0, |proof| proof.verdict.notes.len())
    }

    fn end(&mut self, state: TaskState, reason: Option<String>, now: Timestamp) {
        self.state = state;
        self.reason = reason;
        self.ended_at = Some(now);
    }

    fn record(&mut self, kind: EventKind, subtask: Option<usize>, actor: &str, detail: Value) {
        let subtask = subtask.map(|index| self.id.subtask(index));
        self.events.push(Event { kind, subtask, actor: actor.to_owned(), detail });
    }

    fn held(&self, id: &AttemptId, epoch: u64, worker: &NodeId) -> Result<At, Refusal> {
        let at = self.find(id).ok_or(Refusal::UnknownAttempt)?;
        let attempt = self.subtasks[at.subtask].attempt(at.number).ok_or(Refusal::UnknownAttempt)?;
        attempt.held_by(worker, epoch)?;
        Ok(at)
    }

    fn find(&self, id: &AttemptId) -> Option<At> {
        let rest = id.as_str().strip_prefix(self.id.as_str())?.strip_prefix(".s")?;
        let (index, number) = rest.split_once(".a")?;
        let at = At { subtask: index.parse().ok()?, number: number.parse().ok()? };
        self.subtasks.get(at.subtask)?.attempt(at.number)?;
        Some(at)
    }

    /// `at` comes from `find`, which only returns positions that exist.
    fn attempt_mut(&mut self, at: At) -> &mut Attempt {
        #[expect(clippy::expect_used, reason = "positions come from `find` and attempts are never removed")]
        self.subtasks[at.subtask].attempt_mut(at.number).expect("an attempt that `find` returned exists")
    }
}

impl From<crate::PlannedSubtask> for Subtask {
    fn from(planned: crate::PlannedSubtask) -> Self {
        Self {
            request: planned.request,
            depends_on: planned.depends_on,
            verifier: planned.verifier,
            scope: planned.scope,
            integrates: false,
            state: SubtaskState::Waiting,
            round: 0,
            model: None,
            attempts: Vec::new(),
            accepted: None,
        }
    }
}

impl Subtask {
    /// The last subtask of a plan with several: judges all patches together with the whole verifier.
    fn integration(others: usize) -> Self {
        let mut subtask = Self::from(crate::PlannedSubtask {
            request: "run the whole verifier on all patches together".to_owned(),
            depends_on: (0..others).collect(),
            ..crate::PlannedSubtask::default()
        });
        subtask.integrates = true;
        subtask
    }
}
