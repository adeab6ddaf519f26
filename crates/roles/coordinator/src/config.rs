//! What can be set, and what the coordinator needs from others.

use std::sync::Arc;
use std::time::Duration;

use edgecoder_base::{Clock, Entropy, Level, NodeKey};
use edgecoder_protocol::Decomposer;
use edgecoder_store::{BlobDir, Store};

/// Settings of the queue.
#[derive(Debug, Clone)]
pub struct Config {
    /// Weakest confinement for tasks that do not ask for one.
    pub min_level: Level,
    /// Larger model that subtasks are escalated to.
    pub escalation_model: Option<String>,
    /// Whether this node takes part in a public mesh.
    pub public_mesh: bool,
    /// How long an uploaded blob may wait to be submitted before garbage collection may take it.
    pub blob_grace: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            min_level: Level::S2,
            escalation_model: None,
            public_mesh: false,
            blob_grace: Duration::from_secs(24 * 3600),
        }
    }
}

/// What the coordinator needs.
#[derive(Debug, Clone)]
pub struct Deps {
    /// Where tasks and ledger are kept.
    pub store: Store,
    /// Where big objects are kept.
    pub blobs: BlobDir,
    /// This node's key.
    pub key: Arc<NodeKey>,
    /// Splits requests; none makes every request one subtask.
    pub decomposer: Option<Arc<dyn Decomposer>>,
    /// The time.
    pub clock: Clock,
    /// Randomness.
    pub entropy: Entropy,
}
