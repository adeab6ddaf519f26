//! Whole attempts as text: each line is what happened and what the agent asked for next. No engine, no files.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use edgecoder_agent::{
    Agent, Brief, CompletionFailure, Entry, Error, FileSummary, FileText, Finish, Interruption, Observation,
    Profile, RepoView, Step, TestReport, TokenUsage, replay,
};
use edgecoder_base::{AttemptLimits, Scope, Verifier};

const STUB: &str = "\"\"\"Lists.\"\"\"\n\n\ndef sum_even(xs: list[int]) -> int:\n    \"\"\"Return the sum of the even numbers in xs.\"\"\"\n    raise NotImplementedError\n";
const TEST: &str = "from lists import sum_even\n\n\ndef test_sum():\n    assert sum_even([1, 2, 4]) == 6\n";
const GOOD: &str = "    return sum(x for x in xs if x % 2 == 0)\n```";
const BAD: &str = "    return sum(xs)\n```";
const PYTEST: &str = "F\n=== FAILURES ===\n    def test_sum():\n>       assert sum_even([1, 2, 4]) == 6\nE       assert 7 == 6\nE        +  where 7 = sum_even([1, 2, 4])\n\nlists.py:3: AssertionError\n1 failed in 0.01s\n";

fn brief(model: &str, request: &str) -> Brief {
    Brief {
        request: request.to_owned(),
        verifier: Some(Verifier::new("pytest -q")),
        scope: Scope::default(),
        sample: 0,
        seed: 7,
        limits: AttemptLimits::default(),
        context_tokens: 8192,
        profile: Profile::for_model(model),
    }
}

fn repo(files: &[(&str, &str)]) -> Observation {
    let files = files.iter().map(|(path, text)| FileSummary {
        path: (*path).into(),
        size: text.len() as u64,
        ..FileSummary::default()
    });
    Observation::Started(RepoView { files: files.collect(), map: "lists.py\n  sum_even(xs)\n".into() })
}

fn files(files: &[(&str, &str)]) -> Observation {
    let file = |(path, text): &(&str, &str)| FileText { path: (*path).into(), text: (*text).into() };
    Observation::Files { files: files.iter().map(file).collect(), missing: Vec::new() }
}

fn answer(text: &str) -> Observation {
    let usage = TokenUsage { prompt_tokens: 50, output_tokens: 20, model_ms: 10 };
    Observation::Completion { text: text.into(), finish: Finish::Stop, usage }
}

fn passes() -> Observation {
    let stdout_tail = "1 passed in 0.01s".to_owned();
    Observation::TestReport(TestReport { passed: true, exit: Some(0), stdout_tail, ..TestReport::default() })
}

fn fails(output: &str) -> Observation {
    let stdout_tail = output.to_owned();
    Observation::TestReport(TestReport { exit: Some(1), stdout_tail, ..TestReport::default() })
}

fn shown(step: &Step) -> String {
    match step {
        Step::Read { paths } => format!("read {}", paths.join(" ")),
        Step::Complete(prompt) => {
            let last = prompt.messages.last().map_or("", |message| message.content.as_str());
            let system = prompt.messages.first().map_or("", |m| m.content.lines().next().unwrap_or(""));
            let prefill = prompt.prefill.as_deref().unwrap_or("-");
            let n = prompt.messages.len();
            format!("complete T={} n={n} [{system}] {last:?} prefill {prefill:?}", prompt.temperature)
        }
        Step::Verify { patch } => {
            let changes =
                patch.changes.iter().map(|c| format!("{} {:?}", c.path, c.after.as_deref().unwrap_or("-")));
            format!("verify {}", changes.collect::<Vec<_>>().join(" "))
        }
        Step::Submit { summary, standing, .. } => format!("submit {standing:?}: {summary}"),
        Step::GiveUp { reason, detail } => format!("give up {reason:?}: {detail}"),
    }
}

/// Feeds the observations, compares what was asked for, and replays the journal at every length.
fn check(name: &str, brief: &Brief, observations: &[Observation]) {
    let mut agent = Agent::new(brief.clone());
    let mut entries = Vec::new();
    let mut lines = Vec::new();
    for observation in observations {
        let step = agent.next(observation.clone());
        lines.push(shown(&step));
        for event in agent.events() {
            lines.push(format!("    {}", serde_json::to_string(&event).unwrap()));
        }
        entries.push(Entry { observation: observation.clone(), step: Some(step) });
    }
    let written = serde_json::to_string(&entries).unwrap();
    let read: Vec<Entry> = serde_json::from_str(&written).unwrap();
    assert_eq!(read, entries, "{name}: a journal reads back as it was written");
    for length in 1..=read.len() {
        let (_, step) = replay(brief.clone(), &read[..length]).unwrap();
        assert_eq!(step, entries[length - 1].step, "{name}: replay of {length}");
    }
    insta::assert_snapshot!(name, lines.join("\n"));
}

