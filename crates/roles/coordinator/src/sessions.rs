//! What is known of workers between their calls: when they were seen, how far they are, and who waits to hear
//! that an attempt must stop. Hints only: all of it may be lost and nothing breaks.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use edgecoder_base::{AttemptId, NodeId, Timestamp};
use edgecoder_tasks::{AttemptState, Task};
use parking_lot::Mutex;
use tokio::sync::Notify;

/// A worker not heard of for so long is not counted as connected.
const SEEN_LATELY: Duration = Duration::from_secs(120);
/// Workers remembered at most; the one seen longest ago is forgotten first.
const MAX_SEEN: usize = 4_096;
/// Lines of diagnostics kept for each worker.
pub(crate) const MAX_DIAGNOSTICS: usize = 200;

/// How far an attempt is, as its worker last said.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Progress {
    /// What it is doing.
    pub phase: Option<String>,
    /// Tokens written so far.
    pub output_tokens: Option<u64>,
}

#[derive(Debug, Default)]
struct Seen {
    at: Timestamp,
    active_model: Option<String>,
    diagnostics: std::collections::VecDeque<(i64, String)>,
}

#[derive(Debug, Default)]
pub(crate) struct Sessions {
    seen: Mutex<BTreeMap<NodeId, Seen>>,
    waiting: Mutex<BTreeMap<AttemptId, Arc<Notify>>>,
    progress: Mutex<BTreeMap<AttemptId, Progress>>,
}

impl Sessions {
    pub(crate) fn saw(&self, worker: &NodeId, now: Timestamp) {
        let mut seen = self.seen.lock();
        if seen.len() >= MAX_SEEN && !seen.contains_key(worker) {
            let oldest = seen.iter().min_by_key(|(_, seen)| seen.at).map(|(id, _)| id.clone());
            oldest.and_then(|id| seen.remove(&id));
        }
        seen.entry(worker.clone()).or_default().at = now;
    }

    pub(crate) fn last_seen(&self, worker: &NodeId) -> Option<Timestamp> {
        self.seen.lock().get(worker).map(|seen| seen.at)
    }

    pub(crate) fn set_active_model(&self, worker: &NodeId, model: Option<String>) {
        if let (Some(seen), Some(model)) = (self.seen.lock().get_mut(worker), model) {
            seen.active_model = Some(model);
        }
    }

    pub(crate) fn active_model(&self, worker: &NodeId) -> Option<String> {
        self.seen.lock().get(worker)?.active_model.clone()
    }

    /// Workers heard of lately.
    pub(crate) fn connected(&self, now: Timestamp) -> Vec<NodeId> {
        let seen = self.seen.lock();
        let lately = seen.iter().filter(|(_, seen)| now.since(seen.at) <= SEEN_LATELY);
        lately.map(|(id, _)| id.clone()).collect()
    }

    pub(crate) fn add_diagnostics(&self, worker: &NodeId, lines: Vec<(i64, String)>) {
        if let Some(seen) = self.seen.lock().get_mut(worker) {
            seen.diagnostics.extend(lines);
            let over = seen.diagnostics.len().saturating_sub(MAX_DIAGNOSTICS);
            seen.diagnostics.drain(..over);
        }
    }

    /// Newest first.
    pub(crate) fn diagnostics(&self, worker: &NodeId) -> Vec<(i64, String)> {
        let seen = self.seen.lock();
        seen.get(worker).map(|seen| seen.diagnostics.iter().rev().cloned().collect()).unwrap_or_default()
    }

    pub(crate) fn note_progress(&self, attempt: &AttemptId, progress: Progress) {
        self.progress.lock().insert(attempt.clone(), progress);
    }

    pub(crate) fn progress(&self, attempt: &AttemptId) -> Option<Progress> {
        self.progress.lock().get(attempt).cloned()
    }

    /// Waits for news of attempts on one worker's behalf; dropped with the value.
    pub(crate) fn wait_for(self: &Arc<Self>, attempts: Vec<AttemptId>) -> Waiting {
        let bell = Arc::new(Notify::new());
        let mut waiting = self.waiting.lock();
        for attempt in &attempts {
            waiting.insert(attempt.clone(), Arc::clone(&bell));
        }
        drop(waiting);
        Waiting { sessions: Arc::clone(self), attempts, bell }
    }

    /// Tells those who wait for attempts of `task` that are not leased any more.
    pub(crate) fn task_changed(&self, task: &Task) {
        let mut waiting = self.waiting.lock();
        let mut progress = self.progress.lock();
        for (index, subtask) in task.subtasks.iter().enumerate() {
            for attempt in subtask.attempts.iter().filter(|attempt| attempt.state != AttemptState::Leased) {
                let id = task.id.subtask(index).attempt(attempt.number);
                progress.remove(&id);
                if let Some(bell) = waiting.remove(&id) {
                    bell.notify_one();
                }
            }
        }
    }

    /// Makes everybody look again: another coordinator changed something.
    pub(crate) fn anything_changed(&self) {
        for bell in self.waiting.lock().values() {
            bell.notify_one();
        }
    }
}

#[derive(Debug)]
pub(crate) struct Waiting {
    sessions: Arc<Sessions>,
    attempts: Vec<AttemptId>,
    bell: Arc<Notify>,
}

impl Waiting {
    pub(crate) async fn news(&self) {
        self.bell.notified().await;
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut waiting = self.sessions.waiting.lock();
        for attempt in &self.attempts {
            if waiting.get(attempt).is_some_and(|bell| Arc::ptr_eq(bell, &self.bell)) {
                waiting.remove(attempt);
            }
        }
    }
}
