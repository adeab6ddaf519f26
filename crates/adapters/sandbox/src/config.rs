//! What an operator may choose about the sandbox.

use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::tool_chain::{detect_tool_chains, jail_path};

/// How executions are confined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Namespaces, limits and filters by our own launcher; Linux only.
    #[default]
    Process,
    /// Containers of a Docker daemon; Linux only.
    Docker,
    /// No confinement: the command runs as the node's user in a scratch copy. Level S0.
    None,
}

/// How the daemon of mode `docker` is reached, and what may run in its containers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DockerConfig {
    /// The daemon's local socket. Whoever may use it is as good as the daemon's user; no payload ever sees it.
    pub socket: PathBuf,
    /// The image of every run: `sha256:…`, or a name that the daemon resolves to one. None: one of ours, by the tree.
    pub image: Option<String>,
}

impl Default for DockerConfig {
    fn default() -> Self {
        Self { socket: PathBuf::from("/var/run/docker.sock"), image: None }
    }
}

/// Settings of the sandbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// How executions are confined.
    pub mode: Mode,
    /// Whether an execution is refused when the sandbox cannot be built. When false it then runs
    /// unconfined, and its report says level S0 and why; in mode `docker` it is refused all the same.
    pub required: bool,
    /// Directories shown read-only at their own path, besides the system's: interpreters and compilers
    /// installed for one user, virtual environments.
    pub tool_chains: Vec<PathBuf>,
    /// Search path entries inside `tool_chains`, ahead of the system's. A tool chain without an entry
    /// here contributes its `bin`.
    pub path: Vec<PathBuf>,
    /// Processor time that one execution may use per time that passes, thousandths of a core; what is below 10 counts
    /// as 10. None: every core there is, at half the share of the node.
    pub millicores: Option<NonZeroU32>,
    /// The launcher. Default: `edgecoder-jail` beside the running program.
    pub jail: Option<PathBuf>,
    /// The node's name, which its containers carry: with it a later one tells what an earlier one left behind.
    pub node: Option<String>,
    /// The daemon of mode `docker` and its images.
    pub docker: DockerConfig,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            mode: Mode::Process,
            required: true,
            tool_chains: Vec::new(),
            path: Vec::new(),
            millicores: None,
            jail: None,
            node: None,
            docker: DockerConfig::default(),
        }
    }
}

impl Config {
    /// The defaults with the tool chains that `path_var` (a `PATH`) names below `home`.
    pub fn detected(path_var: &str, home: &Path) -> Self {
        let tool_chains = detect_tool_chains(path_var, home);
        let path = jail_path(path_var, &tool_chains);
        Self { tool_chains, path, ..Self::default() }
    }
}
