//! Counting tests in the output of the usual runners, for progress and for telling a better failing
//! candidate from a worse one.

use std::sync::LazyLock;

use regex::Regex;
use serde::{Deserialize, Serialize};

/// Tests by outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counts {
    /// Passed.
    pub passed: u32,
    /// Failed, or could not run.
    pub failed: u32,
    /// Left out.
    pub skipped: u32,
}

#[expect(clippy::expect_used, reason = "a literal pattern either compiles in the first test or never")]
fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("a literal pattern")
}

static WORDED: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)\b(\d+) (passed|passing|failed|failing|errors?|skipped|ignored|pending|todo|xfailed|xpassed)\b",
    )
});
static UNITTEST_RAN: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?m)^Ran (\d+) tests? in "));
static UNITTEST_PART: LazyLock<Regex> = LazyLock::new(|| pattern(r"(failures|errors|skipped)=(\d+)"));
static GO: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?m)^\s*--- (PASS|FAIL|SKIP): "));
static TAP: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?m)^(not )?ok \d+(.*)$"));

/// The counts that `output` states; none when it states none.
pub fn counts(output: &str) -> Option<Counts> {
    let output = crate::failure::without_colours(output);
    unittest(&output).or_else(|| summary_lines(&output)).or_else(|| go(&output)).or_else(|| tap(&output))
}

fn number(text: Option<regex::Match<'_>>) -> u32 {
    text.and_then(|text| text.as_str().parse().ok()).unwrap_or(0)
}

/// pytest, cargo, jest, vitest and mocha all say "N passed" or "N passing" somewhere; cargo once per binary.
fn summary_lines(output: &str) -> Option<Counts> {
    let mut total = Counts::default();
    let mut seen = false;
    for line in output.lines() {
        let line = line.trim();
        let is_cargo = line.starts_with("test result:");
        let is_other = line.starts_with("Tests:")
            || line.starts_with("Tests ")
            || line.starts_with('=')
            || line.contains(" in ") && line.starts_with(|c: char| c.is_ascii_digit())
            || line.split_once(' ').is_some_and(|(n, rest)| {
                n.parse::<u32>().is_ok()
                    && ["passing", "failing", "pending"].iter().any(|w| rest.starts_with(w))
            });
        if !is_cargo && !is_other {
            continue;
        }
        for found in WORDED.captures_iter(line) {
            let n = number(found.get(1));
            seen = true;
            match found.get(2).map_or("", |word| word.as_str()).to_lowercase().as_str() {
                "passed" | "passing" | "xpassed" => total.passed = total.passed.saturating_add(n),
                "failed" | "failing" | "error" | "errors" => total.failed = total.failed.saturating_add(n),
                _ => total.skipped = total.skipped.saturating_add(n),
            }
        }
    }
    seen.then_some(total)
}

fn unittest(output: &str) -> Option<Counts> {
    let found = UNITTEST_RAN.captures_iter(output).last()?;
    let after = &output[found.get(0)?.end()..];
    let mut counts = Counts { passed: number(found.get(1)), ..Counts::default() };
    for part in UNITTEST_PART.captures_iter(after) {
        let n = number(part.get(2));
        if part.get(1).is_some_and(|kind| kind.as_str() == "skipped") {
            counts.skipped = counts.skipped.saturating_add(n);
        } else {
            counts.failed = counts.failed.saturating_add(n);
        }
    }
    counts.passed = counts.passed.saturating_sub(counts.failed.saturating_add(counts.skipped));
    Some(counts)
}

fn go(output: &str) -> Option<Counts> {
    let mut counts = Counts::default();
    for found in GO.captures_iter(output) {
        match found.get(1).map_or("", |kind| kind.as_str()) {
            "PASS" => counts.passed += 1,
            "FAIL" => counts.failed += 1,
            _ => counts.skipped += 1,
        }
    }
    (counts != Counts::default()).then_some(counts)
}

fn tap(output: &str) -> Option<Counts> {
    let mut counts = Counts::default();
    for found in TAP.captures_iter(output) {
        let rest = found.get(2).map_or("", |rest| rest.as_str()).to_lowercase();
        if rest.contains("# skip") || rest.contains("# todo") {
            counts.skipped += 1;
        } else if found.get(1).is_some() {
            counts.failed += 1;
        } else {
            counts.passed += 1;
        }
    }
    (counts != Counts::default()).then_some(counts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_runner_is_counted() {
        for (output, passed, failed, skipped) in [
            ("===== 2 failed, 3 passed, 1 skipped in 0.12s =====", 3, 2, 1),
            ("..F\n1 failed, 2 passed in 0.02s\n", 2, 1, 0),
            ("\u{1b}[32m1 passed\u{1b}[0m in 0.01s", 1, 0, 0),
            ("= 1 error in 0.05s =", 0, 1, 0),
            ("Ran 5 tests in 0.001s\n\nFAILED (failures=1, errors=1, skipped=1)", 2, 2, 1),
            ("Ran 1 test in 0.000s\n\nOK\n", 1, 0, 0),
            (
                "test result: FAILED. 3 passed; 1 failed; 2 ignored; 0 measured; 0 filtered out; finished in 0.00s\ntest result: ok. 2 passed; 0 failed; 0 ignored",
                5,
                1,
                2,
            ),
            ("--- PASS: TestA (0.00s)\n    --- FAIL: TestA/b (0.00s)\nFAIL", 1, 1, 0),
            ("Tests:       1 failed, 4 passed, 5 total\nTime: 1 s", 4, 1, 0),
            ("  3 passing (5ms)\n  1 failing\n", 3, 1, 0),
            ("TAP version 13\nok 1 - a\nnot ok 2 - b\nok 3 # SKIP later\n1..3", 1, 1, 1),
        ] {
            assert_eq!(counts(output), Some(Counts { passed, failed, skipped }), "{output}");
        }
        assert_eq!(counts("segmentation fault, 3 passed through here"), None);
    }
}
