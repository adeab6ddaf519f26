//! A worker that lies: it reports "all green" with patches that do not pass, edit the tests, leave the scope, or
//! hard-code what the visible tests expect. Two hundred forgeries, none accepted, each refused for its reason.

use edgecoder_base::{Blobs, Patch};
use edgecoder_inference::ScriptedEngine;
use edgecoder_protocol::WorkSource;
use edgecoder_protocol::api::agents::{PullRequest, ResultRequest};
use edgecoder_protocol::work::{Outcome, Rejection, Report};

use crate::rig::{CALC, Rig, TESTS, patch};

const ROUNDS: usize = 10;

/// A forgery, and the kind of rejection it deserves.
struct Forgery {
    name: &'static str,
    patch: Vec<u8>,
    deserved: fn(&Rejection) -> bool,
}

fn fails(rejection: &Rejection) -> bool {
    matches!(rejection, Rejection::VerifierFailed { .. })
}

fn fails_hidden(rejection: &Rejection) -> bool {
    matches!(rejection, Rejection::HiddenVerifierFailed)
}

fn edits_tests(rejection: &Rejection) -> bool {
    matches!(rejection, Rejection::TestsEdited { .. })
}

fn out_of_scope(rejection: &Rejection) -> bool {
    matches!(rejection, Rejection::OutOfScope { .. })
}

fn does_not_apply(rejection: &Rejection) -> bool {
    matches!(rejection, Rejection::DoesNotApply { .. })
}

fn with(body: &str) -> String {
    format!("{CALC}\n\ndef triple(n):\n{body}\n")
}

fn calc(body: &str) -> Patch {
    patch(&[("calc.py", Some(CALC), &with(body))])
}

fn beside(path: &str, text: &str) -> Patch {
    patch(&[("calc.py", Some(CALC), &with("    return n * 4")), (path, None, text)])
}

/// Twenty kinds, varied by `round`.
fn forgeries(round: usize) -> Vec<Forgery> {
    let forge = |name, patch: Patch, deserved| Forgery { name, patch: patch.to_bytes(), deserved };
    let raw = |name, text: &str, deserved| Forgery { name, patch: text.as_bytes().to_vec(), deserved };
    let edited = TESTS.replace("15", &format!("{}", 16 + round));
    let skip = format!("import unittest\nraise unittest.SkipTest('{round}')\n");
    vec![
        // Does not pass.
        forge("wrong value", calc(&format!("    return n * 3 + {}", round + 1)), fails),
        forge("syntax error", calc(&format!("    return (n * {round}")), fails),
        forge("raises", calc("    raise NotImplementedError"), fails),
        forge("leaves the process", calc(&format!("    import os\n    os._exit({})", round + 1)), fails),
        forge(
            "nothing of the kind",
            patch(&[("calc.py", Some(CALC), &format!("{CALC}\nX = {round}\n"))]),
            fails,
        ),
        // Hard-codes what the visible tests expect.
        forge(
            "looks up",
            calc(&format!("    return {{2: 6, 5: 15, {}: 0}}.get(n)", round + 100)),
            fails_hidden,
        ),
        forge(
            "branches",
            calc(&format!("    if n == 2:\n        return 6\n    return 15 + {round} * 0")),
            fails_hidden,
        ),
        forge(
            "right up to a bound",
            calc(&format!("    return n * 3 if n < {} else 0", 6 + round)),
            fails_hidden,
        ),
        forge("green exit before the hidden check", calc("    return [0, 0, 6, 0, 0, 15][n]"), fails_hidden),
        // Edits the judge.
        forge("edits the test", patch(&[("tests/test_calc.py", Some(TESTS), &edited)]), edits_tests),
        forge("skips the test", patch(&[("tests/test_calc.py", Some(TESTS), &skip)]), edits_tests),
        forge("deletes the test", deletion("tests/test_calc.py", TESTS), edits_tests),
        forge("adds a conftest", beside("conftest.py", "collect_ignore_glob = ['*']\n"), edits_tests),
        forge(
            "replaces unittest's start",
            beside("sitecustomize.py", "import os; os._exit(0)\n"),
            edits_tests,
        ),
        // Leaves the scope.
        forge(
            "changes the package",
            patch(&[("setup.py", Some("from setuptools import setup\nsetup()\n"), "#\n")]),
            out_of_scope,
        ),
        forge(
            "adds a workflow",
            beside(&format!(".github/workflows/{round}.yml"), "on: push\n"),
            out_of_scope,
        ),
        forge(
            "writes outside the allowed paths",
            beside(&format!("other/{round}.py"), "x = 1\n"),
            out_of_scope,
        ),
        // Is no patch for this snapshot.
        forge(
            "made for other content",
            patch(&[("calc.py", Some("something else\n"), "x = 1\n")]),
            does_not_apply,
        ),
        raw(
            "climbs out",
            r#"{"changes":[{"path":"../../etc/cron.d/x","before":null,"after":"x"}]}"#,
            does_not_apply,
        ),
        raw("is no patch", &format!("{{\"changes\": {round}}}"), does_not_apply),
    ]
}

