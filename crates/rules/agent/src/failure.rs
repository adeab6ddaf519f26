//! What went wrong, in as few words as a small window allows: one line in the form that the tiny model was
//! trained on (`f([1]) returned 3, expected 5`), and a short excerpt for larger ones.

use std::sync::LazyLock;

use regex::Regex;
use serde::{Deserialize, Serialize};

use crate::observation::TestReport;
use crate::syntax::{call_of, clip, clip_middle, split_top};
use crate::target::tests::assertion;

/// Longest value shown in a headline, characters; longer ones were not in training.
const MAX_VALUE: usize = 60;

/// A failed run.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Failure {
    /// The first failure in one line.
    pub headline: String,
    /// The part of the output that shows it.
    pub excerpt: String,
}

#[expect(clippy::expect_used, reason = "a literal pattern either compiles in the first test or never")]
fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("a literal pattern")
}

static COLOUR: LazyLock<Regex> = LazyLock::new(|| pattern("\u{1b}\\[[0-9;?]*[A-Za-z]"));
static EXCEPTION: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"^(?:[\w.]+\.)?([A-Z]\w*(?:Error|Exception|Interrupt|Exit|Warning|Iteration))(?:: ?(.*))?$")
});
static WHERE: LazyLock<Regex> = LazyLock::new(|| pattern(r"^\+\s+where (.+)$"));
static UNEQUAL: LazyLock<Regex> = LazyLock::new(|| pattern(r"^AssertionError: (.+) != (.+?)(?: : .*)?$"));
static NOT_TRUE: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"^AssertionError: (.+) is not (true|false|None)"));

/// Terminal colours confuse every parser and every model.
pub fn without_colours(output: &str) -> String {
    COLOUR.replace_all(output, "").replace('\r', "")
}

/// Summarises a run that did not pass; `function` is what the candidate defines, if known.
pub fn summarise(report: &TestReport, function: Option<&str>, max_chars: usize) -> Failure {
    let stdout = without_colours(&report.stdout_tail);
    let stderr = without_colours(&report.stderr_tail);
    let output = format!("{stdout}\n{stderr}");
    let lines: Vec<&str> = output.lines().collect();
    let headline = if report.timed_out {
        last_call(&lines, function).map_or_else(|| "timeout".to_owned(), |call| format!("{call}: timeout"))
    } else {
        pytest(&lines, function)
            .or_else(|| traceback(&lines, function))
            .or_else(|| other_runner(&lines))
            .or_else(|| lines.iter().rev().map(|l| l.trim()).find(|l| !l.is_empty()).map(|l| clip(l, 200)))
            .unwrap_or_else(|| match report.exit {
                Some(code) => format!("the command exited with code {code} and printed nothing"),
                None => "the command was stopped and printed nothing".to_owned(),
            })
    };
    Failure { headline: clip(&headline, 200), excerpt: excerpt(&output, max_chars) }
}

fn last_call(lines: &[&str], function: Option<&str>) -> Option<String> {
    let function = function?;
    lines.iter().rev().find_map(|line| call_of(line, function)).map(|call| clip(call, 90))
}

/// The first failure of a pytest run, from its `>` and `E` lines.
fn pytest(lines: &[&str], function: Option<&str>) -> Option<String> {
    let mut source = None;
    let mut errors: Vec<&str> = Vec::new();
    for line in lines {
        if let Some(code) = line.strip_prefix("> ").or_else(|| line.strip_prefix(">\t")) {
            source.get_or_insert_with(|| code.trim()); // the outermost frame is the test's own
        } else if let Some(error) = line.strip_prefix("E ").or_else(|| line.strip_prefix("E\t")) {
            errors.push(error.trim());
        } else if !errors.is_empty() {
            break;
        }
    }
    let first = *errors.first()?;
    if let Some(message) = errors.iter().rev().find_map(|line| exception(line)) {
        return Some(raised(source.unwrap_or_default(), function, &message));
    }
    let source = source?;
    if let Some(function) = function
        && let Some(example) = assertion(source, function)
    {
        let got = errors
            .iter()
            .filter_map(|line| WHERE.captures(line).and_then(|found| found.get(1)))
            .find_map(|found| match split_top(found.as_str(), " = ")[..] {
                [value, call] if call_of(call, function).is_some() => Some(value.to_owned()),
                _ => None,
            })
            .or_else(|| compared(first));
        if let Some(got) = got {
            return Some(returned(&example.call, &got, &example.want));
        }
    }
    Some(clip(first, 200))
}

/// The left value of `assert 3 == 5`.
fn compared(line: &str) -> Option<String> {
    let claim = line.strip_prefix("AssertionError: ").unwrap_or(line).strip_prefix("assert ")?;
    match split_top(claim, " == ")[..] {
        [got, _] => Some(got.to_owned()),
        _ => None,
    }
}

fn returned(call: &str, got: &str, want: &str) -> String {
    format!("{call} returned {}, expected {}", clip(got, MAX_VALUE), clip(want, MAX_VALUE))
}

