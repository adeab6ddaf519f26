//! What the writer can be asked. Each command is all or nothing.

use edgecoder_base::{NodeId, NodeKey, TaskId, Timestamp};
use edgecoder_ledger::Draft;
use edgecoder_tasks::{Refusal, Task, WorkerProfile};
use std::sync::Arc;
use tokio::sync::oneshot;

use crate::{Error, IdempotencyKey, Leased, NodeRecord};

/// Lets the rules change a task. Called again when the commit must be tried again.
pub(crate) type Decide = Box<dyn FnMut(&mut Task) -> Result<(), Refusal> + Send>;

/// One wish.
pub(crate) enum Command {
    Create { task: Box<Task>, key: Option<IdempotencyKey> },
    Change { id: TaskId, decide: Decide },
    Lease { worker: WorkerProfile, now: Timestamp },
    Expire { now: Timestamp, limit: u32 },
    ReleaseHeld { worker: NodeId, now: Timestamp },
    SaveNode { node: Box<NodeRecord>, draft: Option<Draft>, now: Timestamp },
    SpendNonce { source: NodeId, nonce: String, now: Timestamp, expires: Timestamp },
}

/// Its answer.
pub(crate) enum Reply {
    Created(Box<Task>, bool),
    Changed(Box<Task>),
    Leased(Option<Box<Leased>>, bool),
    Count(u32),
    Spent(bool),
    Done,
}

/// A wish and where its answer goes.
pub(crate) struct Job {
    pub(crate) command: Command,
    pub(crate) reply: oneshot::Sender<Result<Reply, Error>>,
}

/// Who writes the ledger.
#[derive(Debug, Clone)]
pub(crate) struct Author {
    pub(crate) id: NodeId,
    pub(crate) key: Arc<NodeKey>,
}
