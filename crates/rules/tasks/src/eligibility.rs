//! Which worker may run what, and if not, why not.

use edgecoder_base::{Level, NodeId, PrivacyTier};
use edgecoder_protocol::work::WorkKind;

use crate::queue::QueueRow;

/// A worker as the coordinator knows it now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerProfile {
    /// Its name.
    pub id: NodeId,
    /// Whether it is the origin's own worker, on this machine, under this node's key.
    pub own: bool,
    /// The narrowest tier it belongs to.
    pub tier: PrivacyTier,
    /// Confinement its self-test measured.
    pub level: Level,
    /// Models it can use.
    pub models: Vec<String>,
    /// Attempts it may hold at once.
    pub max_concurrent: u32,
    /// Whether it is refused, and why.
    pub blocked: Option<String>,
}

/// Why a worker may not take a row.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Ineligible {
    /// Refused altogether.
    #[error("the worker is blocked: {0}")]
    Blocked(String),
    /// Only the origin's own worker judges.
    #[error("only the origin's own worker may judge candidates")]
    NotOwn,
    /// The task's content may not go there.
    #[error("the task's privacy tier is {task}, the worker belongs to {worker}")]
    PrivacyTier {
        /// The task's.
        task: PrivacyTier,
        /// The worker's.
        worker: PrivacyTier,
    },
    /// Its sandbox is too weak.
    #[error("the task needs sandbox level {needed}, the worker has {has}")]
    SandboxLevel {
        /// The task's.
        needed: Level,
        /// The worker's.
        has: Level,
    },
    /// Its engine has no model that works.
    #[error("the worker has no model that works: see `edgecoder doctor`")]
    NoModel,
    /// It does not have the model.
    #[error("the task needs model {0:?}, the worker does not have it")]
    Model(String),
}

/// Decides.
pub fn eligible(row: &QueueRow, worker: &WorkerProfile) -> Result<(), Ineligible> {
    if let Some(reason) = &worker.blocked {
        return Err(Ineligible::Blocked(reason.clone()));
    }
    if row.kind == WorkKind::Verify && !worker.own {
        return Err(Ineligible::NotOwn);
    }
    if worker.tier > row.privacy {
        return Err(Ineligible::PrivacyTier { task: row.privacy, worker: worker.tier });
    }
    // An answer runs nothing.
    if row.kind != WorkKind::Answer && worker.level < row.min_level {
        return Err(Ineligible::SandboxLevel { needed: row.min_level, has: worker.level });
    }
    // The own worker says what it has; older clients say nothing, which means unknown.
    if row.kind != WorkKind::Verify && worker.own && worker.models.is_empty() {
        return Err(Ineligible::NoModel);
    }
    match &row.model {
        Some(model) if row.kind != WorkKind::Verify && !worker.models.contains(model) => {
            Err(Ineligible::Model(model.clone()))
        }
        Some(_) | None => Ok(()),
    }
}
