//! What people and programs may ask about tasks, and the few things they may tell them.

use edgecoder_base::{BlobHash, Blobs, Patch, SubtaskId, TaskId, Timestamp};
use edgecoder_protocol::ErrorCode;
use edgecoder_protocol::api::status::{AgentCapacity, Capacity, CapacityTotals, Status};
use edgecoder_protocol::api::tasks::{
    AttemptView, ReviewRequest, SubtaskResult, TaskEventView, TaskPage, TaskView,
};
use edgecoder_store::{Pulse, TaskFilter};
use edgecoder_tasks::{Command, Task, TaskState};
use tokio::sync::watch;

use crate::{Error, Handle, Progress, view};

/// Tasks on one page at most.
const MAX_PAGE: u32 = 200;
/// Events read in one go.
const EVENTS: u32 = 500;

impl Handle {
    /// `GET /tasks/{id}`.
    pub async fn task(&self, id: &TaskId) -> Result<TaskView, Error> {
        let task = self.load(id).await?;
        let outputs = self.inner.store.outputs(id).await?;
        Ok(view::task(&task, &outputs))
    }

    /// `GET /tasks`: newest first.
    pub async fn tasks(
        &self,
        state: Option<String>,
        cursor: Option<String>,
        limit: Option<u32>,
    ) -> Result<TaskPage, Error> {
        let limit = limit.unwrap_or(50).clamp(1, MAX_PAGE);
        let after = cursor.as_deref().map(read_cursor).transpose()?;
        let tasks = self.inner.store.tasks(TaskFilter { state, after, limit }).await?;
        let full = tasks.len() == usize::try_from(limit).unwrap_or(usize::MAX);
        let next =
            tasks.last().filter(|_| full).map(|task| format!("{}.{}", task.created_at.as_millis(), task.id));
        Ok(TaskPage { tasks: tasks.iter().map(view::summary).collect(), next })
    }

    /// `GET /tasks/{id}/attempts`.
    pub async fn attempts(&self, id: &TaskId) -> Result<Vec<AttemptView>, Error> {
        let task = self.task(id).await?;
        Ok(task.subtasks.into_iter().flat_map(|subtask| subtask.attempts).collect())
    }

    /// How far a running attempt is, as its worker last said.
    pub fn progress(&self, attempt: &edgecoder_base::AttemptId) -> Option<Progress> {
        self.inner.sessions.progress(attempt)
    }

    /// What happened to a task after a place in the order of events.
    pub async fn events(&self, id: &TaskId, after: u64) -> Result<Vec<TaskEventView>, Error> {
        let entries = self.inner.store.task_entries(id, after, EVENTS).await?;
        Ok(entries.into_iter().map(|(place, entry)| view::event(place, entry)).collect())
    }

    /// Changes after every commit: look at `events` again.
    pub fn pulse(&self) -> watch::Receiver<Pulse> {
        self.inner.store.pulse()
    }

