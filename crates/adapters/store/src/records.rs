//! Records the store keeps or hands out beside tasks.

use edgecoder_base::{AttemptId, Level, NodeId, PublicKey, Timestamp};
use edgecoder_tasks::Task;
use serde::{Deserialize, Serialize};

/// A registered worker.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NodeRecord {
    /// Its name.
    pub id: NodeId,
    /// The key it signs with; the first one stays.
    pub key: Option<PublicKey>,
    /// Whether it is this node's own worker.
    pub own: bool,
    /// Operating system.
    pub os: String,
    /// Version.
    pub version: String,
    /// Mode.
    pub mode: String,
    /// Engine kind.
    pub provider: String,
    /// Kind of client.
    pub client_type: String,
    /// Attempts at once.
    pub max_concurrent: u32,
    /// Sandbox kind.
    pub sandbox_mode: String,
    /// Confinement its self-test measured.
    pub level: Level,
    /// Models it can use.
    pub models: Vec<String>,
    /// The run it registered from.
    pub session: Option<String>,
    /// When it registered last.
    pub registered_at: Timestamp,
}

/// A key that makes a repeated submission one submission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// The caller's key, with the caller's name in front.
    pub key: String,
    /// Hash of what was asked.
    pub fingerprint: String,
}

/// A lease that was granted: the task as it is now, and which attempt.
#[derive(Debug, Clone)]
pub struct Leased {
    /// The task.
    pub task: Task,
    /// The attempt.
    pub attempt: AttemptId,
}
