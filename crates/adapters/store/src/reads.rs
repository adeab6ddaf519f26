//! The twin seam for reading: snapshots of what is committed, never waiting for the writer.

use std::collections::BTreeMap;

use edgecoder_base::{BlobHash, NodeId, TaskId, Timestamp};
use edgecoder_protocol::ledger::{Checkpoint, Entry};
use edgecoder_tasks::Task;

use crate::{Error, NodeRecord};

/// Which tasks to list, newest first.
#[derive(Debug, Clone, Default)]
pub struct TaskFilter {
    /// Only those in this state.
    pub state: Option<String>,
    /// Only those after this place.
    pub after: Option<(Timestamp, TaskId)>,
    /// At most so many.
    pub limit: u32,
}

/// Numbers for `/status`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Counts {
    /// Attempts waiting or leased.
    pub queued: u64,
    /// Tasks by state.
    pub tasks: BTreeMap<String, u64>,
}

/// What can be read.
pub trait Reads {
    /// A task.
    fn task(&self, id: &TaskId) -> impl Future<Output = Result<Option<Task>, Error>> + Send;
    /// Outputs of a task's answers by position of the subtask.
    fn outputs(&self, id: &TaskId) -> impl Future<Output = Result<Vec<(usize, String)>, Error>> + Send;
    /// A page of tasks.
    fn tasks(&self, filter: TaskFilter) -> impl Future<Output = Result<Vec<Task>, Error>> + Send;
    /// Numbers.
    fn counts(&self) -> impl Future<Output = Result<Counts, Error>> + Send;
    /// Entries of one task after a place, each with its place: an order over all coordinators of the database.
    fn task_entries(
        &self,
        id: &TaskId,
        after: u64,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<(u64, Entry)>, Error>> + Send;
    /// Coordinators that have a chain here.
    fn chains(&self) -> impl Future<Output = Result<Vec<NodeId>, Error>> + Send;
    /// Entries of one chain after a height.
    fn entries(
        &self,
        chain: &NodeId,
        after: u64,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<Entry>, Error>> + Send;
    /// Checkpoints of one chain after a height.
    fn checkpoints(
        &self,
        chain: &NodeId,
        after: u64,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<Checkpoint>, Error>> + Send;
    /// The newest checkpoint of a chain.
    fn last_checkpoint(
        &self,
        chain: &NodeId,
    ) -> impl Future<Output = Result<Option<Checkpoint>, Error>> + Send;
    /// A registered worker.
    fn node(&self, id: &NodeId) -> impl Future<Output = Result<Option<NodeRecord>, Error>> + Send;
    /// All of them.
    fn nodes(&self) -> impl Future<Output = Result<Vec<NodeRecord>, Error>> + Send;
    /// When the queue must be looked at next: a deadline, or the end of a pause after `now`.
    fn next_due(&self, now: Timestamp) -> impl Future<Output = Result<Option<Timestamp>, Error>> + Send;
    /// How many rows wait whose pause has ended.
    fn ready_count(&self, now: Timestamp) -> impl Future<Output = Result<u64, Error>> + Send;
}

/// Every blob a task refers to directly.
pub fn blobs_of(task: &Task) -> Vec<BlobHash> {
    let mut blobs: Vec<BlobHash> = task.spec.snapshot.into_iter().collect();
    blobs.extend(task.spec.hidden.as_ref().map(|hidden| hidden.file));
    for attempt in task.subtasks.iter().flat_map(|subtask| &subtask.attempts) {
        blobs.extend(attempt.patch);
        blobs.extend(attempt.trace);
        if let Some(verdict) = &attempt.verdict {
            blobs.extend(verdict.log);
            blobs.extend(verdict.diff);
        }
    }
    blobs
}
