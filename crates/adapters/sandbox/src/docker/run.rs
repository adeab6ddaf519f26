//! One job in one container: create it, feed it, drain it, await its death, hear its last word.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use bollard::Docker as Client;
use bollard::container::{AttachContainerResults, LogOutput};
use bollard::models::ContainerCreateBody;
use bollard::query_parameters::{
    AttachContainerOptionsBuilder, EventsOptionsBuilder, KillContainerOptionsBuilder,
};
use edgecoder_base::Level;
use futures::{Stream, StreamExt};
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::container::{Room, body};
use super::daemon::{Docker, remove};
use super::tree::Tree;
use super::wire::{self, BoxLaunch, Channel, Frames, MAX_OUTCOME_BYTES};
use super::{asking, image};
use crate::config::Config;
use crate::error::Error;
use crate::execution::{Exit, FLOOD_FACTOR, Job, Output, Report};
use crate::launch::{Failure, LaunchSpec, Layers, Outcome, Stage};
use crate::output::Keeper;

/// Pieces of the tree on their way.
const PIECES: usize = 4;
/// The box keeps the wall-clock limit itself; this is for one that does not come to it.
const GRACE: Duration = Duration::from_secs(15);
/// From the order to kill to the end of the streams, and from there to the event of the death.
const DYING: Duration = Duration::from_secs(60);
/// What is kept of the box's own complaints.
const COMPLAINT_BYTES: usize = 16 * 1024;
/// Events are asked for from a little before, so that none can slip between.
const EARLIER: Duration = Duration::from_secs(2);
const FIX: &str = "see the check-up (`edgecoder doctor`), or set sandbox mode `process`";

/// A container that exists until this is dropped.
struct Container {
    client: Client,
    id: String,
    cleaning: TaskTracker,
    gone: bool,
}

impl Drop for Container {
    fn drop(&mut self) {
        if !self.gone && tokio::runtime::Handle::try_current().is_ok() {
            let (client, id) = (self.client.clone(), std::mem::take(&mut self.id));
            self.cleaning.spawn(async move { remove(&client, &id).await });
        }
        // Without a runtime the process is ending, the input of the box with it, and the next node sweeps.
    }
}

type Input = Pin<Box<dyn AsyncWrite + Send>>;
type Heard = Pin<Box<dyn Stream<Item = Result<LogOutput, bollard::errors::Error>> + Send>>;

/// Why the node ended the run.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stop {
    Cancelled,
    Overdue,
}

/// What came over the streams.
struct Said {
    stdout: Keeper,
    stderr: Keeper,
    complaints: Keeper,
    outcome: Vec<u8>,
}

pub(crate) async fn run(
    docker: &Arc<Docker>,
    config: &Config,
    job: &Job,
    attempt: Option<&str>,
    cancel: &CancellationToken,
) -> Result<Report, Error> {
    // The image has tool chains of its own.
    let bare = Config { tool_chains: Vec::new(), path: Vec::new(), ..config.clone() };
    let launch = LaunchSpec::new(&bare, job)?;
    let started = Instant::now();
    let prepared = tokio::select! {
        biased;
        () = cancel.cancelled() => return Err(Error::Cancelled),
        prepared = prepare(docker, job, launch, attempt) => prepared?,
    };
    let Prepared { container, level, tree, announced } = prepared;
    let since = SystemTime::now().checked_sub(EARLIER).unwrap_or(SystemTime::UNIX_EPOCH);
    let attached = attach(&container).await?;
    container.client.start_container(&container.id, None).await.map_err(asking("starting the container"))?;
    let (stop, said) = converse(&container, attached, announced, tree, job, cancel).await;
    died(container, since).await?;
    match stop {
        Some(Stop::Cancelled) => Err(Error::Cancelled),
        stop => conclude(config, level, stop, said, started),
    }
}

struct Prepared {
    container: Container,
    level: Level,
    tree: Tree,
    announced: Vec<u8>,
}

/// Everything before the container starts. Dropped on the way it leaves at most a container that never ran.
async fn prepare(
    docker: &Docker,
    job: &Job,
    launch: LaunchSpec,
    attempt: Option<&str>,
) -> Result<Prepared, Error> {
    let daemon = docker.daemon().await?;
    if daemon.level < job.min_level {
        return Err(Error::Unavailable {
            reason: format!("the work asks for level {}, this daemon gives {}", job.min_level, daemon.level),
            fix: "run a rootless dockerd, or set sandbox mode `process`",
        });
    }
    let image = image::choose(docker.config().image.as_deref(), &job.root).to_owned();
    let image = image::resolve(&daemon.client, &image).await?;
    let unreadable = |error: io::Error| Error::InvalidJob(format!("the tree cannot be read: {error}"));
    let copy = job.clone();
    let tree = tokio::task::spawn_blocking(move || Tree::of(&copy))
        .await
        .map_err(|error| Error::Scratch(io::Error::other(error)))?
        .map_err(unreadable)?;
    let room = Room { bytes: tree.bytes(), inodes: tree.count() };
    let body = body(&image, &launch.limits, room, docker.owner().labels(attempt));
    let flood_bytes = (job.limits.output_bytes as u64).saturating_mul(FLOOD_FACTOR);
    let announced = wire::announce(&BoxLaunch { launch, flood_bytes, level: daemon.level })
        .map_err(|error| Error::InvalidJob(error.to_string()))?;
    let container = create(daemon.client.clone(), docker.cleaning.clone(), body).await?;
    Ok(Prepared { container, level: daemon.level, tree, announced })
}

