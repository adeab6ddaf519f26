//! Reading what people and tools write: requests, test output, scopes. Each is a table through one `check`.

use std::collections::BTreeMap;

use edgecoder_agent::TestReport;
use edgecoder_agent::failure::summarise;
use edgecoder_agent::profile::EditFormat;
use edgecoder_agent::prompt::repository;
use edgecoder_agent::scope::{check_with_verifier, is_test_path};
use edgecoder_agent::target::tests::{assertion, examples};
use edgecoder_agent::target::{Intent, Request, resolve};
use edgecoder_base::{Patch, Scope, Verifier};

#[test]
fn a_request_is_taken_apart() {
    #[track_caller]
    fn check(text: &str, function: Option<&str>, params: Option<&str>, path: Option<&str>, wording: &str) {
        let request = Request::parse(text);
        let got = (request.function.as_deref(), request.params.as_deref(), request.path.as_deref());
        assert_eq!(got, (function, params, path), "{text}");
        assert_eq!(request.wording, wording, "{text}");
    }
    check(
        "Add a function `sum_even(xs)` to src/lists.py that returns the sum of the even numbers in xs.",
        Some("sum_even"),
        Some("xs"),
        Some("src/lists.py"),
        "Add a function `sum_even(xs)` that returns the sum of the even numbers in xs.",
    );
    check(
        "In the file pkg/a.py, write a function clamp(x, lo=0, hi: int = 10) -> int that limits x.",
        Some("clamp"),
        Some("x, lo=0, hi: int = 10"),
        Some("pkg/a.py"),
        "Write a function clamp(x, lo=0, hi: int = 10) -> int that limits x.",
    );
    check(
        "Implement word_count in `text.py`",
        Some("word_count"),
        None,
        Some("text.py"),
        "Implement word_count",
    );
    check(
        "Write a function called area that returns w times h. Put it in geometry.py.",
        Some("area"),
        None,
        Some("geometry.py"),
        "Write a function called area that returns w times h. Put it.",
    );
    check(
        "Write a function total(xs) that returns sum(xs). Make sure all tests pass.",
        Some("total"),
        Some("xs"),
        None,
        "Write a function total(xs) that returns sum(xs).",
    );
    check(
        "is_even(n): whether n is even, in numbers.py",
        Some("is_even"),
        Some("n"),
        Some("numbers.py"),
        "is_even(n): whether n is even",
    );
    check("Return the largest of len(xs) and 3", None, None, None, "Return the largest of len(xs) and 3");
    check("Fix the failing test in tests/test_a.py", None, None, None, "Fix the failing test");
    check(
        "Make `Stack.push(self, x)` in stack.py work",
        Some("push"),
        Some("self, x"),
        Some("stack.py"),
        "Make `Stack.push(self, x)` work",
    );
    check(
        "Write f(x) that returns x, f(3) == 3",
        Some("f"),
        Some("x"),
        None,
        "Write f(x) that returns x, f(3) == 3",
    );
    check("write to ../../etc/x.py", None, None, None, "Write to ../../etc/x.py");
    check("", None, None, None, "");
}

#[test]
fn a_fix_is_told_from_a_wish() {
    for (text, intent) in [
        ("Fix double in nums.py", Intent::Fix),
        ("Please repair the parser", Intent::Fix),
        ("double() returns a wrong result", Intent::Fix),
        ("There is a bug in nums.py", Intent::Fix),
        ("Write a function prefix(s) that returns s", Intent::Write),
        ("Add affixes(words)", Intent::Write),
    ] {
        assert_eq!(Request::parse(text).intent, intent, "{text}");
    }
}

fn texts(files: &[(&str, &str)]) -> BTreeMap<String, String> {
    files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect()
}

#[test]
fn a_target_is_found_from_what_is_there() {
    #[track_caller]
    fn check(request: &str, files: &[(&str, &str)], expected: Option<(&str, Option<&str>, Option<&str>)>) {
        let texts = texts(files);
        let existing: Vec<String> = texts.keys().cloned().chain(["deep/unread.py".to_owned()]).collect();
        let target = resolve(&Request::parse(request), &texts, &existing, "");
        let got = target.as_ref().map(|t| (t.path.as_str(), t.function.as_deref(), t.params.as_deref()));
        assert_eq!(got, expected, "{request}");
    }
    let stub = ("src/a.py", "def f(x, y=1):\n    pass\n");
    let other = ("src/b.py", "def g():\n    return 1\n");
    let test = ("tests/test_a.py", "from a import f\n\ndef test():\n    assert f(1) == 1\n");
    check("Implement f(x)", &[stub, other], Some(("src/a.py", Some("f"), Some("x"))));
    check("Implement the function f in a.py", &[stub, other], Some(("src/a.py", Some("f"), Some("x, y=1"))));
    check("Make the tests pass", &[stub, other, test], Some(("src/a.py", Some("f"), Some("x, y=1"))));
    check("Make the tests pass", &[other, test], Some(("src/b.py", None, None)));
    check("Write a function f that returns x", &[other, test], Some(("src/a.py", Some("f"), None)));
    check("Write a function h(x) that returns x", &[stub, other], Some(("h.py", Some("h"), Some("x"))));
    check("Say something", &[stub, ("src/c.py", "def k():\n    pass\n")], None);
    check("Write f(x) in unread.py", &[stub], Some(("deep/unread.py", Some("f"), Some("x"))));
    check("Return twice n", &[], Some(("solution.py", None, None)));
}

