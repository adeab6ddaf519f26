//! The node's top-level tasks: each has a kind that says what its end means, and they stop in stages, those that
//! need others first.

use std::collections::HashMap;
use std::future::Future;

use tokio::task::{Id, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::role::Role;

/// What a task does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TaskKind {
    /// Serves a role's door.
    Door(Role),
    /// Looks after the queue.
    Coordinator,
    /// Owns the engine's child, or watches a model server.
    Engine,
    /// Owns the worker's child.
    WorkerChild,
}

/// What follows when a task ends although nobody stopped it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OnEnd {
    /// The node is no use without it.
    StopNode,
    /// Said in the log; doors and queue go on.
    GoOn,
}

/// When a task is stopped. The worker first, because it gives back its leases through a door; the doors before
/// what answers behind them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    Workers,
    Doors,
    Owners,
}

impl TaskKind {
    const fn on_end(self) -> OnEnd {
        match self {
            Self::Door(_) | Self::Coordinator => OnEnd::StopNode,
            Self::Engine | Self::WorkerChild => OnEnd::GoOn,
        }
    }

    const fn stage(self) -> Stage {
        match self {
            Self::WorkerChild => Stage::Workers,
            Self::Door(_) => Stage::Doors,
            Self::Coordinator | Self::Engine => Stage::Owners,
        }
    }
}

/// The tasks and the ways to stop them.
#[derive(Debug, Default)]
pub(crate) struct Crew {
    set: JoinSet<Result<(), String>>,
    kinds: HashMap<Id, TaskKind>,
    workers: CancellationToken,
    doors: CancellationToken,
    owners: CancellationToken,
}

impl Crew {
    /// Starts a task. It is given the token that asks it to stop.
    pub(crate) fn start<F>(&mut self, kind: TaskKind, task: impl FnOnce(CancellationToken) -> F)
    where
        F: Future<Output = Result<(), String>> + Send + 'static,
    {
        let handle = self.set.spawn(task(self.token(kind.stage()).clone()));
        self.kinds.insert(handle.id(), kind);
    }

    /// Waits until a task ends without which the node is no use, and says why it did.
    pub(crate) async fn failed(&mut self) -> String {
        loop {
            match self.next().await {
                None => std::future::pending().await,
                Some((kind, reason)) => match kind.on_end() {
                    OnEnd::StopNode => return format!("{kind:?}: {reason}"),
                    OnEnd::GoOn => {
                        tracing::error!(?kind, reason, "a part of the node ended; the rest goes on")
                    }
                },
            }
        }
    }

    /// Stops everything, stage by stage.
    pub(crate) async fn stop(&mut self) {
        for stage in [Stage::Workers, Stage::Doors, Stage::Owners] {
            self.token(stage).cancel();
            while self.kinds.values().any(|kind| kind.stage() == stage) {
                if let Some((kind, reason)) = self.next().await {
                    tracing::debug!(?kind, reason, "stopped");
                }
            }
        }
    }

    const fn token(&self, stage: Stage) -> &CancellationToken {
        match stage {
            Stage::Workers => &self.workers,
            Stage::Doors => &self.doors,
            Stage::Owners => &self.owners,
        }
    }

    /// The next task that ended, and how; none when none is left.
    async fn next(&mut self) -> Option<(TaskKind, String)> {
        let (id, reason) = match self.set.join_next_with_id().await? {
            Ok((id, Ok(()))) => (id, "ended".to_owned()),
            Ok((id, Err(reason))) => (id, reason),
            Err(error) => (error.id(), error.to_string()),
        };
        self.kinds.remove(&id).map(|kind| (kind, reason))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use parking_lot::Mutex;

    use super::*;

    #[tokio::test]
    async fn workers_stop_before_doors_and_doors_before_owners() {
        let order = Arc::new(Mutex::new(Vec::new()));
        let mut crew = Crew::default();
        let kinds =
            [TaskKind::Coordinator, TaskKind::Door(Role::Ide), TaskKind::WorkerChild, TaskKind::Engine];
        for kind in kinds {
            let order = Arc::clone(&order);
            crew.start(kind, |stop| async move {
                stop.cancelled().await;
                order.lock().push(kind.stage());
                Ok(())
            });
        }
        crew.stop().await;
        assert_eq!(*order.lock(), [Stage::Workers, Stage::Doors, Stage::Owners, Stage::Owners]);
    }

    #[tokio::test]
    async fn a_dead_worker_is_survived_and_a_dead_door_is_not() {
        let mut crew = Crew::default();
        crew.start(TaskKind::WorkerChild, |_| async { Err("gone".to_owned()) });
        crew.start(TaskKind::Door(Role::Coordinator), |_| async { panic!("bug") });
        let reason = crew.failed().await;
        assert!(reason.starts_with("Door(Coordinator)") && reason.contains("panicked"), "{reason}");
    }
}
