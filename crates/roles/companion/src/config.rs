//! What the companion is told by the settings, and what it works with.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use edgecoder_agent::session::{ApprovalRules, ExchangeLimits};
use edgecoder_base::{Blobs, Clock, Entropy, Level, PrivacyTier};
use edgecoder_sandbox::Sandbox;
use edgecoder_workspace::Trees;

use crate::{NoTools, TaskQueue, Toolbox};

/// The settings.
#[derive(Debug, Clone)]
pub struct Config {
    /// What waits for a person.
    pub approvals: ApprovalRules,
    /// An action that nobody decided on by then is rejected.
    pub approval_timeout: Duration,
    /// Bounds of one exchange.
    pub limits: ExchangeLimits,
    /// Where sessions are kept.
    pub sessions: PathBuf,
    /// Directories that no project may lie in or hold: the node's own.
    pub forbidden: Vec<PathBuf>,
    /// Weakest confinement in which commands run.
    pub min_level: Level,
    /// How far what is handed to the queue may travel.
    pub tier: PrivacyTier,
}

impl Config {
    /// The usual settings, with sessions kept in `sessions`.
    pub fn new(sessions: impl Into<PathBuf>) -> Self {
        Self {
            approvals: ApprovalRules::default(),
            approval_timeout: Duration::from_secs(300),
            limits: ExchangeLimits::default(),
            sessions: sessions.into(),
            forbidden: Vec::new(),
            min_level: Level::S1,
            tier: PrivacyTier::default(),
        }
    }
}

/// What it works with.
#[derive(Debug, Clone)]
pub struct Deps {
    /// What runs commands.
    pub sandbox: Sandbox,
    /// What lays snapshots out for it.
    pub trees: Trees,
    /// Where snapshots are kept.
    pub blobs: Arc<dyn Blobs>,
    /// Tools of others.
    pub toolbox: Arc<dyn Toolbox>,
    /// The queue, where there is one.
    pub tasks: Option<Arc<dyn TaskQueue>>,
    /// The time.
    pub clock: Clock,
    /// Random bits, for names that nobody guesses.
    pub entropy: Entropy,
}

impl Deps {
    /// Without tools of others and without a queue.
    pub fn new(
        sandbox: Sandbox,
        trees: Trees,
        blobs: Arc<dyn Blobs>,
        clock: Clock,
        entropy: Entropy,
    ) -> Self {
        Self { sandbox, trees, blobs, toolbox: Arc::new(NoTools), tasks: None, clock, entropy }
    }
}
