//! An engine whose place can be taken by another while requests run: new requests go to the new one as soon as
//! it is ready, running answers finish on the old one, and the old one is stopped when its last answer ended.

mod driven;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

pub use driven::{Driven, Run};

use crate::{
    Capabilities, CompletionRequest, CountRequest, EmbedRequest, Embeddings, Engine, EngineState, Error,
    EventStream,
};

/// Swaps waiting for the one that runs; whoever asks for more waits in line.
const COMMANDS: usize = 4;
/// Between two looks at an engine that is loading.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// Bounds of a swap.
#[derive(Debug, Clone)]
pub struct SwitchConfig {
    /// Longest time a new engine may take to get ready. Large models come from slow disks.
    pub ready_within: Duration,
    /// Longest time an old engine is kept for the answers that still run on it.
    pub drain_within: Duration,
}

impl Default for SwitchConfig {
    fn default() -> Self {
        Self { ready_within: Duration::from_secs(300), drain_within: Duration::from_secs(600) }
    }
}

/// How much an engine has to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Load {
    /// Answers in the making on the present engine, those that wait for a slot included.
    pub running: u64,
    /// Of these, the ones beyond the engine's slots.
    pub waiting: u64,
    /// Answers that still run on engines that were replaced.
    pub draining: u64,
}

/// One engine in the place, and what keeps it there.
struct Seat {
    engine: Arc<dyn Engine>,
    state: driven::State,
    restarts: Arc<AtomicU64>,
    /// Holds a token per answer in the making.
    answers: TaskTracker,
    stop: CancellationToken,
}

enum Command {
    Swap(Driven, oneshot::Sender<Result<Capabilities, Error>>),
}

/// The handle, an engine like any other. Clones share the place.
#[derive(Clone)]
pub struct Switch {
    seat: watch::Receiver<Arc<Seat>>,
    commands: mpsc::Sender<Command>,
    past: Arc<Past>,
}

/// Figures of engines that were replaced.
#[derive(Debug, Default)]
struct Past {
    restarts: AtomicU64,
    draining: AtomicU64,
}

/// The owner of the engines: must be run for any of them to work.
pub struct Switchboard {
    config: SwitchConfig,
    inbox: mpsc::Receiver<Command>,
    seat: watch::Sender<Arc<Seat>>,
    past: Arc<Past>,
    first: Option<Run>,
    running: JoinSet<Result<(), String>>,
    root: CancellationToken,
    loading: Option<BoxFuture<'static, Loaded>>,
    retiring: FuturesUnordered<BoxFuture<'static, u64>>,
}

struct Loaded {
    seat: Seat,
    outcome: Result<Capabilities, Error>,
    reply: oneshot::Sender<Result<Capabilities, Error>>,
}

impl Switch {
    /// A handle whose place `first` has, and the owner that must be run. Nothing is contacted or loaded yet.
    pub fn build(first: Driven, config: SwitchConfig) -> (Self, Switchboard) {
        let (commands, inbox) = mpsc::channel(COMMANDS);
        let root = CancellationToken::new();
        let (seat, run) = Seat::of(first, &root);
        let (publish, place) = watch::channel(Arc::new(seat));
        let past = Arc::new(Past::default());
        let owner = Switchboard {
            config,
            inbox,
            seat: publish,
            past: Arc::clone(&past),
            first: Some(run),
            running: JoinSet::new(),
            root,
            loading: None,
            retiring: FuturesUnordered::new(),
        };
        (Self { seat: place, commands, past }, owner)
    }

    /// Gives the place to `next` once it is ready. When it does not get ready, the present engine stays and
    /// the reason is answered. One swap runs at a time; others wait in line.
    pub async fn swap(&self, next: Driven) -> Result<Capabilities, Error> {
        let (reply, done) = oneshot::channel();
        self.commands.send(Command::Swap(next, reply)).await.map_err(|_| Error::EngineStopped)?;
        done.await.map_err(|_| Error::EngineStopped)?
    }

    /// Where the present engine stands, from memory.
    pub fn state(&self) -> EngineState {
        (self.seat.borrow().state)()
    }

    /// How much there is to do.
    pub fn load(&self) -> Load {
        let seat = self.seat.borrow();
        let slots = match (seat.state)() {
            EngineState::Ready(capabilities) => u64::from(capabilities.slots),
            EngineState::Starting
            | EngineState::Restarting { .. }
            | EngineState::Failed(_)
            | EngineState::Stopped => 0,
        };
        let running = seat.answers.len() as u64;
        let draining = self.past.draining.load(Ordering::Relaxed);
        Load { running, waiting: running.saturating_sub(slots), draining }
    }

    /// How often an engine died and was started again, since this switch was built.
    pub fn restarts(&self) -> u64 {
        let present = self.seat.borrow().restarts.load(Ordering::Relaxed);
        present.saturating_add(self.past.restarts.load(Ordering::Relaxed))
    }

    /// The present engine, and the token that keeps it from being stopped. Both are taken under one guard: an
    /// engine that is replaced in between would be stopped before it heard of the request.
    fn enter(&self) -> (Arc<dyn Engine>, TaskTrackerToken) {
        let seat = self.seat.borrow();
        (Arc::clone(&seat.engine), seat.answers.token())
    }
}

impl fmt::Debug for Switch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Switch({:?})", self.seat.borrow().engine)
    }
}

impl fmt::Debug for Switchboard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Switchboard({} engines)", self.running.len())
    }
}