const TINY: &str = "edgecoder-tiny";
const LARGE: &str = "llama3.1:8b";
const REQUEST: &str =
    "Add a function `sum_even(xs)` to lists.py that returns the sum of the even numbers in xs.";

#[test]
fn tiny_passes_at_once() {
    let repo_files = [("lists.py", STUB), ("test_lists.py", TEST)];
    check(
        "tiny_passes_at_once",
        &brief(TINY, REQUEST),
        &[repo(&repo_files), files(&repo_files), answer(GOOD), passes()],
    );
}

#[test]
fn tiny_alternates_repair_and_fresh_until_the_limit() {
    let repo_files = [("lists.py", STUB), ("test_lists.py", TEST)];
    let steps = [
        repo(&repo_files),
        files(&repo_files),
        answer(BAD),
        fails(PYTEST),
        answer(BAD), // the same again: not run twice
        answer("I do not know."),
        answer("    return 6\n```"),
        fails(PYTEST),
        answer("    return 7\n```"),
        fails(PYTEST),
        answer("    return 8\n```"),
        fails(PYTEST),
    ];
    check("tiny_alternates", &brief(TINY, REQUEST), &steps);
}

#[test]
fn tiny_finds_what_a_vague_request_means() {
    let repo_files = [("pkg/lists.py", STUB), ("pkg/other.py", "A = 1\n"), ("tests/test_lists.py", TEST)];
    let steps = [repo(&repo_files), files(&repo_files), answer(GOOD), passes()];
    check("tiny_vague", &brief(TINY, "Implement the missing function so that the tests pass"), &steps);
}

#[test]
fn tiny_repairs_what_is_broken() {
    let broken =
        "def sum_even(xs):\n    \"\"\"Return the sum of the even numbers in xs.\"\"\"\n    return sum(xs)\n";
    let repo_files = [("lists.py", broken), ("test_lists.py", TEST)];
    let steps = [repo(&repo_files), files(&repo_files), fails(PYTEST), answer(GOOD), passes()];
    check("tiny_fix", &brief(TINY, "Fix the failing test in test_lists.py"), &steps);
}

#[test]
fn tiny_without_verifier_or_files() {
    let mut brief = brief(TINY, "Write a function `double(n)` that returns twice n.");
    brief.verifier = None;
    check("tiny_unverified", &brief, &[repo(&[]), answer("    return n * 2\n```"), passes()]);
}

#[test]
fn tiny_gives_up_where_it_cannot_help() {
    let readme = [("README.md", "hello")];
    let js = brief(TINY, "Add a function `f(x)` to src/a.js that returns x.");
    check("tiny_language", &js, &[repo(&readme)]);
    let mut scoped = brief(TINY, REQUEST);
    scoped.scope.allow = vec!["docs".into()];
    check("tiny_scope", &scoped, &[repo(&readme)]);
}

#[test]
fn engine_trouble_is_visible_and_bounded() {
    let overflow = Observation::CompletionFailed(CompletionFailure::ContextOverflow {
        prompt_tokens: 600,
        context_tokens: 512,
    });
    let crash =
        Observation::CompletionFailed(CompletionFailure::Engine { message: "the engine crashed".into() });
    let brief = brief(TINY, "Write a function `double(n)` that returns twice n.");
    check("overflow_twice", &brief, &[repo(&[]), overflow.clone(), overflow]);
    check("crash_twice", &brief, &[repo(&[]), crash.clone(), crash.clone()]);
    check("crash_once", &brief, &[repo(&[]), crash, answer("    return n * 2\n```"), passes()]);
}

#[test]
fn an_interruption_ends_an_attempt() {
    let brief = brief(TINY, "Write a function `double(n)` that returns twice n.");
    check("cancelled", &brief, &[repo(&[]), Observation::Interrupted(Interruption::Cancelled)]);
    check("time_up", &brief, &[repo(&[]), Observation::Interrupted(Interruption::TimeUp), passes()]);
    check("out_of_turn", &brief, &[repo(&[]), passes()]);
}

