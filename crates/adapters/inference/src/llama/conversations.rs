//! Conversations of every shape against windows of every size, on the scripted and on the real engine: what is sent
//! fits, and nothing that a system, a person or a tool said is missing from it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use futures::FutureExt;
use parking_lot::Mutex;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tokio_util::sync::CancellationToken;

use super::batcher::Batcher;
use super::model::Loaded;
use crate::engine::estimate_tokens;
use crate::serve::ServeConfig;
use crate::{Compaction, CompletionRequest, Engine, Error, Event, Message, Overflow, Role, ScriptedEngine};

const CASES: u32 = 10_000;
/// Windows of the real engine; a context is made once for each.
const WINDOWS: [u32; 5] = [48, 96, 160, 288, 512];

fn message() -> impl Strategy<Value = Message> {
    let role = prop_oneof![
        1 => Just(Role::System),
        4 => Just(Role::User),
        5 => Just(Role::Assistant),
        2 => Just(Role::Tool),
    ];
    let word = prop_oneof![
        8 => "[a-z]{1,9}",
        2 => Just("def f(x):\n    return x".to_owned()),
        1 => Just("<|im_end|>".to_owned()),
        1 => "\\PC{1,6}",
    ];
    (role, vec(word, 0..60)).prop_map(|(role, words)| Message { role, content: words.join(" ") })
}

prop_compose! {
    fn request()(
        messages in vec(message(), 1..9),
        max_tokens in prop_oneof![Just(1_u32), 1..64_u32, 1..600_u32],
        compact in any::<bool>(),
        prefill in proptest::option::weighted(0.2, "[a-z ]{0,40}"),
    ) -> CompletionRequest {
        let overflow = if compact { Overflow::Compact } else { Overflow::Refuse };
        CompletionRequest { overflow, prefill, ..CompletionRequest::new(messages, max_tokens) }
    }
}

/// What was sent in place of `asked`, after `compaction`: all that was said by others than the model is in it.
fn check_kept(asked: &CompletionRequest, sent: &[Message]) {
    assert_eq!(sent.len(), asked.messages.len(), "no message is dropped");
    for (sent, asked) in sent.iter().zip(&asked.messages) {
        assert_eq!(sent.role, asked.role);
        assert!(sent == asked || asked.role == Role::Assistant, "{asked:?} became {sent:?}");
        assert!(sent == asked || sent.content.len() < asked.content.len());
    }
}

fn check_refused(error: &Error, asked: &CompletionRequest, window: u32) {
    let &Error::ContextOverflow { prompt_tokens, max_tokens, context_tokens } = error else {
        panic!("{error:?} for {asked:?}")
    };
    assert_eq!((max_tokens, context_tokens), (asked.max_tokens, window));
    assert!(prompt_tokens + max_tokens > window, "{prompt_tokens} and {max_tokens} fit into {window}");
}

fn check_scripted(asked: &CompletionRequest, window: u32) {
    let sent = Arc::new(Mutex::new(None));
    let seen = Arc::clone(&sent);
    let engine = ScriptedEngine::new().with_context(window).otherwise(move |request| {
        *seen.lock() = Some(request.clone());
        Ok("ok".into())
    });
    let started = engine.complete(asked.clone(), CancellationToken::new()).now_or_never().unwrap();
    let sent = sent.lock().take();
    match started {
        Ok(_) => {
            let sent = sent.unwrap();
            assert!(estimate_tokens(&sent.prompt()) + sent.max_tokens <= window);
            check_kept(asked, &sent.messages);
            assert!(asked.overflow == Overflow::Compact || sent == *asked);
        }
        Err(error) => {
            assert_eq!(sent, None, "nothing is sent of what is refused");
            check_refused(&error, asked, window);
        }
    }
}

/// Answers whether it was sent as it is, shortened or refused.
fn check_real(batcher: &mut Batcher<'_>, asked: &CompletionRequest, window: u32) -> &'static str {
    let events = match batcher.submit(1, asked.clone()) {
        Ok(events) => events,
        Err(error) => {
            check_refused(&error, asked, window);
            return "refused";
        }
    };
    let compaction = match events.as_slice() {
        [Event::Compacted { compaction }, Event::Started { .. }] => compaction.clone(),
        [Event::Started { .. }] => Compaction::default(),
        other => panic!("{other:?}"),
    };
    let mut sent = asked.messages.clone();
    compaction.apply(&mut sent);
    check_kept(asked, &sent);
    let prompt = batcher.waiting_prompt();
    let tokens = u32::try_from(prompt.len()).unwrap();
    assert!(tokens + asked.max_tokens <= window, "{tokens} tokens and {} more", asked.max_tokens);
    assert_eq!(events.last(), Some(&Event::Started { prompt_tokens: tokens }));
    // The tokens themselves say it: every message stands in them, in order.
    let text = batcher.text_of(&prompt);
    let mut rest = text.as_str();
    for message in &sent {
        // The template trims nothing but the ends.
        let said = message.content.trim();
        let at = rest.find(said).unwrap_or_else(|| panic!("{said:?} is not in {rest:?}"));
        rest = &rest[at + said.len()..];
    }
    assert!(batcher.cancel(1).is_some());
    if compaction.shortened.is_empty() { "as it is" } else { "shortened" }
}

#[test]
fn what_is_sent_fits_and_nothing_said_is_dropped() {
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../models/tiny/edgecoder-tiny.gguf");
    let config = |window| ServeConfig {
        model: model.clone(),
        context: Some(window),
        threads: Some(1),
        slots: Some(1),
        ..ServeConfig::default()
    };
    let loaded = WINDOWS.map(|window| Loaded::open(&config(window)).unwrap());
    let batchers = RefCell::new(loaded.each_ref().map(|loaded| Batcher::new(loaded).unwrap()));
    let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::with_cases(CASES) });
    let case = (request(), 0..WINDOWS.len(), 20..2_000_u32);
    let seen = RefCell::new(BTreeMap::new());
    let outcome = runner.run(&case, |(asked, real, scripted)| {
        let outcome = check_real(&mut batchers.borrow_mut()[real], &asked, WINDOWS[real]);
        *seen.borrow_mut().entry(outcome).or_insert(0_u32) += 1;
        check_scripted(&asked, scripted);
        Ok(())
    });
    assert_eq!(outcome, Ok(()));
    let seen = seen.into_inner();
    assert!(seen.len() == 3 && seen.values().all(|&times| times > CASES / 50), "too few of a kind: {seen:?}");
}
