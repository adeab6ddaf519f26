//! Evaluations in the real sandbox with a scripted model: references pass, broken ones fail, and every way to
//! fail has its class.
#![expect(clippy::unwrap_used, reason = "a test that fails here fails")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use edgecoder_agent::eval::{FailureClass, Report, Solutions, Suite};
use edgecoder_base::{Level, Timestamp};
use edgecoder_inference::{CompletionRequest, Engine, ScriptedEngine};
use edgecoder_sandbox::{Config, Sandbox};
use edgecoder_store::BlobDir;
use edgecoder_worker::eval::{Answerer, EvalConfig, EvalDeps, Evaluation};
use edgecoder_workspace::Trees;
use tokio_util::sync::CancellationToken;

const FUNCTIONS: &str = include_str!("../../../../examples/suites/functions.jsonl");
const REQUESTS: &str = include_str!("../../../../examples/suites/requests.jsonl");

fn jail() -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    let jail = tests.parent().and_then(Path::parent).unwrap().join("edgecoder-jail");
    assert!(jail.is_file(), "build the launcher first: cargo build -p edgecoder-sandbox");
    jail
}

fn clock() -> Timestamp {
    Timestamp::from_millis(1_700_000_000_000)
}

fn config(solutions: Solutions, samples: u32) -> EvalConfig {
    EvalConfig {
        solutions,
        samples,
        temperature: 0.8,
        seed: 1,
        jobs: 2,
        time_limit: Duration::from_secs(20),
        memory_bytes: 256 << 20,
        verify_limit: Duration::from_secs(60),
        keep_answers: true,
        profile: None,
        min_level: Level::S0,
    }
}

struct Bench {
    folder: tempfile::TempDir,
    engines: Vec<ScriptedEngine>,
}

impl Bench {
    fn new(engines: Vec<ScriptedEngine>) -> Self {
        Self { folder: tempfile::tempdir().unwrap(), engines }
    }

    async fn run(&self, config: EvalConfig, suite: &str, stop: &CancellationToken) -> Report {
        let at = |name: &str| {
            let path = self.folder.path().join(name);
            std::fs::create_dir_all(&path).unwrap();
            path
        };
        let named = |(index, engine): (usize, &ScriptedEngine)| Answerer {
            name: format!("node-{index}"),
            engine: Arc::new(engine.clone()) as Arc<dyn Engine>,
        };
        let deps = EvalDeps {
            answerers: self.engines.iter().enumerate().map(named).collect(),
            sandbox: Sandbox::new(Config { jail: Some(jail()), ..Config::default() }).unwrap(),
            scratch: at("scratch"),
            repositories: at("repositories"),
            trees: Trees::new(at("trees")).unwrap(),
            blobs: Arc::new(BlobDir::open(at("blobs")).unwrap()),
            clock,
        };
        let evaluation =
            Evaluation::build(config, deps, Suite::parse("suite", suite).unwrap()).await.unwrap();
        evaluation.run(stop, |_| {}).await
    }
}

async fn run(config: EvalConfig, suite: &str, engines: Vec<ScriptedEngine>) -> Report {
    Bench::new(engines).run(config, suite, &CancellationToken::new()).await
}

/// One request for `f`, and a test that it returns 1.
const ONE: &str =
    r#"{"task_id": "one", "request": "Write f().", "entry_point": "f", "test": "assert f() == 1"}"#;

