//! The twin seam: what a database does inside one transaction of the writer. No decisions live here.

use edgecoder_base::{AttemptId, NodeId, TaskId, Timestamp};
use edgecoder_ledger::Head;
use edgecoder_protocol::ledger::{Checkpoint, Entry};
use edgecoder_tasks::{QueueRow, Task};

use crate::class::Class;
use crate::{Error, IdempotencyKey, NodeRecord};

/// A row's place in the order of the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Rank.
    pub rank: i64,
    /// Arrival.
    pub seq: i64,
}

/// One connection, used by the writer alone.
#[expect(async_fn_in_trait, reason = "the writer owns its thread; no future of it ever moves to another")]
pub trait Backend {
    /// Whether other processes write this database too.
    const SHARED: bool;

    /// Starts a transaction.
    async fn begin(&mut self) -> Result<(), Error>;
    /// Makes it durable.
    async fn commit(&mut self) -> Result<(), Error>;
    /// Forgets it.
    async fn rollback(&mut self);

    /// The end of this coordinator's chain.
    async fn head(&mut self, coordinator: &NodeId) -> Result<Head, Error>;
    /// Appends to it.
    async fn append(&mut self, entries: &[Entry], checkpoint: &Checkpoint) -> Result<(), Error>;

    /// A task, locked for this transaction.
    async fn load_task(&mut self, id: &TaskId) -> Result<Option<Task>, Error>;
    /// A new task; false, and nothing written, when its id is taken.
    async fn insert_task(&mut self, task: &Task) -> Result<bool, Error>;
    /// A changed task.
    async fn update_task(&mut self, task: &Task) -> Result<(), Error>;
    /// Output of an answer.
    async fn put_output(&mut self, task: &TaskId, subtask: usize, body: &str) -> Result<(), Error>;
    /// A new or changed row of the queue; `paused` when it must wait until it is due.
    async fn put_row(&mut self, row: &QueueRow, paused: bool) -> Result<(), Error>;
    /// A row that is no longer waiting or leased.
    async fn delete_row(&mut self, attempt: &AttemptId) -> Result<(), Error>;

    /// The first waiting row of every class whose pause has ended by `now`, not locked.
    async fn heads(&mut self, now: Timestamp) -> Result<Vec<(QueueRow, Place)>, Error>;
    /// Locks a waiting row; false when another coordinator has it.
    async fn lock_row(&mut self, attempt: &AttemptId) -> Result<bool, Error>;
    /// The next waiting row of a class, locked; rows locked by others are skipped.
    async fn next_of(
        &mut self,
        class: &Class,
        after: Place,
        now: Timestamp,
    ) -> Result<Option<(QueueRow, Place)>, Error>;
    /// Leased rows past their deadline.
    async fn overdue(&mut self, now: Timestamp, limit: u32) -> Result<Vec<QueueRow>, Error>;
    /// How many rows a worker holds.
    async fn held_count(&mut self, worker: &NodeId) -> Result<u64, Error>;
    /// Rows a worker holds.
    async fn held_by(&mut self, worker: &NodeId) -> Result<Vec<QueueRow>, Error>;

    /// What was submitted under a key.
    async fn idempotent(&mut self, key: &str) -> Result<Option<(String, TaskId)>, Error>;
    /// Remembers a key.
    async fn remember_key(&mut self, key: &IdempotencyKey, task: &TaskId) -> Result<(), Error>;

    /// A registered worker.
    async fn load_node(&mut self, id: &NodeId) -> Result<Option<NodeRecord>, Error>;
    /// Registers a worker.
    async fn save_node(&mut self, node: &NodeRecord) -> Result<(), Error>;

    /// What the writer has to know by heart of nonces on disk: all where it is the only one to spend them.
    async fn nonces(&mut self) -> Result<Vec<(NodeId, String, Timestamp)>, Error>;
    /// Remembers a nonce; false when a shared database knew it.
    async fn spend_nonce(&mut self, source: &NodeId, nonce: &str, expires: Timestamp) -> Result<bool, Error>;
    /// Forgets nonces that expired.
    async fn prune_nonces(&mut self, now: Timestamp) -> Result<(), Error>;
}
