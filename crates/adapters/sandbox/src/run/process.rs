//! The node's end of a confined run: start the launcher, feed it, drain it, hear its last word.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::Stdio;
use std::time::Instant;

use futures::future::BoxFuture;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::process::{Child, Command};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::error::Error;
use crate::execution::{Exit, Job, Output, Report};
use crate::launch::{Failure, LaunchSpec, Outcome, Stage};
use crate::output::drain;
use crate::run::{Sandbox, gate};
use crate::shown::Workshop;
use gate::Meter;

/// Longest last word the launcher may send, besides artefacts: the names of a thousand.
const MAX_OUTCOME_BYTES: u64 = 4 * 1024 * 1024;
/// How to get a sandbox where the kernel or its administrator refuses one.
const FIX: &str = "allow unprivileged user namespaces for edgecoder-jail (on Ubuntu its AppArmor profile), \
                   run the node as root, or set sandbox mode `none` for your own work";

/// Why the node told the launcher to stop.
#[derive(Clone, Copy)]
enum Stop {
    Cancelled,
    Flood,
}

pub(super) async fn run(
    sandbox: &Sandbox,
    job: &Job,
    workshop: Option<(&Workshop, &Meter)>,
    cancel: &CancellationToken,
) -> Result<Report, Error> {
    let faults = sandbox.faults.clone();
    let spec = LaunchSpec { faults, workshop: workshop.is_some(), ..LaunchSpec::new(&sandbox.config, job)? };
    let frame = spec.frame(job)?;
    let started = Instant::now();
    let (mut child, control) = start(&sandbox.launcher, Stdio::piped())?;
    let (listen, speak) = control.into_split();
    let (flood, heard) = (Notify::new(), Notify::new());
    let limit = job.limits.output_bytes;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let streams = async {
        let (Some(stdout), Some(stderr)) = (stdout, stderr) else { return Ok(Default::default()) };
        let stay = CancellationToken::new();
        tokio::try_join!(drain(stdout, limit, &flood, &stay), drain(stderr, limit, &flood, &stay))
    };
    // The launcher reaps everything before it ends, so the streams end with it.
    let (stop, said, streams) = tokio::join!(
        steer(speak, frame, cancel, &flood, &heard),
        async {
            let said = last_word(listen, job.limits.artefact_bytes, workshop).await;
            heard.notify_one();
            said
        },
        streams
    );
    let talking = |source| Error::Launcher { doing: "draining the output", source };
    let (stdout, stderr) = streams.map_err(talking)?;
    child.wait().await.map_err(|source| Error::Launcher { doing: "awaiting the end", source })?;
    if matches!(stop, Some(Stop::Cancelled)) {
        return Err(Error::Cancelled);
    }
    conclude(&sandbox.config, &said, stop, (stdout, stderr), started)
}

/// Starts the launcher with an empty environment and a socket as standard input. Without anything to be done
/// between fork and exec the standard library spawns it by `vfork`, so the node's memory is never copied.
fn start(launcher: &Path, stdout: Stdio) -> Result<(Child, UnixStream), Error> {
    let (ours, theirs) = pair().map_err(|source| Error::Launcher { doing: "opening the socket", source })?;
    let child = Command::new(launcher)
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::from(theirs))
        .stdout(stdout)
        .stderr(Stdio::piped())
        .spawn();
    match child {
        Ok(child) => Ok((child, ours)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(Error::Unavailable {
            reason: format!("the launcher {} is missing", launcher.display()),
            fix: "install edgecoder-jail beside the edgecoder program, or set `sandbox.jail`",
        }),
        Err(source) => Err(Error::Launcher { doing: "the start", source }),
    }
}

/// Our end of a socket, and one to give away.
fn pair() -> io::Result<(UnixStream, OwnedFd)> {
    let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
    ours.set_nonblocking(true)?;
    Ok((UnixStream::from_std(ours)?, OwnedFd::from(theirs)))
}

