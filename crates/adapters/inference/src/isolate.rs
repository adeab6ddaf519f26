//! The parent's side of an engine in a child process: a handle for callers, a supervisor that owns the child.
//! A native crash or an out-of-memory ends the child; the requests in it fail as retryable, and it is restarted.

mod child;
mod supervise;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};
use tokio::sync::{mpsc, oneshot, watch};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::{CancellationToken, DropGuard};

pub use supervise::Supervisor;

use crate::{
    Capabilities, CompletionRequest, CountRequest, EmbedRequest, Embeddings, Engine, Error, Event,
    EventStream,
};

/// Commands queued for the supervisor. It never waits for anything slow, so a short queue is enough.
const COMMANDS: usize = 64;

/// How to run the child.
#[derive(Debug, Clone)]
pub struct IsolateConfig {
    /// The program, normally our own executable.
    pub command: PathBuf,
    /// Its arguments, normally `__engine --model …`.
    pub args: Vec<OsString>,
    /// Longest time a child may take to load its model. Large models come from slow disks.
    pub start_within: Duration,
    /// Longest time a request waits for an engine that is starting.
    pub wait_for_start: Duration,
    /// Longest silence of a child that has work. It speaks between steps, and a step takes a few seconds at
    /// most; a child that says nothing for so long hangs, and is killed.
    pub silence: Duration,
    /// Pause before the first restart; doubles with every failure in a row.
    pub first_pause: Duration,
    /// Longest pause before a restart.
    pub longest_pause: Duration,
}

impl IsolateConfig {
    /// The usual bounds.
    pub fn new(command: impl Into<PathBuf>, args: impl IntoIterator<Item = impl Into<OsString>>) -> Self {
        Self {
            command: command.into(),
            args: args.into_iter().map(Into::into).collect(),
            start_within: Duration::from_secs(300),
            wait_for_start: Duration::from_secs(60),
            silence: Duration::from_secs(60),
            first_pause: Duration::from_millis(250),
            longest_pause: Duration::from_secs(30),
        }
    }

    /// Pause before restart number `failures` (from 1) in a row.
    fn pause(&self, failures: u32) -> Duration {
        let factor = 2_u32.saturating_pow(failures.saturating_sub(1));
        self.first_pause.saturating_mul(factor).min(self.longest_pause)
    }
}

/// Where the child stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EngineState {
    /// Started, loading its model.
    Starting,
    /// Answering.
    Ready(Capabilities),
    /// Died; another is started after the pause.
    Restarting {
        /// Why it died.
        reason: String,
        /// The pause.
        pause: Duration,
    },
    /// Cannot work as configured (no model, no program). [`IsolatedEngine::restart`] tries again.
    Failed(Error),
    /// Stopped for good.
    Stopped,
}

/// State and process number, changed together.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Status {
    state: EngineState,
    pid: Option<u32>,
}

/// What callers ask of the supervisor.
#[derive(Debug)]
enum Command {
    Complete {
        request: Box<CompletionRequest>,
        cancel: CancellationToken,
        events: mpsc::Sender<Result<Event, Error>>,
    },
    Count {
        request: CountRequest,
        tokens: oneshot::Sender<Result<u32, Error>>,
    },
    Embed {
        request: EmbedRequest,
        vectors: oneshot::Sender<Result<Embeddings, Error>>,
    },
    Restart,
}

/// The handle. Clones speak to the same child.
#[derive(Debug, Clone)]
pub struct IsolatedEngine {
    commands: mpsc::Sender<Command>,
    status: watch::Receiver<Status>,
    wait_for_start: Duration,
}

impl IsolatedEngine {
    /// A handle, and the supervisor that must be run for it to do anything.
    pub fn build(config: IsolateConfig) -> (Self, Supervisor) {
        let (commands, inbox) = mpsc::channel(COMMANDS);
        let (publish, status) = watch::channel(Status { state: EngineState::Starting, pid: None });
        let handle = Self { commands, status, wait_for_start: config.wait_for_start };
        (handle, Supervisor::new(config, inbox, publish))
    }

    /// Where the child stands now.
    pub fn state(&self) -> EngineState {
        self.status.borrow().state.clone()
    }

    /// The child's process number, while there is one.
    pub fn pid(&self) -> Option<u32> {
        self.status.borrow().pid
    }

    /// Returns when `wanted` holds of the state; an error when the supervisor is gone.
    pub async fn until(&self, mut wanted: impl FnMut(&EngineState) -> bool) -> Result<EngineState, Error> {
        let mut status = self.status.clone();
        let found = status.wait_for(|status| wanted(&status.state)).await;
        found.map(|status| status.state.clone()).map_err(|_| Error::EngineStopped)
    }

