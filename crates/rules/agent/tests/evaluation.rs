//! An evaluation's report as people see it: the page and the plot say what the samples say, and text of others
//! stays where it belongs.

use edgecoder_agent::eval::report::{FORMAT, Totals};
use edgecoder_agent::eval::{FailureClass, ProblemReport, Report, SampleReport, Solutions, markdown, plot};

fn report() -> Report {
    let sample = |index: u32, passed: bool| SampleReport {
        index,
        seed: 7 + u64::from(index),
        passed,
        class: (!passed).then_some(FailureClass::WrongAnswer),
        headline: (!passed).then(|| "f(1) returned <2> | `3`\nx".to_owned()),
        prompt_tokens: 40,
        output_tokens: 25,
        model_ms: 120,
        run_ms: 60,
        ..SampleReport::default()
    };
    let problems = vec![
        ProblemReport { task_id: "a|b".into(), samples: vec![sample(0, false), sample(1, true)] },
        ProblemReport { task_id: "c".into(), samples: vec![sample(0, true), sample(1, true)] },
    ];
    Report {
        format: FORMAT,
        suite: "example".into(),
        solutions: Solutions::Model,
        model: "edgecoder-tiny".into(),
        model_hash: None,
        engine: "llama.cpp".into(),
        profile: "edgecoder-tiny".into(),
        samples: 2,
        temperature: 0.8,
        seed: 7,
        level: Some("S3".into()),
        nodes: vec!["local".into()],
        started_at: "2026-01-01T00:00:00Z".into(),
        wall_ms: 1_234,
        complete: true,
        totals: Totals::of(&problems, 2),
        problems,
    }
}

#[test]
fn the_page_and_the_plot_say_what_the_samples_say() {
    let report = report();
    insta::assert_snapshot!("evaluation_page", markdown::page(&report));
    insta::assert_snapshot!("evaluation_plot", plot::svg("pass@k", &[("tiny & small".to_owned(), &report)]));
}

#[test]
fn the_json_comes_back_as_it_was() {
    let report = report();
    let text = serde_json::to_string_pretty(&report).unwrap();
    insta::assert_snapshot!("evaluation_json", text);
    assert_eq!(serde_json::from_str::<Report>(&text).unwrap(), report);
}

#[test]
fn the_harness_is_right_only_if_references_pass_and_mutants_fail() {
    let mut report = report();
    let check = |report: &Report, solutions: Solutions, expected: bool| {
        assert_eq!(Report { solutions, ..report.clone() }.is_as_it_must_be(), expected, "{solutions:?}");
    };
    check(&report, Solutions::Model, true);
    check(&report, Solutions::Canonical, false);
    check(&report, Solutions::Mutants, false);
    report.problems.remove(0);
    check(&report, Solutions::Canonical, true);
    report.problems[0].samples.iter_mut().for_each(|sample| sample.passed = false);
    check(&report, Solutions::Mutants, true);
    report.problems[0].samples[0].class = Some(FailureClass::Sandbox);
    check(&report, Solutions::Mutants, false);
}
