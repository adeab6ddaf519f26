//! Whatever comes from a model, a tool or a person: no panic, no unsafe path, no prompt beyond the window.

use std::collections::BTreeMap;

use edgecoder_agent::budget::{TOKENS_PER_MESSAGE, estimate};
use edgecoder_agent::edit::put_function::{Wanted, put_function};
use edgecoder_agent::edit::{Sources, put_function, search_replace, whole_file};
use edgecoder_agent::failure::summarise;
use edgecoder_agent::python::Outline;
use edgecoder_agent::target::Request;
use edgecoder_agent::{
    Agent, Brief, CompletionFailure, FileSummary, FileText, Finish, Observation, Profile, RepoView, Step,
    TestReport, TokenUsage, split, syntax, test_report,
};
use edgecoder_base::snapshot::is_safe_path;
use edgecoder_base::{AttemptLimits, Scope, Verifier};
use proptest::collection::vec;
use proptest::prelude::*;

/// Pieces that parsers look for, in any order, with any text between.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("```python\n"),
        Just("```"),
        Just("def f(x):\n"),
        Just("    return x\n"),
        Just("class A:\n"),
        Just("\n"),
        Just("\t"),
        Just("\r\n"),
        Just("\"\"\""),
        Just("'"),
        Just("("),
        Just("]"),
        Just("<<<<<<< SEARCH\n"),
        Just("=======\n"),
        Just(">>>>>>> REPLACE\n"),
        Just("a.py\n"),
        Just("../b.py\n"),
        Just("import os\n"),
        Just("# é\n"),
        Just("E       assert 1 == 2\n"),
        Just(">       assert f(1) == 2\n"),
        Just("\\"),
        Just("@x\n"),
        Just("    pass\n"),
        Just("Traceback (most recent call last):\n"),
        Just("ValueError: x\n"),
        Just("K = 1\n"),
        Just("…"),
        Just("if __name__"),
    ]
    .prop_map(str::to_owned);
    vec(prop_oneof![4 => piece, 1 => any::<String>()], 0..24).prop_map(|parts| parts.concat())
}

fn observation() -> impl Strategy<Value = Observation> {
    prop_oneof![
        4 => (pieces(), any::<bool>()).prop_map(|(text, cut)| Observation::Completion {
            text,
            finish: if cut { Finish::Length } else { Finish::Stop },
            usage: TokenUsage { prompt_tokens: 90, output_tokens: 40, model_ms: 1 },
        }),
        3 => (pieces(), any::<bool>()).prop_map(|(stdout_tail, passed)| {
            Observation::TestReport(TestReport { passed, stdout_tail, ..TestReport::default() })
        }),
        1 => any::<u32>().prop_map(|prompt_tokens| {
            Observation::CompletionFailed(CompletionFailure::ContextOverflow { prompt_tokens, context_tokens: 300 })
        }),
    ]
}

fn answer_to(step: &Step, next: Observation, text: &str) -> Observation {
    match (step, next) {
        (Step::Read { paths }, _) => Observation::Files {
            files: paths.iter().map(|path| FileText { path: path.clone(), text: text.to_owned() }).collect(),
            missing: Vec::new(),
        },
        (Step::Verify { .. }, Observation::Completion { text, .. }) => {
            Observation::TestReport(TestReport { stdout_tail: text, ..TestReport::default() })
        }
        (Step::Complete(_), Observation::TestReport(report)) => Observation::Completion {
            text: report.stdout_tail,
            finish: Finish::Stop,
            usage: TokenUsage::default(),
        },
        (_, next) => next,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(192) })]

    #[test]
    fn no_text_makes_a_parser_panic(text in pieces(), file in pieces()) {
        let outline = Outline::of(&text);
        for definition in &outline.definitions {
            prop_assert!(text.get(definition.span.clone()).is_some());
        }
        let _ = Request::parse(&text);
        let _ = split::parse(&text);
        let _ = test_report::counts(&text);
        let _ = syntax::split_top(&text, ", ");
        let report = TestReport { stdout_tail: text.clone(), stderr_tail: file.clone(), ..TestReport::default() };
        let failure = summarise(&report, Some("f"), 200);
        prop_assert!(failure.headline.chars().count() <= 200 && failure.excerpt.chars().count() <= 200);
        let _ = put_function(Some(&file), &text, Wanted { name: Some("f"), class: Some("A") });
        let _ = put_function(Some(&file), &text, Wanted { name: Some("f"), class: None });
    }

    #[test]
    fn edits_name_safe_paths_only(text in pieces(), file in pieces()) {
        let texts = BTreeMap::from([("a.py".to_owned(), file)]);
        let existing = ["a.py".to_owned()];
        let sources = Sources { texts: &texts, existing: &existing };
        let all = [
            search_replace::apply(&text, &sources),
            whole_file::apply(&text, &sources, Some("a.py")),
            put_function::apply(&text, &sources, Some("a.py")),
        ];
        for edited in all.into_iter().flatten() {
            prop_assert!(edited.texts.keys().all(|path| is_safe_path(path)));
        }
    }

    #[test]
    fn an_attempt_ends_and_its_prompts_fit(
        model in prop_oneof![Just("edgecoder-tiny"), Just("other")],
        request in pieces(),
        text in pieces(),
        window in 1_u32..3000,
        sample in any::<u32>(),
        observations in vec(observation(), 60),
    ) {
        let brief = Brief {
            request, sample, seed: 1, context_tokens: window,
            verifier: Some(Verifier::new("pytest")), scope: Scope::default(),
            limits: AttemptLimits::default(), profile: Profile::for_model(model),
        };
        let mut agent = Agent::new(brief);
        let file = |path: &str| FileSummary { path: path.into(), size: 10, ..FileSummary::default() };
        let view = RepoView { files: vec![file("a.py"), file("tests/test_a.py")], map: text.clone() };
        let mut step = agent.next(Observation::Started(view));
        for next in observations {
            if let Step::Complete(prompt) = &step {
                let prefill = estimate(prompt.prefill.as_deref().unwrap_or_default());
                let used = prompt.messages.iter().fold(prefill, |sum, message| {
                    sum + estimate(&message.content) + TOKENS_PER_MESSAGE
                });
                prop_assert!(used + prompt.max_tokens <= window, "{used} + {} > {window}", prompt.max_tokens);
                prop_assert!(prompt.max_tokens > 0);
            }
            if let Step::Verify { patch } | Step::Submit { patch, .. } = &step {
                prop_assert!(patch.changes.iter().all(|change| is_safe_path(&change.path)));
            }
            let observation = answer_to(&step, next, &text);
            step = agent.next(observation);
            agent.events();
        }
        prop_assert!(step.is_final(), "{step:?}");
    }
}
