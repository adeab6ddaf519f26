//! A task's state as MCP knows states.

use edgecoder_protocol::api::tasks::TaskView;
use rmcp::model::{DetailedTask, JsonObject, Task, TaskPayload, TaskStatus};

use super::{Submitted, answers};

/// How often a client should ask, milliseconds: attempts take minutes.
const POLL_MS: u64 = 1_000;

/// Whether nothing more happens to a task by itself.
pub(super) fn is_settled(task: &TaskView) -> bool {
    !matches!(task.state.as_str(), "planning" | "running")
}

/// The task under its own id, which the queue never forgets.
pub(super) fn as_task(view: &TaskView) -> Task {
    let (created, updated) = (view.created_at.to_string(), view.updated_at.to_string());
    let task = Task::new(view.id.as_str(), status(view), created, updated).with_poll_interval_ms(POLL_MS);
    task.with_status_message(answers::state_line(view))
}

/// A task just taken.
pub(super) fn begun(Submitted { task, left_out }: &Submitted) -> Task {
    let begun = as_task(task);
    match left_out.len() {
        0 => begun,
        omissions => {
            let line = answers::state_line(task);
            begun.with_status_message(format!("{line}; {omissions} entries left out of the snapshot"))
        }
    }
}

fn status(view: &TaskView) -> TaskStatus {
    match view.state.as_str() {
        "planning" | "running" => TaskStatus::Working,
        "cancelled" => TaskStatus::Cancelled,
        // An abstention is an answer too: the result says why there is no patch.
        _ => TaskStatus::Completed,
    }
}

/// The task with what came of it: `result` is the answer of the tool `result`, asked for only where there is one.
pub(super) fn detailed(view: &TaskView, result: Option<JsonObject>) -> DetailedTask {
    let payload = match (status(view), result) {
        (TaskStatus::Cancelled, _) => TaskPayload::Cancelled,
        (TaskStatus::Completed, Some(result)) => TaskPayload::Completed { result },
        _ => TaskPayload::Working,
    };
    DetailedTask::new(as_task(view), payload)
}
