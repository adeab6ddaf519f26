//! What a run of the verifier on the unchanged snapshot says of a capsule. Many repositories have failing tests before
//! any change, so it is not asked whether all pass, but whether they could run at all.

use edgecoder_base::Manifest;
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
/// Python's and Node's words, which name what they miss.
const NO_MODULE: &str = "No module named";
const NO_NAME: &str = "cannot import name";
const CANNOT_FIND: &str = "Cannot find module";
/// Where the repository stands in a run.
const TREE: &str = "/job/";
/// What run times and package tools say when a dependency is missing.
const MISSING: [&str; 14] = [
    NO_MODULE,
    NO_NAME,
    "cannot open shared object file",
    CANNOT_FIND,
    "Cannot find package",
    "ERR_MODULE_NOT_FOUND",
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
    /// Judges a run on `manifest`'s tree by how it ended and what it said. What the repository itself is still missing,
    /// as tests of a function that is yet to be written do, is no fault of a capsule.
    pub fn of(ending: Ending, output: &str, manifest: &Manifest) -> Self {
        match ending {
            Ending::Code(0) => Self::Green,
            Ending::Cut => Self::CannotStart,
            Ending::Code(code) if NOT_STARTED.contains(&code) => Self::CannotStart,
            Ending::Code(_) if output.lines().any(|line| misses(line, manifest)) => Self::CannotStart,
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

/// Whether a line says that a dependency is missing.
fn misses(line: &str, manifest: &Manifest) -> bool {
    let named = |words: &str| Some(line.split_once(words)?.1.trim_start().trim_start_matches(['\'', '"']));
    let own_name = line.contains(NO_NAME) && line.contains(TREE);
    let own_module = named(NO_MODULE).is_some_and(|name| is_own(name, manifest));
    let own_path = named(CANNOT_FIND).is_some_and(|path| path.starts_with('.') || path.starts_with(TREE));
    MISSING.iter().any(|words| line.contains(words)) && !own_name && !own_module && !own_path
}

/// Whether the first part of a dotted name is a module or package of the repository.
fn is_own(name: &str, manifest: &Manifest) -> bool {
    let top = name.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default();
    let own = |path: &str| {
        let path = path.strip_prefix("src/").unwrap_or(path);
        path.strip_prefix(top).is_some_and(|rest| rest.starts_with('/') || rest == ".py")
    };
    !top.is_empty() && manifest.files.iter().any(|file| own(&file.path))
}

#[cfg(test)]
mod tests {
    use edgecoder_base::{BlobHash, FileEntry};

    use super::*;

    #[track_caller]
    fn check(ending: Ending, output: &str, expected: Baseline) {
        let file =
            |path: &str| FileEntry { path: path.into(), hash: BlobHash::of(b""), size: 0, executable: false };
        let manifest = Manifest { files: ["calc.py", "src/app/x.py"].map(file).into() };
        assert_eq!(Baseline::of(ending, output, &manifest), expected, "{ending:?} {output}");
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

    #[test]
    fn what_the_repository_has_yet_to_write_is_no_fault_of_a_capsule() {
        let own = "ImportError: cannot import name 'triple' from 'calc' (/job/calc.py)";
        check(Ending::Code(1), own, Baseline::Runs);
        let other = "ImportError: cannot import name 'x' from 'six' (/capsule/python/lib/six.py)";
        check(Ending::Code(1), other, Baseline::CannotStart);
        check(Ending::Code(1), "ModuleNotFoundError: No module named 'app.new'", Baseline::Runs);
        check(Ending::Code(1), "ModuleNotFoundError: No module named 'apple'", Baseline::CannotStart);
        check(Ending::Code(1), "Error: Cannot find module './new'", Baseline::Runs);
        check(Ending::Code(1), "Error: Cannot find module '/job/lib/new'", Baseline::Runs);
        let library = "ImportError: libpq.so.5: cannot open shared object file";
        check(Ending::Code(1), library, Baseline::CannotStart);
    }
}
