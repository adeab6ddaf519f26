//! One file per role: how it is built from the settings and what is shared.

pub(crate) mod companion;
pub(crate) mod coordinator;
pub(crate) mod doors;
pub(crate) mod ide;
pub(crate) mod inference;
pub(crate) mod mcp_servers;
pub(crate) mod task_tools;
pub(crate) mod worker;

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use edgecoder_base::{NodeKey, Secret, Timestamp};

/// What the roles of one node have in common.
#[derive(Debug, Clone)]
pub(crate) struct Shared {
    /// The node's key.
    pub(crate) key: Arc<NodeKey>,
    /// Opens the coordinator's task routes.
    pub(crate) mesh_token: Secret<String>,
    /// Opens the inference door.
    pub(crate) inference_token: Secret<String>,
    /// Opens the editors' door where a token is required.
    pub(crate) ide_token: Secret<String>,
    /// Counters of all doors.
    pub(crate) metrics: edgecoder_http::Metrics,
}

/// The system's clock.
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// The system's entropy.
#[expect(clippy::expect_used, reason = "a system without entropy cannot make an id that is safe to use")]
pub(crate) fn entropy() -> u128 {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).expect("the system has random bytes");
    u128::from_le_bytes(bytes)
}
