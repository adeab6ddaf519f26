//! The owner of the child: starts it, passes frames, and starts it again when it dies.

use std::time::Duration;

use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::child::Child;
use super::{Command, EngineState, IsolateConfig, Status};
use crate::frame::{PROTOCOL, Tell, decode};
use crate::{Capabilities, Error};

/// Cancellations being watched for; each yields its request's number.
type Watchers = FuturesUnordered<BoxFuture<'static, u64>>;

/// Runs the child for as long as [`Supervisor::run`] runs.
#[derive(Debug)]
pub struct Supervisor {
    config: IsolateConfig,
    inbox: mpsc::Receiver<Command>,
    status: watch::Sender<Status>,
    /// Failures since a child last finished an answer.
    failures: u32,
}

/// Why a life of the child is over.
enum End {
    Shutdown,
    /// Start again now.
    Restart,
    /// Start again after a pause.
    Died(String),
    /// Starting again would change nothing.
    Hopeless(Error),
}

impl Supervisor {
    pub(super) const fn new(
        config: IsolateConfig,
        inbox: mpsc::Receiver<Command>,
        status: watch::Sender<Status>,
    ) -> Self {
        Self { config, inbox, status, failures: 0 }
    }

    /// Supervises until `shutdown`, then ends the child.
    pub async fn run(mut self, shutdown: CancellationToken) -> Result<(), Error> {
        loop {
            let next = match self.live(&shutdown).await {
                End::Died(reason) => {
                    self.failures = self.failures.saturating_add(1);
                    let pause = self.config.pause(self.failures);
                    tracing::warn!(reason, ?pause, "engine child died");
                    self.publish(EngineState::Restarting { reason, pause }, None);
                    self.rest(Some(pause), &Error::EngineStarting, &shutdown).await
                }
                End::Hopeless(error) => {
                    tracing::error!(%error, "engine cannot work as configured");
                    self.publish(EngineState::Failed(error.clone()), None);
                    self.rest(None, &error, &shutdown).await
                }
                end @ (End::Shutdown | End::Restart) => end,
            };
            if matches!(next, End::Shutdown) {
                self.publish(EngineState::Stopped, None);
                return Ok(());
            }
        }
    }

    /// One child, from start to end.
    async fn live(&mut self, shutdown: &CancellationToken) -> End {
        let mut child = match Child::spawn(&self.config) {
            Ok(child) => child,
            Err(error) => return End::Hopeless(error),
        };
        self.publish(EngineState::Starting, child.pid());
        let end = match self.start(&mut child, shutdown).await {
            Ok(capabilities) => {
                self.publish(EngineState::Ready(capabilities), child.pid());
                self.serve(&mut child, shutdown).await
            }
            Err(end) => end,
        };
        if child.proved {
            self.failures = 0;
        }
        match &end {
            End::Died(reason) => child.fail_all(&Error::EngineCrashed { reason: reason.clone() }),
            End::Hopeless(error) => child.fail_all(error),
            End::Restart => child.fail_all(&Error::EngineCrashed { reason: "restarted on request".into() }),
            End::Shutdown => child.fail_all(&Error::EngineStopped),
        }
        match &end {
            // It is dead already, or does not do what it should: not to be waited for.
            End::Died(_) | End::Hopeless(_) => child.kill().await,
            End::Restart | End::Shutdown => child.stop().await,
        }
        end
    }

    /// Waits for the child's first line.
    async fn start(&mut self, child: &mut Child, shutdown: &CancellationToken) -> Result<Capabilities, End> {
        let deadline = Instant::now() + self.config.start_within;
        let mut errors_open = true;
        loop {
            tokio::select! {
                biased;
                () = shutdown.cancelled() => return Err(End::Shutdown),
                command = self.inbox.recv() => match command {
                    Some(Command::Restart) => return Err(End::Restart),
                    Some(command) => refuse(command, Error::EngineStarting),
                    None => return Err(End::Shutdown),
                },
                line = child.told.next() => return first_line(child, line).await,
                line = child.errors.next(), if errors_open => match line {
                    Some(Ok(line)) => child.remember(line),
                    Some(Err(_)) => {}
                    None => errors_open = false,
                },
                () = tokio::time::sleep_until(deadline) => {
                    return Err(End::Died(format!("not ready within {:?}", self.config.start_within)));
                }
            }
        }
    }

