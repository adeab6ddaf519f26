//! `edgecoder eval` as it is typed: references pass, broken ones fail, a bad suite is refused with its line. The
//! sandbox is the real one; no model is asked.
#![expect(clippy::unwrap_used, reason = "a test that fails here fails")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn suites() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/suites")
}

/// Runs `edgecoder eval` with a data directory of its own.
fn eval(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_edgecoder"))
        .arg("eval")
        .args(args)
        .arg("--data-dir")
        .arg(folder.join("node"))
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn references_pass_and_broken_ones_fail() {
    let folder = tempfile::tempdir().unwrap();
    for (solutions, words) in [("canonical", "3 of 3 passed"), ("mutants", "0 of 9 passed")] {
        let report = folder.path().join("report.json");
        let suite = suites().join("functions.jsonl");
        let args = [
            "--solutions",
            solutions,
            "--limit",
            "3",
            "--out",
            report.to_str().unwrap(),
            suite.to_str().unwrap(),
        ];
        let output = eval(folder.path(), &args);
        let said = text(&output.stdout);
        assert!(output.status.success() && said.contains(words), "{said}{}", text(&output.stderr));
        let report: serde_json::Value = serde_json::from_slice(&std::fs::read(report).unwrap()).unwrap();
        assert_eq!(
            (report["complete"].as_bool(), report["problems"].as_array().unwrap().len()),
            (Some(true), 3)
        );
    }
}

#[test]
fn a_wrong_reference_is_a_failure_of_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let suite = folder.path().join("wrong.jsonl");
    let line = r#"{"task_id": "w", "request": "r", "entry_point": "f", "canonical_solution": "def f():\n    return 1\n", "test": "assert f() == 2"}"#;
    std::fs::write(&suite, line).unwrap();
    let page = folder.path().join("page.md");
    let output = eval(
        folder.path(),
        &["--solutions", "canonical", suite.to_str().unwrap(), "--markdown", page.to_str().unwrap()],
    );
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("wrong answer 1"), "{}", text(&output.stdout));
    assert!(std::fs::read_to_string(page).unwrap().contains("f() is not 2"));
}

#[test]
fn what_cannot_be_evaluated_is_refused_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let bad = folder.path().join("bad.jsonl");
    std::fs::write(&bad, "{\"request\": \"r\"}\n").unwrap();
    let bad = bad.to_str().unwrap();
    let requests = suites().join("requests.jsonl");
    let requests = requests.to_str().unwrap();
    let check = |args: &[&str], status: i32, words: &str| {
        let output = eval(folder.path(), args);
        let said = text(&output.stderr);
        assert!(
            output.status.code() == Some(status) && said.contains(words),
            "{args:?}: {:?} {said}",
            output.status
        );
    };
    check(&[bad], 2, "bad.jsonl: line 1: \"entry_point\" is missing or empty");
    check(&["/nonexistent.jsonl"], 1, "cannot read /nonexistent.jsonl");
    check(&[requests, "--nodes", "not a url"], 2, "--nodes not a url");
    check(&[requests, "--model", "/nonexistent.gguf"], 1, "cannot read /nonexistent.gguf");
    check(&["--from", bad], 2, "is no report of an evaluation");
    check(&[requests, "--samples", "0"], 2, "0");
}
