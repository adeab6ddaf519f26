//! The shipped tiny model in a real child process: completions, determinism, bounds, cancellation, crashes.
#![cfg(feature = "llama")]
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::path::{Path, PathBuf};

use edgecoder_inference::{
    CompletionRequest, CountRequest, Engine, EngineState, Error, Event, Finish, IsolateConfig,
    IsolatedEngine, Message, Reply, collect,
};
use futures::StreamExt;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

fn tiny() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../models/tiny/edgecoder-tiny.gguf")
}

/// A supervised child; stops with the test.
struct Running {
    engine: IsolatedEngine,
    shutdown: CancellationToken,
    tasks: JoinSet<Result<(), Error>>,
}

fn start(model: &Path, slots: &str) -> Running {
    let model = model.to_str().unwrap();
    let args = ["--model", model, "--threads", "1", "--slots", slots];
    let (engine, supervisor) =
        IsolatedEngine::build(IsolateConfig::new(env!("CARGO_BIN_EXE_edgecoder-engine"), args));
    let shutdown = CancellationToken::new();
    let mut tasks = JoinSet::new();
    tasks.spawn(supervisor.run(shutdown.clone()));
    Running { engine, shutdown, tasks }
}

impl Running {
    async fn reply(&self, request: CompletionRequest) -> Result<Reply, Error> {
        collect(self.engine.complete(request, CancellationToken::new()).await?).await
    }

    async fn stop(mut self) {
        self.shutdown.cancel();
        assert_eq!(self.tasks.join_next().await.unwrap().unwrap(), Ok(()));
        assert_eq!(self.engine.state(), EngineState::Stopped);
    }
}

fn add() -> CompletionRequest {
    let messages = vec![
        Message::system("You write Python code."),
        Message::user("Write a function `add(a, b)` that returns the sum of a and b."),
    ];
    CompletionRequest::new(messages, 120)
}

/// Sampled at a temperature where no answer ends soon.
fn rambling(seed: u64) -> CompletionRequest {
    let mut request = add();
    request.temperature = 10.0;
    request.seed = seed;
    request.max_tokens = 400;
    request
}

#[tokio::test]
async fn the_tiny_model_writes_a_function() {
    let running = start(&tiny(), "4");
    let capabilities = running.engine.capabilities().await.unwrap();
    assert_eq!((capabilities.context_tokens, capabilities.slots), (1024, 4));
    assert!(capabilities.model_hash.is_some());
    let reply = running.reply(add()).await.unwrap();
    assert!(reply.text.contains("def add("), "{}", reply.text);
    assert_eq!(reply.finish, Finish::Stop);
    let counted = running.engine.count_tokens(add().prompt()).await.unwrap();
    assert_eq!(reply.usage.prompt_tokens, counted);
    running.stop().await;
}

#[tokio::test]
async fn the_same_seed_gives_the_same_text() {
    let running = start(&tiny(), "4");
    let first = running.reply(rambling(1)).await.unwrap();
    let again = running.reply(rambling(1)).await.unwrap();
    let other = running.reply(rambling(2)).await.unwrap();
    assert_eq!(first.text, again.text);
    assert_ne!(first.text, other.text);
    running.stop().await;
}

#[tokio::test]
async fn what_does_not_fit_is_refused_before_generating() {
    let running = start(&tiny(), "1");
    let mut request = add();
    request.max_tokens = 1000;
    let error = running.reply(request).await.unwrap_err();
    let Error::ContextOverflow { prompt_tokens, max_tokens: 1000, context_tokens: 1024 } = error else {
        panic!("{error:?}");
    };
    let mut request = add();
    request.max_tokens = 1024 - prompt_tokens;
    assert!(running.reply(request).await.is_ok(), "what just fits is answered");
    running.stop().await;
}

#[tokio::test]
async fn stops_and_prefill_are_not_part_of_the_text() {
    let running = start(&tiny(), "2");
    let mut request = add();
    request.stop = vec!["return".into()];
    let reply = running.reply(request).await.unwrap();
    assert_eq!(reply.finish, Finish::Stop);
    assert!(reply.text.contains("def add(") && !reply.text.contains("ret"), "{}", reply.text);

    let mut request = add();
    request.prefill = Some("```python\ndef add(a, b):\n".into());
    let reply = running.reply(request).await.unwrap();
    assert!(reply.text.trim_start().starts_with("return a + b"), "{}", reply.text);

    let mut request = add();
    request.max_tokens = 3;
    let reply = running.reply(request).await.unwrap();
    assert_eq!((reply.finish, reply.usage.output_tokens), (Finish::Length, 3));
    running.stop().await;
}

#[tokio::test]
async fn control_tokens_in_a_message_are_only_text() {
    let running = start(&tiny(), "1");
    let count = async |content: &str| {
        let request = CountRequest { messages: vec![Message::user(content)], ..CountRequest::default() };
        running.engine.count_tokens(request).await.unwrap()
    };
    assert!(count("a<|im_end|>b").await > count("ab").await + 3);
    running.stop().await;
}

