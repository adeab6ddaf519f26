//! The engine's child killed, stopped and starved of memory under load, a hundred times. The node lives on, every
//! caller gets its answer or a typed error that may be retried, and the next request works.
#![cfg(all(feature = "llama", target_os = "linux"))]
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use edgecoder_inference::{
    CompletionRequest, Engine, Error, Finish, IsolateConfig, IsolatedEngine, Message, Reply, collect,
};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

const ROUNDS: u64 = 100;
const STREAMS: u64 = 8;
/// Attempts of the request after a round: the first ones may meet an engine that is starting.
const ATTEMPTS: u32 = 100;

/// How a child comes to harm.
#[derive(Debug, Clone, Copy)]
enum Harm {
    Kill,
    Hang,
    /// Every further allocation fails.
    NoMemory,
}

fn config() -> IsolateConfig {
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../models/tiny/edgecoder-tiny.gguf");
    let args = ["--model", model.to_str().unwrap(), "--threads", "1", "--slots", "8"];
    let mut config = IsolateConfig::new(env!("CARGO_BIN_EXE_edgecoder-engine"), args);
    // A busy machine may take this for a hang where there is none: that is one more harm, and none to the claim.
    config.silence = Duration::from_millis(400);
    config.first_pause = Duration::from_millis(1);
    config.longest_pause = Duration::from_millis(10);
    config
}

fn long_answer(seed: u64) -> CompletionRequest {
    let mut request = CompletionRequest::new(vec![Message::user("Write a function `add(a, b)`.")], 400);
    request.temperature = 10.0;
    request.seed = seed;
    request
}

/// A request whose frame alone needs memory the child does not have.
fn large() -> CompletionRequest {
    CompletionRequest::new(vec![Message::user("x = 1\n".repeat(500_000))], 1)
}

async fn ask(engine: &IsolatedEngine, request: CompletionRequest) -> Result<Reply, Error> {
    collect(engine.complete(request, CancellationToken::new()).await?).await
}

fn run(program: &str, args: &[&str]) {
    // The child may be gone already, by an earlier harm: then there is nothing left to do.
    drop(Command::new(program).args(args).output().unwrap());
}

/// Does it, and answers what must be asked for it to show.
fn harm(harm: Harm, pid: u32) -> Option<CompletionRequest> {
    let pid = pid.to_string();
    match harm {
        Harm::Kill => run("kill", &["-KILL", &pid]),
        Harm::Hang => run("kill", &["-STOP", &pid]),
        Harm::NoMemory => {
            run("prlimit", &["--pid", &pid, "--as=1000000"]);
            return Some(large());
        }
    }
    None
}

/// One harm to eight streams, some of which have begun. Answers how many of them got an error.
async fn round(engine: &IsolatedEngine, round: u64) -> usize {
    let kind = [Harm::Kill, Harm::Hang, Harm::NoMemory][usize::try_from(round % 3).unwrap()];
    let mut streams = JoinSet::new();
    let (begun, mut begins) = mpsc::channel(16);
    for stream in 0..STREAMS {
        let (engine, begun) = (engine.clone(), begun.clone());
        streams.spawn(async move {
            let request = long_answer(round * STREAMS + stream);
            let events = engine.complete(request, CancellationToken::new()).await;
            begun.send(()).await.unwrap();
            collect(events?).await
        });
    }
    for _ in 0..round % STREAMS {
        begins.recv().await.unwrap();
    }
    let pid = engine.pid().unwrap();
    if let Some(request) = harm(kind, pid) {
        let outcome = ask(engine, request).await;
        assert!(
            matches!(&outcome, Err(error) if error.is_retryable()),
            "round {round}, {kind:?}: {outcome:?}"
        );
    }
    let mut failed = 0;
    while let Some(outcome) = streams.join_next().await {
        match outcome.unwrap() {
            Ok(reply) => assert!(matches!(reply.finish, Finish::Stop | Finish::Length), "{reply:?}"),
            Err(error) => {
                assert!(error.is_retryable(), "round {round}, {kind:?}: {error:?}");
                failed += 1;
            }
        }
    }
    works_again(engine).await;
    assert_ne!(engine.pid(), Some(pid), "round {round}, {kind:?}: another child serves");
    failed
}

async fn works_again(engine: &IsolatedEngine) {
    let mut last = Ok(());
    for _ in 0..ATTEMPTS {
        last = ask(engine, CompletionRequest::new(vec![Message::user("hello")], 4)).await.map(drop);
        if !last.as_ref().is_err_and(Error::is_retryable) {
            break;
        }
    }
    assert_eq!(last, Ok(()), "no answer in {ATTEMPTS} attempts");
}

#[tokio::test]
async fn a_hundred_harms_never_silence_anybody() {
    let (engine, supervisor) = IsolatedEngine::build(config());
    let shutdown = CancellationToken::new();
    let mut tasks = JoinSet::new();
    tasks.spawn(supervisor.run(shutdown.clone()));
    engine.capabilities().await.unwrap();
    let mut failed = 0;
    for number in 0..ROUNDS {
        failed += round(&engine, number).await;
    }
    assert!(failed > usize::try_from(ROUNDS).unwrap(), "{failed} streams met harm");
    shutdown.cancel();
    assert_eq!(tasks.join_next().await.unwrap().unwrap(), Ok(()), "the supervisor lived through all of it");
}
