//! `[capsule]`: where the packages of capsules come from, how large they may be, and whether attempts see them.

use std::path::PathBuf;
use std::time::Duration;

use edgecoder_worker::capsule::{Bounds, Sources};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::home::Home;

/// `[capsule]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct CapsuleConfig {
    /// Whether attempts are shown the capsules that fit their snapshot. Nothing is ever built by an attempt.
    pub(crate) enabled: bool,
    /// Where capsules are kept. Default: in the data directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) dir: Option<PathBuf>,
    /// Index of Python packages (PEP 503).
    pub(crate) pip_index: String,
    /// npm registry.
    pub(crate) npm_registry: String,
    /// Sparse index of crates.
    pub(crate) cargo_index: String,
    /// Module proxy of Go.
    pub(crate) go_proxy: String,
    /// Maven repository.
    pub(crate) maven_repository: String,
    /// Hosts that a build may reach besides those of its index, `host` or `host:port`.
    pub(crate) hosts: Vec<String>,
    /// Largest capsule, MiB. A build takes about three times as much memory.
    pub(crate) max_mib: u32,
    /// Longest build, seconds.
    pub(crate) build_timeout: u32,
}

impl Default for CapsuleConfig {
    fn default() -> Self {
        let sources = Sources::default();
        Self {
            enabled: true,
            dir: None,
            pip_index: sources.pip_index,
            npm_registry: sources.npm_registry,
            cargo_index: sources.cargo_index,
            go_proxy: sources.go_proxy,
            maven_repository: sources.maven_repository,
            hosts: Vec::new(),
            max_mib: 1024,
            build_timeout: 1800,
        }
    }
}

impl CapsuleConfig {
    /// Where capsules are kept.
    pub(crate) fn dir(&self, home: &Home) -> PathBuf {
        self.dir.clone().unwrap_or_else(|| home.path().join("capsules"))
    }

    /// Where packages come from.
    pub(crate) fn sources(&self) -> Sources {
        Sources {
            pip_index: self.pip_index.clone(),
            npm_registry: self.npm_registry.clone(),
            cargo_index: self.cargo_index.clone(),
            go_proxy: self.go_proxy.clone(),
            maven_repository: self.maven_repository.clone(),
            hosts: self.hosts.clone(),
        }
    }

    /// Bounds of a build.
    pub(crate) fn bounds(&self) -> Bounds {
        let wall = Duration::from_secs(self.build_timeout.into());
        Bounds { wall, tree_bytes: u64::from(self.max_mib) << 20 }
    }
}
