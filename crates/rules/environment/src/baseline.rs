//! What a run of the verifier on the unchanged snapshot says of a capsule. Many repositories have failing tests before
//! any change, so it is not asked whether all pass, but whether they could run at all.

use serde::{Deserialize, Serialize};

/// How the run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// By itself, with this status.
    Code(i32),
    /// By a signal or at a limit.
    Cut,
}

/// The verdict on a capsule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Baseline {
    /// The verifier passed.
    Green,
    /// The verifier ran and some of it failed, for other reasons than something missing.
    Runs,
    /// The verifier could not start, or what it needs is missing.
    CannotStart,
}

/// What the shell says when it cannot start a program.
const NOT_STARTED: [i32; 2] = [126, 127];
/// What run times and package tools say when a dependency is missing.
const MISSING: [&str; 15] = [
    "ModuleNotFoundError",
    "ImportError",
    "No module named",
    "Cannot find module",
    "Cannot find package",
    "ERR_MODULE_NOT_FOUND",
    "MODULE_NOT_FOUND",
    "no required module provides package",
    "missing go.sum entry",
    "module lookup disabled by GOPROXY=off",
    "no matching package named",
    "failed to select a version",
    "attempting to make an HTTP request, but --offline was specified",
    "Could not resolve dependencies",
    "Cannot access central",
];

impl Baseline {
    /// Judges a run by how it ended and what it said.
    pub fn of(ending: Ending, output: &str) -> Self {
        match ending {
            Ending::Code(0) => Self::Green,
            Ending::Cut => Self::CannotStart,
            Ending::Code(code) if NOT_STARTED.contains(&code) => Self::CannotStart,
            Ending::Code(_) if MISSING.iter().any(|words| output.contains(words)) => Self::CannotStart,
            Ending::Code(_) => Self::Runs,
        }
    }

    /// Whether attempts may be shown the capsule.
    pub const fn is_usable(self) -> bool {
        !matches!(self, Self::CannotStart)
    }

    /// In words.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Green => "green",
            Self::Runs => "runs",
            Self::CannotStart => "cannot start",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(ending: Ending, output: &str, expected: Baseline) {
        assert_eq!(Baseline::of(ending, output), expected, "{ending:?} {output}");
    }

    #[test]
    fn a_verifier_that_runs_is_told_from_one_that_cannot() {
        check(Ending::Code(0), "ModuleNotFoundError in a test that expects it", Baseline::Green);
        check(Ending::Code(1), "1 failed, 3 passed", Baseline::Runs);
        check(Ending::Code(101), "test result: FAILED. 1 passed; 1 failed", Baseline::Runs);
        check(Ending::Code(2), "E   ModuleNotFoundError: No module named 'six'", Baseline::CannotStart);
        check(Ending::Code(1), "/usr/bin/python3: No module named pytest", Baseline::CannotStart);
        check(Ending::Code(1), "Error: Cannot find module 'left-pad'", Baseline::CannotStart);
        check(Ending::Code(101), "error: no matching package named `itoa` found", Baseline::CannotStart);
        check(Ending::Code(127), "sh: 1: pytest: not found", Baseline::CannotStart);
        check(Ending::Cut, "", Baseline::CannotStart);
    }
}
