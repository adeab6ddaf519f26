//! One transaction of the writer: executes commands over a backend and gathers the ledger entries and the
//! rows that became ready, so that the writer can chain, sign, commit and ring once for all of them.

use std::cmp::Reverse;

use edgecoder_base::{AttemptId, NodeId, TaskId, Timestamp};
use edgecoder_ledger::Draft;
use edgecoder_protocol::work::WorkKind;
use edgecoder_tasks::{Command as TaskCommand, QueueRow, Refusal, Task, WorkerProfile, eligibility};

use crate::backend::{Backend, Place};
use crate::class::Class;
use crate::command::{Command, Decide, Reply};
use crate::{Error, IdempotencyKey, Leased};

/// Rows of one class tried before the next class: all but the first are there only when another coordinator
/// was quicker or a task is damaged, and one pull must not pay for all of them.
const MAX_LOOKS: u32 = 64;

pub(crate) struct Unit<'a, B> {
    pub(crate) backend: &'a mut B,
    /// Entries to chain, with their time.
    pub(crate) drafts: Vec<(Draft, Timestamp)>,
    /// New rows that may be taken at once.
    pub(crate) ready: usize,
    /// Workers whose records changed.
    pub(crate) nodes: Vec<NodeId>,
}

impl<B: Backend> Unit<'_, B> {
    pub(crate) async fn execute(&mut self, command: &mut Command) -> Result<Reply, Error> {
        match command {
            Command::Create { task, key } => self.create(task, key.as_ref()).await,
            Command::Change { id, decide } => self.change(id, decide).await,
            Command::Lease { worker, now } => self.lease(worker, *now).await,
            Command::Expire { now, limit } => self.expire(*now, *limit).await,
            Command::ReleaseHeld { worker, now } => self.release_held(worker, *now).await,
            Command::SaveNode { node, draft, now } => {
                self.backend.save_node(node).await?;
                self.nodes.push(node.id.clone());
                self.drafts.extend(draft.clone().map(|draft| (draft, *now)));
                Ok(Reply::Done)
            }
            Command::SpendNonce { source, nonce, now, expires } => {
                self.backend.prune_nonces(*now).await?;
                self.backend.spend_nonce(source, nonce, *expires).await.map(Reply::Spent)
            }
        }
    }

    async fn create(&mut self, task: &Task, key: Option<&IdempotencyKey>) -> Result<Reply, Error> {
        if let Some(key) = key
            && let Some((fingerprint, id)) = self.backend.idempotent(&key.key).await?
        {
            if fingerprint != key.fingerprint {
                return Err(Error::IdempotencyMismatch);
            }
            let task = self.backend.load_task(&id).await?.ok_or(Error::UnknownTask(id))?;
            return Ok(Reply::Created(Box::new(task), false));
        }
        if !self.backend.insert_task(task).await? {
            let existing = self.load(&task.id).await?;
            if existing.spec != task.spec {
                return Err(Error::TaskExists(existing.id));
            }
            return Ok(Reply::Created(Box::new(existing), false));
        }
        let mut task = task.clone();
        if let Some(key) = key {
            self.backend.remember_key(key, &task.id).await?;
        }
        self.write_beside(&mut task, &[]).await?;
        Ok(Reply::Created(Box::new(task), true))
    }

    async fn change(&mut self, id: &TaskId, decide: &mut Decide) -> Result<Reply, Error> {
        let mut task = self.load(id).await?;
        let before = task.queue_rows();
        decide(&mut task)?;
        self.save(&mut task, &before).await?;
        Ok(Reply::Changed(Box::new(task)))
    }

    async fn lease(&mut self, worker: &WorkerProfile, now: Timestamp) -> Result<Reply, Error> {
        let mut heads = self.backend.heads(now).await?;
        let passed_by = !heads.is_empty();
        if self.backend.held_count(&worker.id).await? >= u64::from(worker.max_concurrent) {
            return Ok(Reply::Leased(None, passed_by));
        }
        heads.retain(|(row, _)| eligibility::eligible(row, worker).is_ok());
        // Judging ends tasks and stops needless samples, so it goes before everything else.
        heads.sort_by_key(|(row, place)| (row.kind != WorkKind::Verify, Reverse(place.rank), place.seq));
        for (head, place) in heads {
            if let Some(leased) = self.lease_of_class(head, place, worker, now).await? {
                return Ok(Reply::Leased(Some(Box::new(leased)), false));
            }
        }
        Ok(Reply::Leased(None, passed_by))
    }

    /// Leases the first row of `head`'s class that another coordinator does not hold.
    async fn lease_of_class(
        &mut self,
        head: QueueRow,
        place: Place,
        worker: &WorkerProfile,
        now: Timestamp,
    ) -> Result<Option<Leased>, Error> {
        let class = Class::of(&head);
        let locked = self.backend.lock_row(&head.attempt).await?;
        let mut row =
            if locked { Some((head, place)) } else { self.backend.next_of(&class, place, now).await? };
        for _ in 0..MAX_LOOKS {
            let Some((found, place)) = row else { break };
            if let Some(leased) = self.try_lease(&found, worker, now).await? {
                return Ok(Some(leased));
            }
            row = self.backend.next_of(&class, place, now).await?;
        }
        Ok(None)
    }

    async fn try_lease(
        &mut self,
        row: &QueueRow,
        worker: &WorkerProfile,
        now: Timestamp,
    ) -> Result<Option<Leased>, Error> {
        let mut task = match self.backend.load_task(&row.task).await {
            Ok(Some(task)) => task,
            Ok(None) => return Ok(None),
            // One damaged task must not hold up all that stand behind it.
            Err(Error::Corrupt { cause, .. }) => {
                tracing::error!(task = %row.task, cause, "a task cannot be read; it is passed by");
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let before = task.queue_rows();
        if task.apply(TaskCommand::Lease { attempt: &row.attempt, worker }, now).is_err() {
            return Ok(None);
        }
        self.save(&mut task, &before).await?;
        Ok(Some(Leased { task, attempt: row.attempt.clone() }))
    }

    async fn expire(&mut self, now: Timestamp, limit: u32) -> Result<Reply, Error> {
        let mut count = 0;
        for row in self.backend.overdue(now, limit).await? {
            let expire = |attempt| TaskCommand::Expire { attempt };
            count += u32::from(self.give_back(&row, now, expire).await?);
        }
        Ok(Reply::Count(count))
    }

    async fn release_held(&mut self, worker: &NodeId, now: Timestamp) -> Result<Reply, Error> {
        let mut count = 0;
        for row in self.backend.held_by(worker).await? {
            let Some(task) = self.backend.load_task(&row.task).await? else { continue };
            let Some((_, attempt)) = task.attempt(&row.attempt) else { continue };
            let epoch = attempt.epoch;
            let release = |attempt| TaskCommand::Release { attempt, epoch, worker };
            count += u32::from(self.give_back(&row, now, release).await?);
        }
        Ok(Reply::Count(count))
    }

    async fn give_back<'c>(
        &mut self,
        row: &'c QueueRow,
        now: Timestamp,
        command: impl FnOnce(&'c AttemptId) -> TaskCommand<'c>,
    ) -> Result<bool, Error> {
        let mut task = self.load(&row.task).await?;
        let before = task.queue_rows();
        match task.apply(command(&row.attempt), now) {
            Ok(()) => {
                self.save(&mut task, &before).await?;
                Ok(true)
            }
            // The row is stale: somebody was quicker.
            Err(Refusal::LeaseLost(_) | Refusal::NotLeasable(_) | Refusal::UnknownAttempt) => Ok(false),
            Err(refusal) => Err(refusal.into()),
        }
    }

    async fn load(&mut self, id: &TaskId) -> Result<Task, Error> {
        self.backend.load_task(id).await?.ok_or_else(|| Error::UnknownTask(id.clone()))
    }

    async fn save(&mut self, task: &mut Task, before: &[QueueRow]) -> Result<(), Error> {
        self.backend.update_task(task).await?;
        self.write_beside(task, before).await
    }

    /// Output, queue rows and ledger entries of a task that was just written.
    async fn write_beside(&mut self, task: &mut Task, before: &[QueueRow]) -> Result<(), Error> {
        if let Some((subtask, body)) = task.take_output() {
            self.backend.put_output(&task.id, subtask, &body).await?;
        }
        let after = task.queue_rows();
        for row in before.iter().filter(|old| !after.iter().any(|new| new.attempt == old.attempt)) {
            self.backend.delete_row(&row.attempt).await?;
        }
        for row in after.iter().filter(|row| !before.contains(row)) {
            let paused = !row.leased && row.due > task.updated_at;
            self.backend.put_row(row, paused).await?;
            self.ready += usize::from(!row.leased && !paused);
        }
        for event in task.take_events() {
            let payload = (!event.detail.is_null()).then(|| event.detail.to_string());
            let draft = Draft {
                event_type: event.kind.as_str(),
                task_id: Some(task.id.clone()),
                subtask_id: event.subtask,
                actor_id: event.actor,
                payload_json: payload,
            };
            self.drafts.push((draft, task.updated_at));
        }
        Ok(())
    }
}
