//! Children that speak frames without a model, written as shell scripts: other versions, silence, signs of life.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::time::Duration;

use edgecoder_inference::frame::{PROTOCOL, Tell, encode};
use edgecoder_inference::{
    Capabilities, CompletionRequest, Engine, EngineState, Error, Event, Finish, IsolateConfig,
    IsolatedEngine, Message, Reply, TokenUsage, collect,
};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// A child that says `at_start`, and `answer` to the first line it reads.
fn script(at_start: &[Tell], answer: &[Tell]) -> String {
    let say = |tells: &[Tell]| -> String {
        tells.iter().map(|tell| format!("echo '{}'\n", encode(tell).unwrap().trim_end())).collect()
    };
    format!("{}read line\n{}cat > /dev/null\n", say(at_start), say(answer))
}

fn ready(protocol: u32) -> Tell {
    Tell::Ready { protocol, capabilities: Capabilities::new("m", "e", 512, 1) }
}

fn start(script: &str) -> (IsolatedEngine, JoinSet<Result<(), Error>>) {
    let mut config = IsolateConfig::new("sh", ["-c", script]);
    config.silence = Duration::from_millis(200);
    let (engine, supervisor) = IsolatedEngine::build(config);
    let mut tasks = JoinSet::new();
    tasks.spawn(supervisor.run(CancellationToken::new()));
    (engine, tasks)
}

async fn ask(script: String) -> Result<Reply, Error> {
    let (engine, _tasks) = start(&script);
    let request = CompletionRequest::new(vec![Message::user("hi")], 8);
    collect(engine.complete(request, CancellationToken::new()).await?).await
}

fn step(event: Event) -> Tell {
    Tell::Step { id: 1, event }
}

#[tokio::test]
async fn signs_of_life_are_no_part_of_an_answer() {
    let done = Event::Done { finish: Finish::Stop, usage: TokenUsage::default() };
    let started = Event::Started { prompt_tokens: 1 };
    let answer =
        [Tell::Alive, step(started), Tell::Alive, step(Event::Delta { text: "ho".into() }), step(done)];
    let reply = ask(script(&[ready(PROTOCOL)], &answer)).await.unwrap();
    assert_eq!((reply.text.as_str(), reply.finish), ("ho", Finish::Stop));
}

#[tokio::test]
async fn a_child_that_says_nothing_is_ended() {
    for answer in [&[][..], &[step(Event::Started { prompt_tokens: 1 })]] {
        let error = ask(script(&[ready(PROTOCOL)], answer)).await.unwrap_err();
        assert!(
            matches!(&error, Error::EngineCrashed { reason } if reason.contains("no sign of life")),
            "{error:?}"
        );
        assert!(error.is_retryable());
    }
}

#[tokio::test]
async fn a_child_of_another_version_is_not_used() {
    for version in [0, PROTOCOL - 1, PROTOCOL + 1] {
        let error = ask(script(&[ready(version)], &[])).await.unwrap_err();
        assert!(matches!(error, Error::Protocol { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn a_child_that_speaks_out_of_turn_is_not_used() {
    let (engine, _tasks) = start(&script(&[Tell::Alive, ready(PROTOCOL)], &[]));
    let ended = |state: &EngineState| matches!(state, EngineState::Restarting { .. } | EngineState::Ready(_));
    let state = engine.until(ended).await.unwrap();
    let EngineState::Restarting { reason, .. } = state else { panic!("{state:?}") };
    assert_eq!(reason, "the child spoke before it was ready");
}
