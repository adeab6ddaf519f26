//! What the queue must know of a task to order, lease and expire its attempts: rows derived from the
//! aggregate, never a second truth.

use edgecoder_base::{AttemptId, Level, NodeId, PrivacyTier, TaskId, Timestamp};
use edgecoder_protocol::work::WorkKind;

use crate::attempt::AttemptState;
use crate::task::Task;

/// One waiting or leased attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueRow {
    /// The attempt.
    pub attempt: AttemptId,
    /// Its task.
    pub task: TaskId,
    /// What kind of work.
    pub kind: WorkKind,
    /// Order: higher first, then first come first served.
    pub rank: i64,
    /// Where the content may go.
    pub privacy: PrivacyTier,
    /// Weakest confinement accepted.
    pub min_level: Level,
    /// Model demanded.
    pub model: Option<String>,
    /// Whether a worker holds it.
    pub leased: bool,
    /// Who.
    pub worker: Option<NodeId>,
    /// When it must be looked at: the lease's deadline, or the end of a pause.
    pub due: Timestamp,
}

impl Task {
    /// Rows of all attempts that wait or are leased.
    pub fn queue_rows(&self) -> Vec<QueueRow> {
        let mut rows = Vec::new();
        for (index, subtask) in self.subtasks.iter().enumerate() {
            for attempt in &subtask.attempts {
                let leased = attempt.state == AttemptState::Leased;
                if !leased && attempt.state != AttemptState::Queued {
                    continue;
                }
                rows.push(QueueRow {
                    attempt: self.id.subtask(index).attempt(attempt.number),
                    task: self.id.clone(),
                    kind: attempt.kind,
                    rank: rank(self.spec.priority, attempt.kind),
                    privacy: self.spec.privacy,
                    min_level: self.spec.min_level,
                    model: subtask.model.clone().or_else(|| self.spec.model.clone()),
                    leased,
                    worker: attempt.worker.clone().filter(|_| leased),
                    due: if leased {
                        attempt.lease_until.unwrap_or(attempt.not_before)
                    } else {
                        attempt.not_before
                    },
                });
            }
        }
        rows
    }
}

/// Judging goes before making more of the same priority: it ends tasks and stops needless samples.
fn rank(priority: u8, kind: WorkKind) -> i64 {
    let step = match kind {
        WorkKind::Verify => 1,
        WorkKind::Code | WorkKind::Answer => 0,
    };
    i64::from(priority) * 2 + step
}