#[test]
fn what_fails_names_the_target_of_a_fix() {
    let files = texts(&[("m.py", "def a(x):\n    return x\n\n\ndef b(x):\n    return x\n")]);
    for hint in [
        ">       assert b(1) == 2\nE       assert 1 == 2",
        "    self.assertEqual(b(1), 2)\nAssertionError: 1 != 2",
    ] {
        let target = resolve(&Request::parse("Fix the failing test"), &files, &["m.py".to_owned()], hint);
        assert_eq!(target.and_then(|target| target.function).as_deref(), Some("b"), "{hint}");
    }
}

#[test]
fn examples_are_read_from_assertions() {
    for (line, expected) in [
        ("assert f(1, [2]) == 3", Some(("f(1, [2])", "3"))),
        ("assert 3 == f(1)", Some(("f(1)", "3"))),
        ("assert mod.f(\"a\") == \"b\", 'message'", Some(("f('a')", "'b'"))),
        ("assert f(1)", Some(("f(1)", "True"))),
        ("assert not f(1)", Some(("f(1)", "False"))),
        ("assert f(1) is None", Some(("f(1)", "None"))),
        ("self.assertEqual(f(1), {'a': 1})", Some(("f(1)", "{'a': 1}"))),
        ("self.assertFalse(f(1))", Some(("f(1)", "False"))),
        ("assert f(1) == g(2)", None),
        ("assert len(f(1)) == 2", None),
        ("assert f(1) > 2", None),
        ("f(1) == 2", None),
    ] {
        let got = assertion(line, "f");
        assert_eq!(got.as_ref().map(|e| (e.call.as_str(), e.want.as_str())), expected, "{line}");
    }
    assert!(examples("f", &texts(&[("a.py", "assert f(1) == 1")])).is_empty(), "only tests count");
}

#[test]
fn a_failure_is_one_line() {
    #[track_caller]
    fn check(output: &str, expected: &str) {
        let report = TestReport { exit: Some(1), stdout_tail: output.to_owned(), ..TestReport::default() };
        let failure = summarise(&report, Some("f"), 300);
        assert_eq!(failure.headline, expected);
        assert!(failure.excerpt.chars().count() <= 300);
    }
    check(
        ">       assert f([1]) == 5\nE       assert 3 == 5\nE        +  where 3 = f([1])\n",
        "f([1]) returned 3, expected 5",
    );
    check(
        ">       assert f('a') == \"b\"\nE       AssertionError: assert 'a' == 'b'\n",
        "f('a') returned 'a', expected 'b'",
    );
    check(
        ">       assert not f(2)\nE       assert not True\nE        +  where True = f(2)\n",
        "f(2) returned True, expected False",
    );
    check(
        "    def test():\n>       assert f(0) == 1\n\nt.py:3:\n_ _\n>       return 1 / n\nE       ZeroDivisionError: division by zero\n",
        "f(0) raised ZeroDivisionError: division by zero",
    );
    check(
        "E     File \"/w/a.py\", line 2\nE       return (n\nE              ^\nE   SyntaxError: '(' was never closed\n",
        "SyntaxError: '(' was never closed",
    );
    check(
        "E   ImportError: cannot import name 'f' from 'a' (/w/a.py)\n",
        "ImportError: cannot import name 'f' from 'a' (/w/a.py)",
    );
    check(
        "FAIL: test_f (t.T)\nTraceback (most recent call last):\n  File \"t.py\", line 5, in test_f\n    self.assertEqual(f(1), 3)\nAssertionError: 2 != 3\n",
        "f(1) returned 2, expected 3",
    );
    check(
        "Traceback (most recent call last):\n  File \"t.py\", line 1\n    assert f(1) == 2\nAssertionError\n",
        "f(1) is not 2",
    );
    check(
        "  File \"a.py\", line 1\n    def f(\n         ^\nSyntaxError: '(' was never closed\n",
        "SyntaxError: '(' was never closed",
    );
    check(
        "thread 'tests::adds' (1) panicked at src/lib.rs:9:9:\nassertion `left == right` failed\n  left: 3\n right: 4\n",
        "tests::adds: left: 3, right: 4",
    );
    check(
        "--- FAIL: TestAdd (0.00s)\n    add_test.go:8: got 3, want 4\nFAIL\n",
        "TestAdd: add_test.go:8: got 3, want 4",
    );
    check(
        "● adds\n\n    expect(received).toBe(expected)\n\n    Expected: 4\n    Received: 3\n",
        "adds: Expected: 4, Received: 3",
    );
    check("TAP version 13\nnot ok 1 - adds\n  expected: 4\n  actual: 3\n", "1 - adds expected: 4, actual: 3");
    check("\u{1b}[31mboom\u{1b}[0m\n", "boom");
    check("", "the command exited with code 1 and printed nothing");
}

