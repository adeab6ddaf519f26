//! The seam to the queue: how a session hands work to the swarm and takes proven patches from it.

use std::fmt;

use edgecoder_base::{Patch, TaskId};
use edgecoder_protocol::api::tasks::{SubmitTask, TaskView};
use futures::future::BoxFuture;

use crate::Error;

/// A queue that keeps its blobs where the companion does.
pub trait TaskQueue: Send + Sync + fmt::Debug {
    /// A new task.
    fn submit(&self, request: SubmitTask) -> BoxFuture<'_, Result<TaskView, Error>>;

    /// A task as it stands.
    fn task(&self, id: TaskId) -> BoxFuture<'_, Result<TaskView, Error>>;

    /// The proven patches of a task, in the order in which they apply.
    fn patches(&self, id: TaskId) -> BoxFuture<'_, Result<Vec<Patch>, Error>>;
}