/// Goes on when nobody waits any more: a request that is given up may still be granted, and then what it made has no
/// owner.
async fn create(
    client: Client,
    cleaning: TaskTracker,
    body: ContainerCreateBody,
) -> Result<Container, Error> {
    let (answer, answered) = oneshot::channel();
    let owner = cleaning.clone();
    cleaning.spawn(async move {
        let created = client.create_container(None, body).await.map_err(refused);
        let container = created.map(|created| {
            for warning in created.warnings {
                tracing::debug!(warning, "the daemon warned while creating a container");
            }
            Container { client, id: created.id, cleaning: owner, gone: false }
        });
        // Not taken, it is dropped, and thereby removed.
        drop(answer.send(container));
    });
    let lost = |_gone| Error::Launcher {
        doing: "creating the container",
        source: io::ErrorKind::Interrupted.into(),
    };
    answered.await.map_err(lost)?
}

/// What the daemon will not do here it will not do tomorrow either.
fn refused(error: bollard::errors::Error) -> Error {
    if let bollard::errors::Error::DockerResponseServerError { status_code: 400..=499, message } = &error {
        return Error::Unavailable {
            reason: format!("the daemon refuses the container: {message}"),
            fix: FIX,
        };
    }
    asking("creating the container")(error)
}

async fn attach(container: &Container) -> Result<AttachContainerResults, Error> {
    let options =
        AttachContainerOptionsBuilder::new().stream(true).stdin(true).stdout(true).stderr(true).build();
    let attached = container.client.attach_container(&container.id, Some(options)).await;
    attached.map_err(asking("attaching to the container"))
}

/// Feeds, listens and watches until the streams end.
async fn converse(
    container: &Container,
    attached: AttachContainerResults,
    announced: Vec<u8>,
    tree: Tree,
    job: &Job,
    cancel: &CancellationToken,
) -> (Option<Stop>, Said) {
    let AttachContainerResults { output, input } = attached;
    let (ended, killed) = (CancellationToken::new(), Notify::new());
    let most =
        usize::try_from(MAX_OUTCOME_BYTES.saturating_add(job.limits.artefact_bytes)).unwrap_or(usize::MAX);
    let listening = async {
        let mut said = Said::new(job.limits.output_bytes);
        let deadly = async {
            killed.notified().await;
            tokio::time::sleep(DYING).await;
        };
        tokio::select! {
            biased;
            () = said.listen(output, most) => {}
            () = deadly => tracing::warn!(id = container.id, "a killed container holds its streams open"),
        }
        ended.cancel();
        said
    };
    let steering = async {
        let stop = tokio::select! {
            biased;
            () = ended.cancelled() => return None,
            () = cancel.cancelled() => Stop::Cancelled,
            () = tokio::time::sleep(job.limits.wall.saturating_add(GRACE)) => Stop::Overdue,
        };
        kill(container).await;
        killed.notify_one();
        Some(stop)
    };
    // The input is held open until the end: closing it tells the box to end the run.
    let (stop, said, _input) = tokio::join!(steering, listening, feed(input, announced, tree, &ended));
    (stop, said)
}

async fn kill(container: &Container) {
    let options = KillContainerOptionsBuilder::new().signal("KILL").build();
    if let Err(error) = container.client.kill_container(&container.id, Some(options)).await {
        tracing::debug!(%error, id = container.id, "the container ended before it was killed");
    }
}

/// Sends the launch and the tree, then waits. What cannot be sent any more the box will have had a reason for, and a
/// tree that cannot be read ends its input.
async fn feed(mut input: Input, announced: Vec<u8>, tree: Tree, ended: &CancellationToken) -> Option<Input> {
    let (sink, mut pieces) = mpsc::channel(PIECES);
    let reading = tokio::task::spawn_blocking(move || tree.send(&sink));
    let sending = async {
        input.write_all(&announced).await?;
        while let Some(piece) = pieces.recv().await {
            input.write_all(&piece).await?;
        }
        input.flush().await
    };
    let sent = tokio::select! {
        biased;
        () = ended.cancelled() => return None,
        sent = sending => sent,
    };
    drop(pieces);
    let read = reading.await.unwrap_or_else(|error| Err(io::Error::other(error)));
    if let Err(error) = sent.and(read) {
        tracing::debug!(%error, "the tree was not sent whole");
        return None;
    }
    ended.cancelled().await;
    Some(input)
}

impl Said {
    fn new(limit: usize) -> Self {
        Self {
            stdout: Keeper::new(limit),
            stderr: Keeper::new(limit),
            complaints: Keeper::new(COMPLAINT_BYTES),
            outcome: Vec::new(),
        }
    }

