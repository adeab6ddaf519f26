//! Swaps under load with scripted engines: nothing is dropped, nothing runs longer than it must.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::{Event, Finish, Message, ScriptedEngine, collect};

struct Rig {
    switch: Switch,
    stop: CancellationToken,
    tasks: JoinSet<Result<(), Error>>,
}

fn config() -> SwitchConfig {
    SwitchConfig { ready_within: Duration::from_secs(5), drain_within: Duration::from_secs(60) }
}

fn rig(first: ScriptedEngine) -> Rig {
    let (switch, owner) = Switch::build(Driven::server(Arc::new(first)), config());
    let stop = CancellationToken::new();
    let mut tasks = JoinSet::new();
    tasks.spawn(owner.run(stop.clone()));
    Rig { switch, stop, tasks }
}

impl Rig {
    async fn end(mut self) {
        self.stop.cancel();
        assert_eq!(self.tasks.join_next().await.unwrap().unwrap(), Ok(()));
    }
}

fn echo(name: &str) -> ScriptedEngine {
    let answer = format!("an answer of {name}, in some pieces");
    ScriptedEngine::new().named(name).otherwise(move |_| Ok(answer.clone()))
}

fn ask() -> CompletionRequest {
    CompletionRequest::new(vec![Message::user("hello")], 16)
}

/// Tells through a flag that what must run for it was stopped.
fn told_when_stopped(engine: ScriptedEngine) -> (Driven, CancellationToken) {
    let stopped = CancellationToken::new();
    let tell = stopped.clone();
    let driven = Driven::server(Arc::new(engine));
    let run = driven.run;
    let run: Run = Box::new(move |stop| {
        async move {
            let ended = run(stop).await;
            tell.cancel();
            ended
        }
        .boxed()
    });
    (Driven { run, ..driven }, stopped)
}

#[tokio::test]
async fn sixteen_streams_at_a_time_survive_many_swaps() {
    let rig = rig(echo("m0"));
    let mut streams = JoinSet::new();
    for _ in 0..16 {
        let switch = rig.switch.clone();
        streams.spawn(async move {
            let mut answers = 0;
            for _ in 0..40 {
                let events = switch.complete(ask(), CancellationToken::new()).await?;
                let reply = collect(events).await?;
                assert!(reply.text.starts_with("an answer of m") && reply.finish == Finish::Stop);
                answers += 1;
                tokio::task::yield_now().await;
            }
            Ok::<_, Error>(answers)
        });
    }
    for number in 1..=10 {
        let name = format!("m{number}");
        let capabilities = rig.switch.swap(Driven::server(Arc::new(echo(&name)))).await.unwrap();
        assert_eq!(capabilities.model, name);
    }
    let mut answers = 0;
    while let Some(done) = streams.join_next().await {
        answers += done.unwrap().unwrap();
    }
    assert_eq!(answers, 16 * 40);
    assert_eq!(rig.switch.capabilities().await.unwrap().model, "m10");
    rig.end().await;
}

#[tokio::test]
async fn an_old_engine_is_stopped_after_its_last_answer_and_not_before() {
    let (old, stopped) = told_when_stopped(ScriptedEngine::new().hang_after("half "));
    let (switch, owner) = Switch::build(old, config());
    let (stop, mut tasks) = (CancellationToken::new(), JoinSet::new());
    tasks.spawn(owner.run(stop.clone()));
    let cancel = CancellationToken::new();
    let mut events = switch.complete(ask(), cancel.clone()).await.unwrap();
    events.next().await.unwrap().unwrap();
    assert_eq!(switch.load(), Load { running: 1, waiting: 1, draining: 0 });
    switch.swap(Driven::server(Arc::new(echo("new")))).await.unwrap();
    assert!(!stopped.is_cancelled());
    assert_eq!(switch.load().draining, 1);
    cancel.cancel();
    let rest: Vec<_> = events.collect().await;
    assert!(matches!(rest.last(), Some(Ok(Event::Done { finish: Finish::Cancelled, .. }))), "{rest:?}");
    stopped.cancelled().await;
    stop.cancel();
    tasks.join_next().await.unwrap().unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_never_ends_delays_the_old_engine_only_so_long() {
    let (old, stopped) = told_when_stopped(ScriptedEngine::new().hang_after("half "));
    let (switch, owner) = Switch::build(old, config());
    let (stop, mut tasks) = (CancellationToken::new(), JoinSet::new());
    tasks.spawn(owner.run(stop.clone()));
    let _kept = switch.complete(ask(), CancellationToken::new()).await.unwrap();
    switch.swap(Driven::server(Arc::new(echo("new")))).await.unwrap();
    stopped.cancelled().await;
    stop.cancel();
    tasks.join_next().await.unwrap().unwrap().unwrap();
}

/// An engine that does not come, in one of three ways.
#[derive(Debug)]
struct Absent(Option<Error>);

impl Engine for Absent {
    fn capabilities(&self) -> BoxFuture<'_, Result<Capabilities, Error>> {
        match &self.0 {
            Some(error) => futures::future::err(error.clone()).boxed(),
            None => std::future::pending().boxed(),
        }
    }

    fn complete(
        &self,
        _: CompletionRequest,
        _: CancellationToken,
    ) -> BoxFuture<'_, Result<EventStream, Error>> {
        futures::future::err(Error::EngineStopped).boxed()
    }

    fn count_tokens(&self, _: CountRequest) -> BoxFuture<'_, Result<u32, Error>> {
        futures::future::err(Error::EngineStopped).boxed()
    }
}

#[tokio::test(start_paused = true)]
async fn a_new_engine_that_does_not_come_changes_nothing() {
    let rig = rig(echo("old"));
    let missing = Error::ModelMissing { path: "m.gguf".into(), fix: "get it".into() };
    let gone = Error::Unreachable { reason: "refused".into() };
    for (engine, expected) in [
        (Absent(Some(missing.clone())), missing),
        (Absent(Some(gone.clone())), gone),
        (Absent(None), Error::Timeout { after_ms: 5_000 }),
    ] {
        assert_eq!(rig.switch.swap(Driven::server(Arc::new(engine))).await, Err(expected));
        let reply = rig.switch.complete(ask(), CancellationToken::new()).await.unwrap();
        assert!(collect(reply).await.unwrap().text.contains("of old"));
    }
    rig.end().await;
}

#[tokio::test]
async fn without_its_owner_a_switch_says_that_it_is_stopped() {
    let (switch, owner) = Switch::build(Driven::server(Arc::new(echo("x"))), config());
    drop(owner);
    let swapped = switch.swap(Driven::server(Arc::new(echo("y")))).await;
    assert_eq!(swapped, Err(Error::EngineStopped));
}