    /// The unified diff of a proven task.
    pub async fn diff(&self, id: &TaskId) -> Result<String, Error> {
        let task = self.load(id).await?;
        let diff = task.proof().and_then(|proof| proof.verdict.diff);
        let hash = diff.ok_or_else(|| not_proven(&task))?;
        let bytes = self.blob(hash).await?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The patches of a proven task, in order.
    pub async fn patches(&self, id: &TaskId) -> Result<Vec<Patch>, Error> {
        let task = self.load(id).await?;
        let hashes = task.proof().ok_or_else(|| not_proven(&task))?.patches;
        self.blocking("reading the patches", move |blobs| {
            hashes
                .iter()
                .map(|hash| {
                    Patch::from_bytes(&blobs.read(hash)?)
                        .map_err(|error| std::io::Error::new(std::io::ErrorKind::InvalidData, error))
                })
                .collect()
        })
        .await
    }

    /// The trace of an attempt, or of the one that wrote the result.
    pub async fn trace(&self, id: &TaskId, attempt: Option<&str>) -> Result<Vec<u8>, Error> {
        let task = self.task(id).await?;
        let attempts = task.subtasks.iter().flat_map(|subtask| &subtask.attempts);
        let hash = match (attempt, &task.result) {
            (Some(name), _) => attempts.filter(|a| a.id.as_str() == name).find_map(|a| a.trace),
            (None, Some(result)) => result.trace,
            (None, None) => attempts.rev().find_map(|attempt| attempt.trace),
        };
        self.blob(hash.ok_or_else(|| Error::not_found("a trace of this task"))?).await
    }

    /// `POST /tasks/{id}/cancel`.
    pub async fn cancel(&self, id: &TaskId, by: &str) -> Result<TaskView, Error> {
        let by = by.to_owned();
        self.tell(id, move |task, now| task.apply(Command::Cancel { by: &by }, now)).await
    }

    /// `POST /tasks/{id}/review`.
    pub async fn review(&self, id: &TaskId, request: ReviewRequest, by: &str) -> Result<TaskView, Error> {
        let by = by.to_owned();
        self.tell(id, move |task, now| {
            let (decision, accept_notes) = (request.decision, request.accept_notes);
            task.apply(Command::Review { by: &by, decision, accept_notes }, now)
        })
        .await
    }

    async fn tell(
        &self,
        id: &TaskId,
        mut command: impl FnMut(&mut Task, Timestamp) -> Result<(), edgecoder_tasks::Refusal> + Send + 'static,
    ) -> Result<TaskView, Error> {
        let now = self.now();
        let task = self.inner.store.change(id, move |task| command(task, now)).await?;
        self.inner.sessions.task_changed(&task);
        let outputs = self.inner.store.outputs(id).await?;
        Ok(view::task(&task, &outputs))
    }

    /// `GET /tasks/{taskId}/subtasks/{subtaskId}/result`.
    pub async fn subtask_result(&self, id: &TaskId, subtask: &SubtaskId) -> Result<SubtaskResult, Error> {
        let task = self.load(id).await?;
        let index = (0..task.subtasks.len()).find(|index| task.id.subtask(*index) == *subtask);
        let index = index.ok_or_else(|| Error::not_found("this subtask"))?;
        let outputs = self.inner.store.outputs(id).await?;
        let output = outputs.into_iter().find(|(at, _)| *at == index).map(|(_, body)| body);
        let output = output.ok_or_else(|| Error::not_found("a result of this subtask (yet)"))?;
        Ok(SubtaskResult { output, ok: task.reason.is_none() })
    }

    /// `GET /status`.
    pub async fn status(&self) -> Result<Status, Error> {
        let counts = self.inner.store.counts().await?;
        let ended = counts.tasks.iter().filter(|(state, _)| *state != TaskState::Running.as_str());
        let results = ended.fold(0_u64, |sum, (_, count)| sum.saturating_add(*count));
        let agents = self.inner.sessions.connected(self.now()).len();
        Ok(Status {
            queued: counts.queued,
            agents: u64::try_from(agents).unwrap_or(u64::MAX),
            results,
            tasks: counts.tasks,
        })
    }

    /// `GET /capacity`: workers heard of lately; no addresses, no owners.
    pub async fn capacity(&self) -> Result<Capacity, Error> {
        let mut agents = Vec::new();
        for id in self.inner.sessions.connected(self.now()) {
            let Some(node) = self.inner.store.node(&id).await? else { continue };
            let last_seen = self.inner.sessions.last_seen(&id).unwrap_or(node.registered_at);
            agents.push(AgentCapacity {
                active_model: self.inner.sessions.active_model(&id).or_else(|| node.models.first().cloned()),
                agent_id: node.id,
                os: node.os,
                version: node.version,
                mode: node.mode,
                local_model_provider: node.provider,
                local_model_catalog: node.models,
                client_type: node.client_type,
                max_concurrent_tasks: node.max_concurrent,
                sandbox_mode: node.sandbox_mode,
                sandbox_level: Some(node.level),
                last_seen_ms: last_seen.as_millis(),
                leases: 0,
                blacklisted: false,
            });
        }
        let count = |matches: fn(&AgentCapacity) -> bool| {
            u64::try_from(agents.iter().filter(|agent| matches(agent)).count()).unwrap_or(u64::MAX)
        };
        let totals = CapacityTotals {
            agents_connected: count(|_| true),
            total_capacity: agents.iter().fold(0, |sum, agent| sum + u64::from(agent.max_concurrent_tasks)),
            swarm_enabled_count: count(|agent| agent.mode == "swarm-only"),
            ide_enabled_count: count(|agent| agent.mode == "ide-enabled"),
            blacklisted_agents: 0,
        };
        Ok(Capacity { totals, agents })
    }

    pub(crate) async fn load(&self, id: &TaskId) -> Result<Task, Error> {
        let task = self.inner.store.task(id).await?;
        task.ok_or_else(|| Error::not_found(&format!("the task {id}")))
    }

    /// A blob's bytes.
    pub async fn blob(&self, hash: BlobHash) -> Result<Vec<u8>, Error> {
        self.blocking("reading the blob", move |blobs| blobs.read(&hash)).await
    }
}

fn not_proven(task: &Task) -> Error {
    Error::new(ErrorCode::NotFound, format!("the task is {} and has no proven patch", task.state))
}

fn read_cursor(text: &str) -> Result<(Timestamp, TaskId), Error> {
    let parts = text.split_once('.').and_then(|(at, id)| Some((at.parse::<i64>().ok()?, id.parse().ok()?)));
    let (at, id) = parts.ok_or_else(|| Error::new(ErrorCode::InvalidRequest, "cursor: not one of ours"))?;
    Ok((Timestamp::from_millis(at), id))
}