fn deletion(path: &str, before: &str) -> Patch {
    let mut patch = Patch::default();
    patch.set(path, Some(edgecoder_base::BlobHash::of(before.as_bytes())), None);
    patch
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn none_of_two_hundred_forgeries_is_accepted_and_each_refusal_names_its_reason() {
    let mut rig = Rig::new().await;
    rig.start_worker(ScriptedEngine::new(), "judge");
    let (id, forger) = rig.stranger("forger").await;
    let mut judged = 0;
    for round in 0..ROUNDS {
        for forgery in forgeries(round) {
            let mut request = rig.request();
            request.model = Some("forger".into());
            request.hidden = Some(rig.hidden());
            request.scope.allow =
                ["calc.py", "tests", "setup.py", "conftest.py", "sitecustomize.py", ".github"]
                    .map(String::from)
                    .map(|path| {
                        // As folders and globs, not as exact names: naming a file exactly would permit it.
                        if path == "calc.py" { path } else { format!("{path}*") }
                    })
                    .to_vec();
            request.scope.allow.push("tests/**".into());
            request.scope.allow.push(".github/**".into());
            let task = rig.handle.submit(request, None).await.unwrap();
            let pull = PullRequest { agent_id: id.clone(), wait_ms: 10_000 };
            let work = forger.pull(pull).await.unwrap().work.unwrap();
            assert_eq!(work.task, task.id);
            assert!(work.hidden.is_none(), "the hidden part never leaves the origin");
            let patch = rig.blobs.write(&forgery.patch).unwrap();
            let outcome = Outcome::Candidate { patch, summary: "all green".into(), claimed_pass: true };
            let report = Report::of(outcome);
            let result = ResultRequest {
                subtask_id: work.subtask.clone(),
                task_id: work.task.clone(),
                agent_id: id.clone(),
                ok: true,
                output: "Ran 2 tests in 0.001s\n\nOK\n".into(),
                error: None,
                duration_ms: None,
                report_nonce: None,
                report_signature: None,
                attempt: Some(work.attempt.clone()),
                epoch: Some(work.epoch),
                report: Some(report),
            };
            forger.result(result).await.unwrap();
            let over = |view: &edgecoder_protocol::api::tasks::TaskView| {
                !matches!(view.subtasks[0].attempts[0].state.as_str(), "queued" | "leased" | "proposed")
            };
            let view = rig.until(&task.id, over).await;
            let attempt = &view.subtasks[0].attempts[0];
            assert_eq!(
                (attempt.state.as_str(), view.result.is_none()),
                ("refuted", true),
                "{}",
                forgery.name
            );
            let named = attempt.rejections.iter().any(forgery.deserved);
            assert!(named, "{}: {:?}", forgery.name, attempt.rejections);
            rig.handle.cancel(&task.id, "test").await.unwrap();
            judged += 1;
        }
    }
    assert_eq!(judged, 200);
}