#[test]
fn a_large_model_edits_with_blocks() {
    let repo_files = [("lists.py", STUB), ("test_lists.py", TEST)];
    let block = "lists.py\n<<<<<<< SEARCH\n    raise NotImplementedError\n=======\n    return sum(x for x in xs if x % 2 == 0)\n>>>>>>> REPLACE\n";
    let steps =
        [repo(&repo_files), fails(PYTEST), files(&repo_files), answer("Sure!"), answer(block), passes()];
    check("large_passes_after_a_retry", &brief(LARGE, REQUEST), &steps);
}

#[test]
fn a_large_model_submits_its_best_at_the_limit() {
    let repo_files = [("lists.py", STUB), ("test_lists.py", TEST)];
    let block = |old: &str, new: &str| {
        answer(&format!("lists.py\n<<<<<<< SEARCH\n    {old}\n=======\n    {new}\n>>>>>>> REPLACE\n"))
    };
    let mut brief = brief(LARGE, REQUEST);
    brief.limits.max_completions = 3;
    let steps = [
        repo(&repo_files),
        fails(PYTEST),
        files(&repo_files),
        block("raise NotImplementedError", "return 1"),
        fails("2 failed, 5 passed in 0.1s"),
        block("return 1", "return 2"),
        fails("6 failed, 1 passed in 0.1s"),
        block("return 2", "import os"),
        fails("7 failed in 0.1s"),
    ];
    check("large_at_the_limit", &brief, &steps);
}

#[test]
fn a_large_model_chooses_files_and_may_not_touch_tests() {
    let many: Vec<(String, String)> =
        (0..20).map(|n| (format!("src/m{n}.py"), format!("N = {n}\n"))).collect();
    let mut repo_files: Vec<(&str, &str)> =
        many.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    repo_files.push(("tests/test_m.py", TEST));
    let plan = "PLAN: Change N.\nREAD: src/m3.py\nREAD: /etc/passwd\n";
    let cheat = "tests/test_m.py\n<<<<<<< SEARCH\n    assert sum_even([1, 2, 4]) == 6\n=======\n    pass\n>>>>>>> REPLACE\n";
    let good = "src/m3.py\n<<<<<<< SEARCH\nN = 3\n=======\nN = 4\n>>>>>>> REPLACE\n";
    let steps = [
        repo(&repo_files),
        fails(PYTEST),
        answer(plan),
        files(&[("src/m3.py", "N = 3\n")]),
        answer(cheat),
        files(&[("tests/test_m.py", TEST)]),
        answer(good),
        passes(),
    ];
    check("large_chooses", &brief(LARGE, "Set N to 4 in m3"), &steps);
}

#[test]
fn samples_differ_and_repeat_themselves() {
    let first = |sample: u32, seed: u64| {
        let mut brief = brief(TINY, REQUEST);
        (brief.sample, brief.seed) = (sample, seed);
        let mut agent = Agent::new(brief);
        let repo_files = [("lists.py", STUB), ("test_lists.py", TEST)];
        agent.next(repo(&repo_files));
        match agent.next(files(&repo_files)) {
            Step::Complete(prompt) => (prompt.seed, prompt.temperature),
            step @ (Step::Read { .. } | Step::Verify { .. } | Step::Submit { .. } | Step::GiveUp { .. }) => {
                panic!("{step:?}")
            }
        }
    };
    assert_eq!(first(0, 7), first(0, 7));
    assert_eq!(first(0, 7).1, 0.0);
    assert_eq!(first(1, 7).1, 0.8);
    let seeds: std::collections::BTreeSet<u64> = (0..50).map(|sample| first(sample, 7).0).collect();
    assert_eq!(seeds.len(), 50);
    assert_ne!(first(3, 7).0, first(3, 8).0);
}

#[test]
fn a_journal_of_another_brief_is_refused() {
    let brief = brief(TINY, "Write a function `double(n)` that returns twice n.");
    let mut other = brief.clone();
    other.seed += 1;
    let observation = repo(&[]);
    let step = Some(Agent::new(brief.clone()).next(observation.clone()));
    let entries = [Entry { observation, step }, Entry { observation: answer("x"), step: None }];
    assert!(replay(brief, &entries).is_ok());
    assert_eq!(replay(other, &entries).map(|_| ()), Err(Error::Diverged { index: 0 }));
}