#[test]
fn a_timeout_names_the_call() {
    let stdout_tail = "    assert f(10) == 1\n".to_owned();
    let report = TestReport { timed_out: true, stdout_tail, ..TestReport::default() };
    assert_eq!(summarise(&report, Some("f"), 0).headline, "f(10): timeout");
}

#[test]
fn scope_is_kept() {
    #[track_caller]
    fn check(path: &str, scope: &Scope, command: &str, expected: &str) {
        let mut patch = Patch::default();
        patch.set(path, None, Some("x".into()));
        let verifier = Verifier::new(command);
        let got = match check_with_verifier(&patch, scope, Some(&verifier)) {
            Ok(()) => String::new(),
            Err(violations) => violations.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "),
        };
        assert_eq!(got, expected, "{path} with {command:?}");
    }
    let open = Scope::default();
    for path in [
        "src/a.py",
        "a.go",
        "src/Latest.java",
        "Split.java",
        "contest.py",
        "docs/x.md",
        "src/specs.rs",
        "attestation/x.py",
    ] {
        check(path, &open, "pytest -q", "");
    }
    for path in [
        "tests/a.py",
        "a/tests/b/c.py",
        "test_a.py",
        "src/a_test.py",
        "conftest.py",
        "pytest.ini",
        "tox.ini",
        "setup.cfg",
        "pkg/a_test.go",
        "web/a.test.ts",
        "web/a.spec.js",
        "web/__tests__/a.js",
        "src/test/java/A.java",
        "ATest.java",
        "sitecustomize.py",
        "jest.config.js",
        "TESTS/x.py",
        "x.pth",
        "spec/a_spec.rb",
    ] {
        check(path, &open, "pytest -q", &format!("{path} is a test or test configuration"));
        assert!(is_test_path(path), "{path}");
    }
    for path in [
        "package.json",
        "web/yarn.lock",
        "pyproject.toml",
        "requirements-dev.txt",
        "Cargo.toml",
        "go.mod",
        "pom.xml",
        "Gemfile.lock",
    ] {
        check(path, &open, "pytest -q", &format!("{path} declares dependencies"));
    }
    for path in [
        ".github/workflows/ci.yml",
        ".gitlab-ci.yml",
        "Jenkinsfile",
        ".pre-commit-config.yaml",
        "build.rs",
        ".cargo/config.toml",
    ] {
        check(path, &open, "pytest -q", &format!("{path} configures automation that runs by itself"));
    }
    for path in ["../x.py", "/etc/passwd", ".git/hooks/pre-commit", "a\\b.py", ""] {
        check(path, &open, "pytest -q", &format!("{path:?} is not a path inside the repository"));
    }
    check("check.py", &open, "python ./check.py && echo ok", "check.py decides what the verifier does");
    check("Makefile", &open, "make -s verify", "Makefile decides what the verifier does");
    check("calc.py", &open, "python -m doctest calc.py", "");
    check("calc.py", &open, "pytest -q", "");
    let only = Scope {
        allow: vec!["src/*.py".into(), "lib/".into(), "tests/test_new.py".into()],
        ..Scope::default()
    };
    check("src/a.py", &only, "pytest", "");
    check("lib/deep/a.py", &only, "pytest", "");
    check("tests/test_new.py", &only, "pytest", "");
    check("src/deep/a.py", &only, "pytest", "src/deep/a.py is outside the allowed paths");
    check("tests/test_old.py", &only, "pytest", "tests/test_old.py is outside the allowed paths");
    let lax = Scope { allow_test_changes: true, allow_new_dependencies: true, ..Scope::default() };
    check("tests/a.py", &lax, "pytest", "");
    check("Cargo.lock", &lax, "pytest", "");
    let broken = Scope { allow: vec!["[".into()], ..Scope::default() };
    check("a.py", &broken, "pytest", "the scope's glob \"[\" cannot be read");
    let none = Scope { max_files: 0, ..Scope::default() };
    check("a.py", &none, "pytest", "1 files change, at most 0 may");
}

#[test]
fn system_prompts_stay_small() {
    let prompts = [
        repository::PLAN,
        repository::edit(EditFormat::PutFunction),
        repository::edit(EditFormat::SearchReplace),
        repository::edit(EditFormat::WholeFile),
    ];
    for prompt in prompts {
        let tokens = edgecoder_agent::budget::estimate(prompt);
        assert!(tokens < 1500, "{tokens} tokens: {prompt}");
        assert!(prompt.chars().count() < 2000);
    }
    insta::assert_snapshot!("system_prompts", prompts.join("\n----\n"));
}
