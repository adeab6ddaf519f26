//! How well an execution is confined. Measured by a self-test of the sandbox, never configured.

use serde::{Deserialize, Serialize};

/// Confinement levels, weakest first; the order is the order of trust.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema,
)]
pub enum Level {
    /// No confinement at all: `SANDBOX_MODE=none`.
    S0,
    /// Landlock and seccomp without namespaces; never for others' work.
    S1,
    /// Namespaces, seccomp and resource limits, but total memory is not bounded (no cgroups).
    S2,
    /// A container of a rootful daemon.
    D2,
    /// Every required layer, with memory and process limits by cgroup.
    S3,
    /// A container of a rootless daemon under our seccomp profile.
    D3,
    /// A micro-VM or application kernel.
    S4,
}

impl std::fmt::Display for Level {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self:?}")
    }
}
