//! What an operator may choose about the sandbox.

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
    /// No confinement: the command runs as the node's user in a scratch copy. Level S0.
    None,
}

/// Settings of the sandbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// How executions are confined.
    pub mode: Mode,
    /// Whether an execution is refused when the sandbox cannot be built. When false it then runs
    /// unconfined, and its report says level S0 and why.
    pub required: bool,
    /// Directories shown read-only at their own path, besides the system's: interpreters and compilers
    /// installed for one user, virtual environments.
    pub tool_chains: Vec<PathBuf>,
    /// Search path entries inside `tool_chains`, ahead of the system's. A tool chain without an entry
    /// here contributes its `bin`.
    pub path: Vec<PathBuf>,
    /// The launcher. Default: `edgecoder-jail` beside the running program.
    pub jail: Option<PathBuf>,
}

impl Default for Config {
    fn default() -> Self {
        Self { mode: Mode::Process, required: true, tool_chains: Vec::new(), path: Vec::new(), jail: None }
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