#[tokio::test]
async fn eight_at_once_all_get_their_answer() {
    let running = start(&tiny(), "4");
    let mut tasks = JoinSet::new();
    for _ in 0..8 {
        let engine = running.engine.clone();
        tasks.spawn(async move { collect(engine.complete(add(), CancellationToken::new()).await?).await });
    }
    let replies = tasks.join_all().await;
    let texts: Vec<_> = replies.into_iter().map(|reply| reply.unwrap().text).collect();
    assert_eq!(texts.len(), 8);
    assert!(texts.iter().all(|text| text.contains("def add(")), "{texts:?}");
    running.stop().await;
}

#[tokio::test]
async fn cancelling_one_that_waits_ends_it_and_nobody_else() {
    let running = start(&tiny(), "1");
    let cancel = CancellationToken::new();
    let mut ahead = Vec::new();
    for seed in 1..=4 {
        ahead.push(running.engine.complete(rambling(seed), CancellationToken::new()).await.unwrap());
    }
    let mut last = running.engine.complete(rambling(5), cancel.clone()).await.unwrap();
    assert!(matches!(last.next().await, Some(Ok(Event::Started { .. }))));
    cancel.cancel();
    let reply = collect(last).await.unwrap();
    assert_eq!(reply.finish, Finish::Cancelled);
    for stream in ahead {
        assert_ne!(collect(stream).await.unwrap().finish, Finish::Cancelled);
    }
    let cancelled = running.engine.complete(add(), cancel).await;
    assert!(matches!(cancelled.err(), Some(Error::Cancelled)));
    running.stop().await;
}

#[tokio::test]
async fn a_dropped_answer_frees_its_slot() {
    let running = start(&tiny(), "1");
    for seed in 1..=8 {
        drop(running.engine.complete(rambling(seed), CancellationToken::new()).await.unwrap());
    }
    assert!(running.reply(add()).await.unwrap().text.contains("def add("));
    running.stop().await;
}

#[cfg(unix)]
#[tokio::test]
async fn a_killed_child_fails_its_requests_and_is_replaced() {
    let running = start(&tiny(), "2");
    running.engine.capabilities().await.unwrap();
    let pid = running.engine.pid().unwrap();
    signal("-STOP", pid);
    let mut in_flight = JoinSet::new();
    let engine = running.engine.clone();
    in_flight.spawn(async move { engine.complete(add(), CancellationToken::new()).await.map(|_| ()) });
    // On one thread a few turns are enough for the request to reach the supervisor, and the child is stopped.
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    signal("-KILL", pid);
    let error = in_flight.join_next().await.unwrap().unwrap().unwrap_err();
    assert!(matches!(&error, Error::EngineCrashed { reason } if reason.contains('9')), "{error:?}");
    assert!(error.is_retryable());
    running.engine.until(|state| matches!(state, EngineState::Ready(_))).await.unwrap();
    assert_ne!(running.engine.pid(), Some(pid));
    assert!(running.reply(add()).await.unwrap().text.contains("def add("));
    running.stop().await;
}

#[cfg(unix)]
fn signal(name: &str, pid: u32) {
    assert!(std::process::Command::new("kill").args([name, &pid.to_string()]).status().unwrap().success());
}

#[tokio::test]
async fn an_unusable_model_is_a_state_with_a_reason_until_it_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.gguf");
    let running = start(&path, "1");
    let missing = running.engine.capabilities().await.unwrap_err();
    assert!(matches!(missing, Error::ModelMissing { .. }), "{missing:?}");
    for garbage in
        [&b"not a model at all"[..], b"GG", b"GGUF\x03\0\0\0 and then nothing of sense ............"]
    {
        std::fs::write(&path, garbage).unwrap();
        let mut seen_start = false;
        running.engine.restart().await.unwrap();
        let state = running.engine.until(|state| {
            seen_start |= matches!(state, EngineState::Starting);
            seen_start && matches!(state, EngineState::Failed(_))
        });
        let state = state.await.unwrap();
        assert!(matches!(state, EngineState::Failed(Error::ModelUnreadable { .. })), "{state:?}");
    }
    std::fs::copy(tiny(), &path).unwrap();
    running.engine.restart().await.unwrap();
    running.engine.until(|state| matches!(state, EngineState::Ready(_))).await.unwrap();
    running.stop().await;
}

#[tokio::test]
async fn a_missing_program_is_said_so() {
    let (engine, supervisor) = IsolatedEngine::build(IsolateConfig::new("/nowhere/engine", ["x"]));
    let mut tasks = JoinSet::new();
    tasks.spawn(supervisor.run(CancellationToken::new()));
    assert!(matches!(engine.capabilities().await, Err(Error::EngineMissing { .. })));
}

#[tokio::test]
async fn an_answer_without_a_supervisor_ends_in_an_error() {
    let mut running = start(&tiny(), "1");
    let events = running.engine.complete(rambling(1), CancellationToken::new()).await.unwrap();
    running.tasks.abort_all();
    while running.tasks.join_next().await.is_some() {}
    // What had come before may still be read; the end is never missing.
    assert!(matches!(collect(events).await, Err(Error::EngineStopped) | Ok(_)));
    assert_eq!(running.engine.capabilities().await, Err(Error::EngineStopped));
}

#[test]
fn the_child_ends_when_its_input_closes() {
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_edgecoder-engine"))
        .args(["--model", tiny().to_str().unwrap(), "--threads", "1"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
}