/// `Type: message` of a line that names an exception other than a failed assertion.
fn exception(line: &str) -> Option<String> {
    let found = EXCEPTION.captures(line.trim())?;
    let kind = found.get(1)?.as_str();
    if kind == "AssertionError" {
        return None;
    }
    let message = found.get(2).map_or("", |message| message.as_str());
    Some(if message.is_empty() { kind.to_owned() } else { format!("{kind}: {}", clip(message, MAX_VALUE)) })
}

fn raised(source: &str, function: Option<&str>, message: &str) -> String {
    let no_call = ["SyntaxError", "IndentationError", "TabError", "ImportError", "ModuleNotFoundError"];
    let call = function.and_then(|function| call_of(source, function));
    match call {
        Some(call) if !no_call.iter().any(|kind| message.starts_with(kind)) => {
            format!("{} raised {message}", clip(call, 90))
        }
        _ => message.to_owned(),
    }
}

/// The first Python traceback: unittest, doctest-less scripts, and imports that fail.
fn traceback(lines: &[&str], function: Option<&str>) -> Option<String> {
    let start =
        lines.iter().position(|line| line.trim_start().starts_with("Traceback (most recent call last)"));
    let start = match start {
        Some(start) => start,
        // a syntax check prints no traceback header
        None => lines.iter().position(|line| exception(line).is_some())?,
    };
    let mut calls: Vec<&str> = Vec::new();
    for line in &lines[start..] {
        let line = line.trim();
        if let Some(message) = exception(line) {
            return Some(raised(calls.first().copied().unwrap_or_default(), function, &message));
        }
        if line.starts_with("AssertionError") {
            return Some(assertion_error(line, &calls, function));
        }
        if function.is_some_and(|function| call_of(line, function).is_some()) {
            calls.push(line);
        }
    }
    None
}

fn assertion_error(line: &str, calls: &[&str], function: Option<&str>) -> String {
    let example = function.and_then(|f| calls.iter().find_map(|call| assertion(call, f)));
    let Some(example) = example else { return clip(line, 200) };
    if let Some(found) = UNEQUAL.captures(line) {
        // unittest prints the values in the order of the arguments
        let value = |at: usize| found.get(at).map_or("", |value| value.as_str());
        let got = if value(1) == example.want { value(2) } else { value(1) };
        return returned(&example.call, got, &example.want);
    }
    if let Some(found) = NOT_TRUE.captures(line) {
        return returned(&example.call, found.get(1).map_or("", |got| got.as_str()), &example.want);
    }
    format!("{} is not {}", example.call, example.want)
}

/// cargo test, go test, jest and TAP: the failing test's name and the lines that say what differs.
fn other_runner(lines: &[&str]) -> Option<String> {
    let details = |from: usize, wanted: &[&str]| {
        lines[from..]
            .iter()
            .take(12)
            .map(|line| line.trim())
            .filter(|line| wanted.iter().any(|start| line.starts_with(start)))
            .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
            .collect::<Vec<_>>()
            .join(", ")
    };
    for (at, line) in lines.iter().enumerate() {
        let line = line.trim();
        if line.starts_with("thread '") && line.contains("panicked at") {
            let test = line.split('\'').nth(1).unwrap_or_default();
            let message = lines.get(at + 1).map_or("", |next| next.trim());
            let sides = details(at + 1, &["left:", "right:"]);
            return Some(format!("{test}: {}", if sides.is_empty() { message } else { &sides }));
        }
        if let Some(test) = line.strip_prefix("--- FAIL: ") {
            let test = test.split(' ').next().unwrap_or(test);
            let message = lines.get(at + 1).map_or("", |next| next.trim());
            return Some(format!("{test}: {message}"));
        }
        if let Some(test) = line.strip_prefix("● ") {
            return Some(format!(
                "{test}: {}",
                details(at + 1, &["Expected", "Received", "Error", "TypeError"])
            ));
        }
        if let Some(test) = line.strip_prefix("not ok ") {
            return Some(
                format!("{test} {}", details(at + 1, &["expected:", "actual:", "error:"])).trim().to_owned(),
            );
        }
        if line.starts_with("error[E") || line.starts_with("error: ") {
            let place = details(at + 1, &["-->"]);
            return Some(format!("{line} {place}").trim().to_owned());
        }
    }
    None
}

/// The failures of an output without the noise around them, at most `max_chars` characters.
fn excerpt(output: &str, max_chars: usize) -> String {
    let noise = |line: &str| {
        let line = line.trim();
        line.starts_with("platform ")
            || line.starts_with("rootdir:")
            || line.starts_with("plugins:")
            || line.starts_with("collected ")
            || line.starts_with("collecting ")
            || line.starts_with("cachedir:")
            || line.starts_with("Compiling ")
            || line.starts_with("Finished ")
            || (line.starts_with("test ") && line.ends_with("... ok"))
            || line.contains("test session starts")
    };
    let from = output
        .lines()
        .position(|line| {
            line.contains("= FAILURES =") || line.contains("= ERRORS =") || line.trim() == "failures:"
        })
        .unwrap_or(0);
    let mut kept: Vec<&str> = Vec::new();
    for line in output.lines().skip(from).filter(|line| !noise(line)).map(str::trim_end) {
        if !(line.is_empty() && kept.last().is_none_or(|last| last.is_empty())) {
            kept.push(line);
        }
    }
    clip_middle(kept.join("\n").trim_end(), max_chars)
}