/// The stream to a command that is talked with, and its end: awaited for the report, dropped to kill it.
pub(super) fn converse(
    sandbox: &Sandbox,
    job: &Job,
    cancel: CancellationToken,
) -> Result<(UnixStream, BoxFuture<'static, Result<Report, Error>>), Error> {
    let faults = sandbox.faults.clone();
    let spec = LaunchSpec { faults, spoken: true, ..LaunchSpec::new(&sandbox.config, job)? };
    let frame = spec.frame(job)?;
    let talking = |source| Error::Launcher { doing: "talking with the command", source };
    let (stream, theirs) = pair().map_err(talking)?;
    let started = Instant::now();
    let (mut child, control) = start(&sandbox.launcher, Stdio::from(theirs))?;
    let (config, limits) = (sandbox.config.clone(), job.limits);
    let end = async move {
        let (listen, speak) = control.into_split();
        let (flood, heard, stay) = (Notify::new(), Notify::new(), CancellationToken::new());
        let stderr = child.stderr.take();
        let complaints = async {
            match stderr {
                Some(stderr) => drain(stderr, limits.output_bytes, &flood, &stay).await,
                None => Ok(Output::default()),
            }
        };
        let word = async {
            let said = last_word(listen, limits.artefact_bytes, None).await;
            heard.notify_one();
            said
        };
        let (stop, said, complaints) =
            tokio::join!(steer(speak, frame, &cancel, &flood, &heard), word, complaints);
        let complaints = complaints.map_err(talking)?;
        child.wait().await.map_err(talking)?;
        if matches!(stop, Some(Stop::Cancelled)) {
            return Err(Error::Cancelled);
        }
        conclude(&config, &said, stop, (Output::default(), complaints), started)
    };
    Ok((stream, Box::pin(end)))
}

/// Sends the launch, then holds the socket open until the run ends or must end. Closing our half of the
/// socket, by whatever cause, tells the launcher to kill everything.
async fn steer(
    mut speak: OwnedWriteHalf,
    frame: Vec<u8>,
    cancel: &CancellationToken,
    flood: &Notify,
    heard: &Notify,
) -> Option<Stop> {
    let sent = tokio::select! {
        biased;
        () = cancel.cancelled() => return Some(Stop::Cancelled),
        sent = speak.write_all(&frame) => sent,
    };
    if let Err(error) = sent {
        // The launcher is gone; its last word, or the lack of one, says why.
        tracing::debug!(%error, "the launcher stopped listening");
        return None;
    }
    tokio::select! {
        biased;
        () = cancel.cancelled() => Some(Stop::Cancelled),
        () = flood.notified() => Some(Stop::Flood),
        () = heard.notified() => None,
    }
}

/// The outcome and the bytes of the artefacts, as the launcher sends them when everything is dead.
/// In a workshop the gate is served meanwhile.
async fn last_word(
    mut listen: OwnedReadHalf,
    artefact_bytes: u64,
    workshop: Option<(&Workshop, &Meter)>,
) -> io::Result<Vec<u8>> {
    let mut said = Vec::new();
    let mut serving = None;
    if let Some((workshop, meter)) = workshop {
        let (first, listener) = gate::listener(listen.as_ref()).await?;
        said = first;
        serving = listener.map(|listener| gate::serve(listener, workshop, meter));
    }
    let mut rest = (&mut listen).take(MAX_OUTCOME_BYTES.saturating_add(artefact_bytes));
    let heard = rest.read_to_end(&mut said);
    match serving {
        Some(serving) => tokio::select! {
            heard = heard => heard?,
            () = serving => 0,
        },
        None => heard.await?,
    };
    Ok(said)
}

fn conclude(
    config: &Config,
    said: &io::Result<Vec<u8>>,
    stop: Option<Stop>,
    (stdout, stderr): (Output, Output),
    started: Instant,
) -> Result<Report, Error> {
    let said = said.as_ref().map(Vec::as_slice).unwrap_or_default();
    let Ok((outcome, artefacts)) = Outcome::read(&mut &*said) else {
        return Err(Error::NoReport { said: stderr.text() });
    };
    match outcome {
        Outcome::Failed(failure @ Failure { stage: Stage::Host, .. }) => {
            Err(Error::Unavailable { reason: failure.to_string(), fix: FIX })
        }
        Outcome::Failed(failure @ Failure { stage: Stage::Job, .. }) => {
            Err(Error::InvalidJob(failure.to_string()))
        }
        Outcome::Ended { exit, layers, .. } => Ok(Report {
            exit: if matches!(stop, Some(Stop::Flood)) { Exit::OutputFlood } else { exit },
            stdout,
            stderr,
            wall: started.elapsed(),
            level: layers.level(),
            degraded: layers.degraded(config.millicores),
            layers: Some(layers),
            artefacts,
        }),
    }
}
