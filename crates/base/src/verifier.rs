//! The judge of a candidate: a command that exits 0 when the work is right.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A shell command run in the sandbox on a clean copy; exit code 0 means the candidate passes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Verifier {
    /// Run by `/bin/sh -c` in the root of the repository.
    pub command: String,
    /// Wall-clock limit, milliseconds.
    #[serde(default = "Verifier::default_timeout_ms")]
    pub timeout_ms: u64,
}

impl Verifier {
    /// Five minutes: longer than most unit-test suites, short enough to notice a hang.
    pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(300);

    /// A verifier with the default time limit.
    pub fn new(command: impl Into<String>) -> Self {
        Self { command: command.into(), timeout_ms: Self::default_timeout_ms() }
    }

    /// The wall-clock limit.
    pub fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms)
    }

    fn default_timeout_ms() -> u64 {
        300_000
    }
}
