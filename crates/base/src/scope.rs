//! What a patch may touch: the contract that a candidate must keep whatever the tests say.

use serde::{Deserialize, Serialize};

/// The scope contract of a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Scope {
    /// Globs a patch may touch. Empty: everything that is not protected.
    pub allow: Vec<String>,
    /// Whether manifests and lock files of package managers may change.
    pub allow_new_dependencies: bool,
    /// Whether files that look like tests or test configuration may change. Paths named in `allow`
    /// explicitly are always permitted.
    pub allow_test_changes: bool,
    /// Largest number of files one patch may touch.
    pub max_files: u32,
}

impl Default for Scope {
    fn default() -> Self {
        Self { allow: Vec::new(), allow_new_dependencies: false, allow_test_changes: false, max_files: 32 }
    }
}
