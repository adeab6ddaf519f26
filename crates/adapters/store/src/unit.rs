//! One transaction of the writer: executes commands over a backend and gathers the ledger entries and the
//! rows that became ready, so that the writer can chain, sign, commit and ring once for all of them.

use edgecoder_base::{AttemptId, NodeId, TaskId, Timestamp};
use edgecoder_ledger::Draft;
use edgecoder_tasks::{Command as TaskCommand, QueueRow, Refusal, Task, WorkerProfile, eligibility};

use crate::backend::{Backend, Place, ReadyFilter};
use crate::command::{Command, Decide, Reply};
use crate::{Error, IdempotencyKey, Leased};

/// Rows looked at in one go when a worker asks for work.
const LOOK: u32 = 16;
/// Most rows looked at before a worker is told that there is nothing for it: bounds the work of one pull when
/// a long queue holds nothing it may take.
const MAX_LOOKS: u32 = 64;

pub(crate) struct Unit<'a, B> {
    pub(crate) backend: &'a mut B,
    /// Entries to chain, with their time.
    pub(crate) drafts: Vec<(Draft, Timestamp)>,
    /// New rows that may be taken at once.
    pub(crate) ready: usize,
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
        if let Some(existing) = self.backend.load_task(&task.id).await? {
            if existing.spec != task.spec {
                return Err(Error::TaskExists(existing.id));
            }
            return Ok(Reply::Created(Box::new(existing), false));
        }
        let mut task = task.clone();
        self.backend.insert_task(&task).await?;
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
        let held = self.backend.held_by(&worker.id).await?.len();
        if held >= usize::try_from(worker.max_concurrent).unwrap_or(usize::MAX) {
            return Ok(Reply::Leased(None, false));
        }
        let mut passed_by = false;
        for judging in [true, false] {
            if judging && !worker.own {
                continue;
            }
            let mut after: Option<Place> = None;
            for _ in 0..MAX_LOOKS / LOOK {
                let filter = ReadyFilter { now, judging, tier: worker.tier, after, limit: LOOK };
                let rows = self.backend.ready(filter).await?;
                for (row, _) in &rows {
                    match self.try_lease(row, worker, now).await? {
                        Some(leased) => return Ok(Reply::Leased(Some(Box::new(leased)), false)),
                        None => passed_by = true,
                    }
                }
                match rows.last() {
                    Some((_, place)) if rows.len() == LOOK as usize => after = Some(*place),
                    Some(_) | None => break,
                }
            }
        }
        Ok(Reply::Leased(None, passed_by))
    }

    async fn try_lease(
        &mut self,
        row: &QueueRow,
        worker: &WorkerProfile,
        now: Timestamp,
    ) -> Result<Option<Leased>, Error> {
        if eligibility::eligible(row, worker).is_err() {
            return Ok(None);
        }
        let Some(mut task) = self.backend.load_task(&row.task).await? else {
            return Ok(None);
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
            self.backend.put_row(row).await?;
            self.ready += usize::from(!row.leased && row.due <= task.updated_at);
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
