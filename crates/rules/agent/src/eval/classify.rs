//! What a run shows: passed, or why not, in classes that can be counted.

use std::sync::LazyLock;

use regex::Regex;
use serde::{Deserialize, Serialize};

use crate::failure::{summarise, without_colours};
use crate::observation::TestReport;

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// By itself, with this status.
    Code(i32),
    /// By this signal.
    Signal(i32),
    /// At its time limit.
    TimeOut,
    /// For want of memory.
    Memory,
    /// For endless output.
    Flood,
}

/// A run.
#[derive(Debug, Clone, Copy)]
pub struct Ran<'a> {
    /// How it ended.
    pub ending: Ending,
    /// Standard output.
    pub stdout: &'a str,
    /// Standard error.
    pub stderr: &'a str,
}

/// Why a sample did not pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureClass {
    /// It ran and gave another result than the test wants.
    WrongAnswer,
    /// It raised.
    Exception,
    /// It used a name that does not exist.
    UnknownName,
    /// Python cannot read it.
    Syntax,
    /// It imports what is not there.
    Import,
    /// It was killed at its time limit.
    TimeOut,
    /// It was killed for want of memory.
    Memory,
    /// It was killed for endless output.
    Flood,
    /// It was killed by another signal.
    Crash,
    /// It ended before its test did.
    EarlyExit,
    /// The answer holds no code, or not the function.
    NoCode,
    /// The answer was cut at its limit and is not usable.
    Cut,
    /// The prompt does not fit the model's window.
    TooLong,
    /// The model gave no answer.
    Engine,
    /// The program could not be run.
    Sandbox,
    /// The attempt ended without a candidate.
    NoCandidate,
    /// The verifier did not pass.
    Refuted,
}

impl FailureClass {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::WrongAnswer => "wrong answer",
            Self::Exception => "exception",
            Self::UnknownName => "unknown name",
            Self::Syntax => "syntax error",
            Self::Import => "missing import",
            Self::TimeOut => "time limit",
            Self::Memory => "memory limit",
            Self::Flood => "output limit",
            Self::Crash => "crash",
            Self::EarlyExit => "ended before its test",
            Self::NoCode => "no code in the answer",
            Self::Cut => "answer cut off",
            Self::TooLong => "prompt too long",
            Self::Engine => "engine failed",
            Self::Sandbox => "could not be run",
            Self::NoCandidate => "no candidate",
            Self::Refuted => "verifier refuted it",
        }
    }

    /// Whether the fault is that of the machinery, so that the sample says nothing about the model.
    pub fn is_ours(self) -> bool {
        matches!(self, Self::Engine | Self::Sandbox)
    }
}

/// A failure and its first line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed {
    /// The class.
    pub class: FailureClass,
    /// One line for people.
    pub headline: String,
}

#[expect(clippy::expect_used, reason = "a literal pattern either compiles in the first test or never")]
static RAISED: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?m)^(?:[\w.]+\.)?([A-Za-z_]\w*)(?::|$)").expect("a literal pattern"));

/// Judges a run. It passed if it ended well *and* said `token` last, which only the end of its test prints: a
/// program that leaves early proves nothing. `function` is what the test calls.
pub fn classify(ran: Ran<'_>, token: &str, function: Option<&str>) -> Result<(), Failed> {
    let said = ran
        .stdout
        .lines()
        .rev()
        .find(|line| !line.trim().is_empty())
        .is_some_and(|line| line.trim() == token);
    let class = match ran.ending {
        Ending::Code(0) if said => return Ok(()),
        Ending::Code(0) => FailureClass::EarlyExit,
        Ending::Code(_) => raised(ran.stderr),
        Ending::Signal(_) => FailureClass::Crash,
        Ending::TimeOut => FailureClass::TimeOut,
        Ending::Memory => FailureClass::Memory,
        Ending::Flood => FailureClass::Flood,
    };
    let (exit, timed_out) = match ran.ending {
        Ending::Code(code) => (Some(code), false),
        Ending::TimeOut => (None, true),
        Ending::Signal(_) | Ending::Memory | Ending::Flood => (None, false),
    };
    let report = TestReport {
        exit,
        timed_out,
        stdout_tail: String::new(),
        stderr_tail: ran.stderr.to_owned(),
        ..TestReport::default()
    };
    let headline = if class == FailureClass::EarlyExit {
        "it ended before its test".to_owned()
    } else {
        summarise(&report, function, 0).headline
    };
    Err(Failed { class, headline })
}

/// The class of the exception that ended a program, which stands at the left margin below the last traceback.
fn raised(stderr: &str) -> FailureClass {
    let stderr = without_colours(stderr);
    let last = RAISED.captures_iter(&stderr).filter_map(|found| found.get(1)).filter(|name| {
        let name = name.as_str();
        name.ends_with("Error")
            || name.ends_with("Exception")
            || ["StopIteration", "KeyboardInterrupt"].contains(&name)
    });
    match last.last().map(|name| name.as_str()) {
        Some("AssertionError") => FailureClass::WrongAnswer,
        Some("SyntaxError" | "IndentationError" | "TabError") => FailureClass::Syntax,
        Some("NameError" | "UnboundLocalError") => FailureClass::UnknownName,
        Some("ImportError" | "ModuleNotFoundError") => FailureClass::Import,
        Some("MemoryError") => FailureClass::Memory,
        Some(_) => FailureClass::Exception,
        None => FailureClass::EarlyExit,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_judged_by_its_end_and_its_last_word() {
        let check = |ending: Ending, stdout: &str, stderr: &str, expected: Result<(), FailureClass>| {
            let got = classify(Ran { ending, stdout, stderr }, "T", Some("f")).map_err(|failed| failed.class);
            assert_eq!(got, expected, "{ending:?} {stdout:?} {stderr:?}");
        };
        let trace = |error: &str| {
            format!(
                "Traceback (most recent call last):\n  File \"s.py\", line 9, in <module>\n    check(f)\n{error}\n"
            )
        };
        check(Ending::Code(0), "noise\nT\n", "a warning\n", Ok(()));
        check(Ending::Code(0), "", "", Err(FailureClass::EarlyExit));
        check(Ending::Code(0), "T\nnoise\n", "", Err(FailureClass::EarlyExit));
        check(Ending::Code(1), "T\n", &trace("AssertionError"), Err(FailureClass::WrongAnswer));
        check(Ending::Code(1), "", &trace("AssertionError: f(1) is 2"), Err(FailureClass::WrongAnswer));
        check(
            Ending::Code(1),
            "",
            &trace("NameError: name 'g' is not defined"),
            Err(FailureClass::UnknownName),
        );
        check(Ending::Code(1), "", &trace("json.decoder.JSONDecodeError: x"), Err(FailureClass::Exception));
        check(
            Ending::Code(1),
            "",
            &trace("ModuleNotFoundError: No module named 'numpy'"),
            Err(FailureClass::Import),
        );
        check(
            Ending::Code(1),
            "",
            "  File \"s.py\", line 1\n    def\n       ^\nSyntaxError: invalid syntax\n",
            Err(FailureClass::Syntax),
        );
        check(Ending::Code(1), "", &trace("MemoryError"), Err(FailureClass::Memory));
        check(Ending::Code(3), "", "", Err(FailureClass::EarlyExit));
        check(Ending::Signal(11), "", "", Err(FailureClass::Crash));
        check(Ending::TimeOut, "", "", Err(FailureClass::TimeOut));
        check(Ending::Memory, "", "", Err(FailureClass::Memory));
        check(Ending::Flood, "", "", Err(FailureClass::Flood));
    }
}