    /// Passes requests in and answers out until something ends it.
    async fn serve(&mut self, child: &mut Child, shutdown: &CancellationToken) -> End {
        let mut watchers = Watchers::new();
        let mut errors_open = true;
        let silence = self.config.silence;
        loop {
            let hangs_at = child.hangs_at(silence);
            tokio::select! {
                biased;
                () = shutdown.cancelled() => return End::Shutdown,
                Some(id) = watchers.next(), if !watchers.is_empty() => {
                    if let Err(error) = child.cancel(id) {
                        return End::Died(format!("it no longer reads: {error}"));
                    }
                }
                line = child.told.next() => match line {
                    Some(Ok(line)) => if let Err(error) = child.take(&line) {
                        return End::Died(error.to_string());
                    },
                    Some(Err(error)) => return End::Died(format!("unreadable output: {error}")),
                    None => return End::Died(child.obituary().await),
                },
                command = self.inbox.recv() => match command {
                    Some(Command::Complete { request, cancel, events }) => {
                        if let Some(id) = child.complete(*request, cancel.clone(), events) {
                            watchers.push(Box::pin(async move { cancel.cancelled().await; id }));
                        }
                    }
                    Some(Command::Count { request, tokens }) => child.count(request, tokens),
                    Some(Command::Embed { request, vectors }) => child.embed(request, vectors),
                    Some(Command::Restart) => return End::Restart,
                    None => return End::Shutdown,
                },
                line = child.errors.next(), if errors_open => match line {
                    Some(Ok(line)) => child.remember(line),
                    Some(Err(_)) => {}
                    None => errors_open = false,
                },
                () = sleep_until(hangs_at) => {
                    return End::Died(format!("no sign of life for {silence:?} with work to do"));
                }
            }
        }
    }

    /// No child: refuses everybody until the pause is over or somebody asks for a restart.
    async fn rest(&mut self, pause: Option<Duration>, refusal: &Error, shutdown: &CancellationToken) -> End {
        let until = pause.map(|pause| Instant::now() + pause);
        loop {
            tokio::select! {
                biased;
                () = shutdown.cancelled() => return End::Shutdown,
                command = self.inbox.recv() => match command {
                    Some(Command::Restart) => return End::Restart,
                    Some(command) => refuse(command, refusal.clone()),
                    None => return End::Shutdown,
                },
                () = sleep_until(until) => return End::Restart,
            }
        }
    }

    fn publish(&self, state: EngineState, pid: Option<u32>) {
        self.status.send_replace(Status { state, pid });
    }
}

async fn sleep_until(until: Option<Instant>) {
    match until {
        Some(until) => tokio::time::sleep_until(until).await,
        None => std::future::pending().await,
    }
}

fn refuse(command: Command, error: Error) {
    match command {
        // In both cases a caller that stopped waiting need not be told.
        Command::Complete { events, .. } => drop(events.try_send(Err(error))),
        Command::Count { tokens, .. } => drop(tokens.send(Err(error))),
        Command::Embed { vectors, .. } => drop(vectors.send(Err(error))),
        Command::Restart => {}
    }
}

async fn first_line(
    child: &mut Child,
    line: Option<Result<String, tokio_util::codec::LinesCodecError>>,
) -> Result<Capabilities, End> {
    match line {
        Some(Ok(line)) => match decode::<Tell>(&line) {
            Ok(Tell::Ready { protocol: PROTOCOL, capabilities }) => Ok(capabilities),
            Ok(Tell::Ready { protocol, .. }) => Err(End::Hopeless(Error::protocol(format!(
                "the engine's program speaks version {protocol} of the frames, this one {PROTOCOL}"
            )))),
            Ok(Tell::Failed { error }) if !error.is_retryable() => Err(End::Hopeless(error)),
            Ok(Tell::Failed { error }) => Err(End::Died(error.to_string())),
            Ok(
                Tell::Step { .. }
                | Tell::Counted { .. }
                | Tell::Embedded { .. }
                | Tell::Alive
                | Tell::Refused { .. },
            ) => Err(End::Died("the child spoke before it was ready".into())),
            Err(error) => Err(End::Died(error.to_string())),
        },
        Some(Err(error)) => Err(End::Died(format!("unreadable output: {error}"))),
        None => Err(End::Died(child.obituary().await)),
    }
}