#[tokio::test(flavor = "multi_thread")]
async fn all_reference_solutions_pass() {
    for suite in [FUNCTIONS, REQUESTS] {
        let report = run(config(Solutions::Canonical, 1), suite, Vec::new()).await;
        assert_eq!((report.totals.samples, report.totals.passed, report.complete), (20, 20, true));
        assert!(report.is_as_it_must_be());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_broken_reference_fails() {
    for suite in [FUNCTIONS, REQUESTS] {
        let report = run(config(Solutions::Mutants, 1), suite, Vec::new()).await;
        assert_eq!((report.totals.samples, report.totals.passed), (60, 0));
        assert_eq!(report.totals.failures.get(&FailureClass::EarlyExit), Some(&20), "the end is faked");
        assert!(report.is_as_it_must_be());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_way_to_fail_has_its_class() {
    let answers: [(&str, Option<FailureClass>); 11] = [
        ("```python\ndef f():\n    return 1\n```", None),
        ("```python\ndef f():\n    return 2\n```", Some(FailureClass::WrongAnswer)),
        ("```python\ndef f():\n    return g\n```", Some(FailureClass::UnknownName)),
        ("```python\ndef f():\n    return 1 / 0\n```", Some(FailureClass::Exception)),
        ("```python\ndef f():\n    return )\n```", Some(FailureClass::Syntax)),
        (
            "```python\nimport nothing_here\n\n\ndef f():\n    return nothing_here.x\n```",
            Some(FailureClass::Import),
        ),
        ("```python\ndef f():\n    while True:\n        pass\n```", Some(FailureClass::TimeOut)),
        ("```python\ndef f():\n    return bytearray(10 ** 9)[0]\n```", Some(FailureClass::Memory)),
        ("```python\ndef f():\n    raise SystemExit(0)\n```", Some(FailureClass::EarlyExit)),
        ("```python\nprint = None\n\n\ndef f():\n    return 1\n```", None),
        ("I am sorry.", Some(FailureClass::NoCode)),
    ];
    for (answer, expected) in answers {
        let limit = if expected == Some(FailureClass::TimeOut) { 1 } else { 20 };
        let config = EvalConfig { time_limit: Duration::from_secs(limit), ..config(Solutions::Model, 1) };
        let report = run(config, ONE, vec![ScriptedEngine::new().reply(answer)]).await;
        let sample = &report.problems[0].samples[0];
        assert_eq!((sample.class, sample.passed), (expected, expected.is_none()), "{answer}\n{sample:?}");
        assert_eq!(sample.answer.as_deref(), Some(answer));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn samples_differ_by_their_seed_and_repeat_with_it() {
    let answer = |request: &CompletionRequest| {
        let passes = request.seed.is_multiple_of(2);
        Ok(format!("```python\ndef f():\n    return {}\n```", u8::from(passes)))
    };
    let report = run(config(Solutions::Model, 8), ONE, vec![ScriptedEngine::new().otherwise(answer)]).await;
    let samples = &report.problems[0].samples;
    assert_eq!(samples.iter().map(|sample| sample.index).collect::<Vec<_>>(), (0..8).collect::<Vec<_>>());
    for sample in samples {
        assert_eq!(sample.passed, sample.seed.is_multiple_of(2));
    }
    let again = run(config(Solutions::Model, 8), ONE, vec![ScriptedEngine::new().otherwise(answer)]).await;
    let seeds =
        |report: &Report| report.problems[0].samples.iter().map(|s| (s.seed, s.passed)).collect::<Vec<_>>();
    assert_eq!(seeds(&report), seeds(&again));
    assert_eq!(report.totals.pass_at.keys().copied().collect::<Vec<_>>(), [1, 2, 4, 8]);
}

#[tokio::test(flavor = "multi_thread")]
async fn samples_are_spread_over_the_nodes() {
    let right = |_: &CompletionRequest| Ok("```python\ndef f():\n    return 1\n```".to_owned());
    let engines = vec![ScriptedEngine::new().otherwise(right), ScriptedEngine::new().otherwise(right)];
    let report = run(config(Solutions::Model, 6), ONE, engines).await;
    let from =
        |name: &str| report.problems[0].samples.iter().filter(|s| s.node.as_deref() == Some(name)).count();
    assert_eq!((from("node-0"), from("node-1"), report.totals.passed), (3, 3, 6));
    assert_eq!(report.nodes, ["node-0", "node-1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_run_keeps_what_is_there() {
    let stop = CancellationToken::new();
    let stopping = stop.clone();
    let answer = move |request: &CompletionRequest| {
        // the second question stops the run
        if request.messages.iter().any(|message| message.content.contains("`g`")) {
            stopping.cancel();
        }
        Ok("```python\ndef f():\n    return 1\n```".to_owned())
    };
    let two = format!(
        "{ONE}\n{}",
        r#"{"task_id": "two", "request": "Write it.", "entry_point": "g", "test": "g()"}"#
    );
    let bench = Bench::new(vec![ScriptedEngine::new().otherwise(answer)]);
    let report = bench.run(EvalConfig { jobs: 1, ..config(Solutions::Model, 1) }, &two, &stop).await;
    assert!(!report.complete);
    assert!(report.problems[1].samples.is_empty(), "what was interrupted says nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_is_changed_by_the_agent_and_judged_on_a_clean_copy() {
    let suite = r#"{"task_id": "calc", "repo": "calc", "request": "Add triple(n) to calc.py.", "verify": "python3 -B test_calc.py"}"#;
    for (body, passes) in [("    return n * 3\n```", true), ("    return n\n```", false)] {
        // the signature is given as the start of the answer
        let answer = move |request: &CompletionRequest| {
            assert_eq!(request.prefill.as_deref(), Some("```python\ndef triple(n):\n"));
            Ok(body.to_owned())
        };
        let bench = Bench::new(vec![ScriptedEngine::new().named("edgecoder-tiny").otherwise(answer)]);
        let repo = bench.folder.path().join("repositories/calc");
        std::fs::create_dir_all(&repo).unwrap();
        std::fs::write(repo.join("calc.py"), "def double(n):\n    return n * 2\n").unwrap();
        std::fs::write(repo.join("test_calc.py"), "from calc import triple\nassert triple(2) == 6\n")
            .unwrap();
        let report = bench.run(config(Solutions::Model, 1), suite, &CancellationToken::new()).await;
        let sample = &report.problems[0].samples[0];
        assert_eq!(sample.passed, passes, "{sample:?}");
        assert!(sample.output_tokens > 0 && sample.class.is_none() == passes, "{sample:?}");
        assert_eq!(std::fs::read_dir(&repo).unwrap().count(), 2, "the repository itself is left alone");
    }
}