    /// Takes everything that is said until nobody speaks any more, keeping what is bounded.
    async fn listen(&mut self, mut output: Heard, most: usize) {
        let mut frames = Frames::default();
        while let Some(Ok(piece)) = output.next().await {
            match piece {
                LogOutput::StdOut { message } => {
                    let taken = frames.push(&message, |channel, bytes| match channel {
                        Channel::Stdout => self.stdout.take(bytes),
                        Channel::Stderr => self.stderr.take(bytes),
                        Channel::Outcome => {
                            let room = most.saturating_sub(self.outcome.len());
                            self.outcome.extend_from_slice(&bytes[..bytes.len().min(room)]);
                        }
                    });
                    if let Err(error) = taken {
                        // Only an image whose box is not ours speaks so; the end of its input ends it.
                        tracing::warn!(%error, "a container speaks nonsense");
                        return;
                    }
                }
                LogOutput::StdErr { message } => self.complaints.take(&message),
                LogOutput::StdIn { .. } | LogOutput::Console { .. } => {}
            }
        }
    }
}

/// Waits for the event of the death, so that whoever is answered knows that nothing is left alive.
async fn died(mut container: Container, since: SystemTime) -> Result<(), Error> {
    let seconds = since.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    let filters = [("container", vec![container.id.as_str()]), ("event", vec!["die"])].into();
    let options = EventsOptionsBuilder::new().since(&seconds.to_string()).filters(&filters).build();
    let mut events = Box::pin(container.client.events(Some(options)));
    match tokio::time::timeout(DYING, events.next()).await {
        Ok(Some(Ok(_died))) => {
            // The daemon removes what died; asked again, for one that was told otherwise.
            container.gone = true;
            Ok(())
        }
        Ok(Some(Err(error))) => Err(asking("awaiting the death of the container")(error)),
        Ok(None) | Err(_) => Err(Error::Launcher {
            doing: "awaiting the death of the container",
            source: io::ErrorKind::TimedOut.into(),
        }),
    }
}

fn conclude(
    config: &Config,
    contained: Level,
    stop: Option<Stop>,
    said: Said,
    started: Instant,
) -> Result<Report, Error> {
    let Said { stdout, stderr, complaints, outcome } = said;
    let (stdout, stderr) = (stdout.finish(), stderr.finish());
    let (outcome, artefacts) = match Outcome::read(&mut &*outcome) {
        Ok(read) => read,
        // Killed by us because it did not keep its own limit, so it said nothing of its layers.
        Err(_) if stop == Some(Stop::Overdue) => return Ok(overdue(contained, stdout, stderr, started)),
        Err(_) => return Err(Error::NoReport { said: complaints.finish().text() }),
    };
    match outcome {
        Outcome::Failed(failure @ Failure { stage: Stage::Host, .. }) => {
            Err(Error::Unavailable { reason: failure.to_string(), fix: FIX })
        }
        Outcome::Failed(failure @ Failure { stage: Stage::Job, .. }) => {
            Err(Error::InvalidJob(failure.to_string()))
        }
        Outcome::Ended { exit, layers, .. } => {
            let level = level(contained, &layers);
            let wall = started.elapsed();
            Ok(Report {
                exit,
                stdout,
                stderr,
                wall,
                level,
                degraded: degraded(&layers, config),
                layers: Some(layers),
                artefacts,
            })
        }
    }
}

fn overdue(level: Level, stdout: Output, stderr: Output, started: Instant) -> Report {
    Report {
        exit: Exit::WallTimeout,
        stdout,
        stderr,
        wall: started.elapsed(),
        level,
        degraded: vec![
            "limits: the box did not keep the wall-clock limit, the node killed the container".to_owned(),
        ],
        layers: None,
        artefacts: Vec::new(),
    }
}

/// What `contained` is worth with these layers: unbounded memory is no better for being in a container.
pub(super) fn level(contained: Level, layers: &Layers) -> Level {
    let bounded = layers.memory_cgroup.is_some() && layers.pids_cgroup.is_some();
    if bounded { contained } else { Level::S2.min(contained) }
}

/// As with our own launcher; the tree is sent here, so there is no overlay to miss.
fn degraded(layers: &Layers, config: &Config) -> Vec<String> {
    Layers { overlay: true, ..layers.clone() }.degraded(config.millicores)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(contained: Level, memory: Option<u8>, pids: Option<u8>, expected: Level, notes: usize) {
        let layers = Layers {
            memory_cgroup: memory,
            pids_cgroup: pids,
            cpu_cgroup: Some(1),
            landlock_abi: Some(7),
            proc_mounted: true,
            lock_isolation: true,
            ..Layers::default()
        };
        assert_eq!(level(contained, &layers), expected);
        assert_eq!(degraded(&layers, &Config::default()).len(), notes);
    }

    #[test]
    fn a_container_without_bounds_is_worth_less() {
        check(Level::D2, Some(1), Some(1), Level::D2, 0);
        check(Level::D3, Some(2), Some(2), Level::D3, 0);
        check(Level::D3, None, Some(2), Level::S2, 1);
        check(Level::D2, None, None, Level::S2, 2);
    }
}