    /// Ends the present child, if any, and starts another now.
    pub async fn restart(&self) -> Result<(), Error> {
        self.send(Command::Restart).await
    }

    async fn ready(&self) -> Result<Capabilities, Error> {
        if self.commands.is_closed() {
            // The last state stays readable after a supervisor that was dropped; it is no longer true.
            return Err(Error::EngineStopped);
        }
        let settled =
            self.until(|state| !matches!(state, EngineState::Starting | EngineState::Restarting { .. }));
        match tokio::time::timeout(self.wait_for_start, settled).await {
            Err(_) => Err(Error::EngineStarting),
            Ok(Err(error)) => Err(error),
            Ok(Ok(EngineState::Ready(capabilities))) => Ok(capabilities),
            Ok(Ok(EngineState::Failed(error))) => Err(error),
            Ok(Ok(EngineState::Stopped)) => Err(Error::EngineStopped),
            Ok(Ok(EngineState::Starting | EngineState::Restarting { .. })) => Err(Error::EngineStarting),
        }
    }

    async fn send(&self, command: Command) -> Result<(), Error> {
        self.commands.send(command).await.map_err(|_| Error::EngineStopped)
    }

    async fn start(
        &self,
        request: CompletionRequest,
        cancel: CancellationToken,
    ) -> Result<EventStream, Error> {
        request.validate()?;
        let capabilities = tokio::select! {
            biased;
            () = cancel.cancelled() => return Err(Error::Cancelled),
            ready = self.ready() => ready?,
        };
        // Two events a token and four more: the supervisor never has to wait for a slow reader.
        let most = request.max_tokens.min(capabilities.context_tokens).saturating_mul(2).saturating_add(4);
        let (events, receiver) = mpsc::channel(usize::try_from(most).unwrap_or(usize::MAX).min(1 << 24));
        let cancel = cancel.child_token();
        let guard = cancel.clone().drop_guard();
        self.send(Command::Complete { request: Box::new(request), cancel, events }).await?;
        let mut receiver = ReceiverStream::new(receiver);
        match receiver.next().await {
            Some(Ok(first)) => Ok(guarded(first, receiver, guard)),
            Some(Err(error)) => Err(error),
            None => Err(Error::EngineStopped),
        }
    }
}

/// Puts the first event back, cancels when dropped, and never just stops: without a supervisor it ends in an error.
fn guarded(first: Event, rest: ReceiverStream<Result<Event, Error>>, guard: DropGuard) -> EventStream {
    let gone = futures::stream::once(async { Err(Error::EngineStopped) });
    let events = futures::stream::once(async move { Ok(first) }).chain(rest).chain(gone);
    events
        .scan((false, guard), |(over, _held_until_dropped), event| {
            let show = !*over;
            *over |= matches!(event, Ok(Event::Done { .. }) | Err(_));
            futures::future::ready(show.then_some(event))
        })
        .boxed()
}

impl Engine for IsolatedEngine {
    fn capabilities(&self) -> BoxFuture<'_, Result<Capabilities, Error>> {
        self.ready().boxed()
    }

    fn complete(
        &self,
        request: CompletionRequest,
        cancel: CancellationToken,
    ) -> BoxFuture<'_, Result<EventStream, Error>> {
        self.start(request, cancel).boxed()
    }

    fn count_tokens(&self, request: CountRequest) -> BoxFuture<'_, Result<u32, Error>> {
        async move {
            self.ready().await?;
            let (tokens, counted) = oneshot::channel();
            self.send(Command::Count { request, tokens }).await?;
            counted.await.map_err(|_| Error::EngineStopped)?
        }
        .boxed()
    }

    fn embed(&self, request: EmbedRequest) -> BoxFuture<'_, Result<Embeddings, Error>> {
        async move {
            request.validate()?;
            self.ready().await?;
            let (vectors, embedded) = oneshot::channel();
            self.send(Command::Embed { request, vectors }).await?;
            embedded.await.map_err(|_| Error::EngineStopped)?
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest() {
        let config = IsolateConfig::new("engine", ["x"]);
        let pauses: Vec<_> = [1, 2, 3, 7, 8, 40].map(|failures| config.pause(failures).as_millis()).into();
        assert_eq!(pauses, [250, 500, 1_000, 16_000, 30_000, 30_000]);
    }

    #[tokio::test]
    async fn without_a_supervisor_a_handle_says_stopped() {
        let (engine, supervisor) = IsolatedEngine::build(IsolateConfig::new("engine", ["x"]));
        drop(supervisor);
        assert_eq!(engine.capabilities().await, Err(Error::EngineStopped));
    }
}