impl Engine for Switch {
    fn capabilities(&self) -> BoxFuture<'_, Result<Capabilities, Error>> {
        async move {
            let (engine, _held) = self.enter();
            engine.capabilities().await
        }
        .boxed()
    }

    fn complete(
        &self,
        request: CompletionRequest,
        cancel: CancellationToken,
    ) -> BoxFuture<'_, Result<EventStream, Error>> {
        async move {
            let (engine, held) = self.enter();
            let events = engine.complete(request, cancel).await?;
            Ok(events
                .map(move |event| {
                    let _until_the_end = &held;
                    event
                })
                .boxed())
        }
        .boxed()
    }

    fn count_tokens(&self, request: CountRequest) -> BoxFuture<'_, Result<u32, Error>> {
        async move {
            let (engine, _held) = self.enter();
            engine.count_tokens(request).await
        }
        .boxed()
    }

    fn embed(&self, request: EmbedRequest) -> BoxFuture<'_, Result<Embeddings, Error>> {
        async move {
            let (engine, _held) = self.enter();
            engine.embed(request).await
        }
        .boxed()
    }
}

impl Seat {
    fn of(driven: Driven, root: &CancellationToken) -> (Self, Run) {
        let Driven { engine, state, restarts, run } = driven;
        (Self { engine, state, restarts, answers: TaskTracker::new(), stop: root.child_token() }, run)
    }
}

impl Switchboard {
    /// Runs the engines until `shutdown`, then stops all of them.
    pub async fn run(mut self, shutdown: CancellationToken) -> Result<(), Error> {
        if let Some(first) = self.first.take() {
            let stop = self.seat.borrow().stop.clone();
            self.running.spawn(first(stop));
        }
        loop {
            tokio::select! {
                biased;
                () = shutdown.cancelled() => break,
                Some(ended) = self.running.join_next() => told(ended),
                Some(restarts) = self.retiring.next() => {
                    self.past.restarts.fetch_add(restarts, Ordering::Relaxed);
                    self.past.draining.store(0, Ordering::Relaxed);
                }
                loaded = ready(&mut self.loading) => {
                    self.loading = None;
                    self.settle(loaded);
                }
                Some(Command::Swap(next, reply)) = self.inbox.recv(), if self.loading.is_none() => {
                    self.begin(next, reply);
                }
            }
        }
        self.root.cancel();
        while let Some(ended) = self.running.join_next().await {
            told(ended);
        }
        Ok(())
    }

    /// Starts the new engine beside the old one.
    fn begin(&mut self, next: Driven, reply: oneshot::Sender<Result<Capabilities, Error>>) {
        let (seat, run) = Seat::of(next, &self.root);
        self.running.spawn(run(seat.stop.clone()));
        let within = self.config.ready_within;
        self.loading = Some(
            async move {
                let outcome = match tokio::time::timeout(within, settled(&seat)).await {
                    Ok(outcome) => outcome,
                    Err(_) => Err(Error::Timeout { after_ms: millis(within) }),
                };
                Loaded { seat, outcome, reply }
            }
            .boxed(),
        );
    }

    /// Gives the place to an engine that is ready; one that is not is stopped, and the old one stays.
    fn settle(&mut self, loaded: Loaded) {
        let Loaded { seat, outcome, reply } = loaded;
        match &outcome {
            Ok(capabilities) => {
                tracing::info!(model = capabilities.model, "another engine has the place");
                let old = self.seat.send_replace(Arc::new(seat));
                self.retire(old);
            }
            Err(error) => {
                tracing::warn!(%error, "the new engine did not get ready; the old one stays");
                seat.stop.cancel();
            }
        }
        // A caller that stopped waiting finds the outcome in the state.
        drop(reply.send(outcome));
    }

    /// Stops the old engine after its last answer.
    fn retire(&mut self, old: Arc<Seat>) {
        old.answers.close();
        let within = self.config.drain_within;
        let past = Arc::clone(&self.past);
        past.draining.fetch_add(old.answers.len() as u64, Ordering::Relaxed);
        self.retiring.push(
            async move {
                if tokio::time::timeout(within, old.answers.wait()).await.is_err() {
                    let left = old.answers.len();
                    tracing::warn!(left, "answers on a replaced engine did not end in time; it is stopped");
                }
                old.stop.cancel();
                old.restarts.load(Ordering::Relaxed)
            }
            .boxed(),
        );
    }
}

/// Waits until a new engine answers, or has shown that it will not.
async fn settled(seat: &Seat) -> Result<Capabilities, Error> {
    let mut asked = seat.engine.capabilities();
    loop {
        tokio::select! {
            biased;
            answer = &mut asked => match answer {
                // Larger models than its own patience: it is asked again until our bound.
                Err(Error::EngineStarting) => asked = seat.engine.capabilities(),
                answer => return answer,
            },
            () = tokio::time::sleep(LOOK_AGAIN) => match (seat.state)() {
                EngineState::Restarting { reason, .. } => return Err(Error::EngineCrashed { reason }),
                EngineState::Failed(error) => return Err(error),
                EngineState::Starting | EngineState::Ready(_) | EngineState::Stopped => {}
            },
        }
    }
}

/// The engine that is loading, when there is one and it is done; waits for ever when there is none.
async fn ready(loading: &mut Option<BoxFuture<'static, Loaded>>) -> Loaded {
    match loading {
        Some(loading) => loading.await,
        None => std::future::pending().await,
    }
}

fn told(ended: Result<Result<(), String>, tokio::task::JoinError>) {
    match ended {
        Ok(Ok(())) => {}
        Ok(Err(reason)) => tracing::error!(reason, "an engine ended"),
        Err(error) => tracing::error!(%error, "an engine's owner failed unexpectedly"),
    }
}

pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
