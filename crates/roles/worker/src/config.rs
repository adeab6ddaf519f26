//! What can be set, and what the worker needs from others.

use std::path::PathBuf;
use std::sync::Arc;

use edgecoder_base::{Blobs, Clock, NodeId, PublicKey};
use edgecoder_inference::Engine;
use edgecoder_protocol::WorkSource;
use edgecoder_sandbox::Sandbox;
use edgecoder_workspace::Trees;

use crate::capsule::Capsules;

/// Settings of the loop.
#[derive(Debug, Clone)]
pub struct Config {
    /// The worker's name.
    pub agent_id: NodeId,
    /// Operating system, as reported.
    pub os: String,
    /// `swarm-only` or `ide-enabled`.
    pub mode: String,
    /// Engine kind, as reported.
    pub provider: String,
    /// Sandbox kind, as reported.
    pub sandbox_mode: String,
    /// The key that signs requests.
    pub public_key: PublicKey,
    /// Proof of enrolment, for a coordinator that asks for one.
    pub registration_token: Option<String>,
    /// Attempts at once.
    pub max_concurrent: u32,
    /// A larger model that the engine also reaches, when a request names it.
    pub larger_model: Option<String>,
    /// Names this run of the worker.
    pub session: String,
    /// Where attempts are journalled.
    pub journals: PathBuf,
    /// Whether the coordinator reads the same directory of blobs, so that nothing needs to be sent.
    pub shared_blobs: bool,
}

/// What the worker needs.
#[derive(Debug, Clone)]
pub struct Deps {
    /// Where work comes from.
    pub source: Arc<dyn WorkSource>,
    /// What thinks.
    pub engine: Arc<dyn Engine>,
    /// What runs commands.
    pub sandbox: Sandbox,
    /// What lays snapshots out.
    pub trees: Trees,
    /// Capsules that attempts may be shown; none: tool chains of the host alone.
    pub capsules: Option<Capsules>,
    /// Where big objects are kept here.
    pub blobs: Arc<dyn Blobs>,
    /// The time.
    pub clock: Clock,
}
