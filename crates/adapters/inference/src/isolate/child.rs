//! One life of the child: its process, its pipes, and what is in flight in it.

use std::collections::HashMap;
use std::process::Stdio;
use std::time::Duration;

use futures::StreamExt;
use tokio::io::AsyncWriteExt;
use tokio::process::{ChildStderr, ChildStdin, ChildStdout};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::codec::{FramedRead, LinesCodec};
use tokio_util::sync::CancellationToken;

use super::IsolateConfig;
use crate::frame::{Ask, MAX_LINE_BYTES, Tell, decode, encode};
use crate::{Embeddings, Error, Event};

/// Lines on their way into the child. It reads at every step, so a full queue means that it hangs.
const OUTBOX_LINES: usize = 256;
/// Longest line of the child's error output that is kept as its last words.
const LAST_WORDS_BYTES: usize = 4096;
/// How long a child that closed its pipes may take to exit.
const EXIT_WITHIN: Duration = Duration::from_secs(2);

/// Whoever waits for answers of the child.
#[derive(Debug)]
enum Waiter {
    Events { to: mpsc::Sender<Result<Event, Error>>, cancel: CancellationToken },
    Tokens(oneshot::Sender<Result<u32, Error>>),
    Vectors(oneshot::Sender<Result<Embeddings, Error>>),
}

/// A running child. Dropping it kills the process.
#[derive(Debug)]
pub(super) struct Child {
    process: tokio::process::Child,
    pub(super) told: FramedRead<ChildStdout, LinesCodec>,
    pub(super) errors: FramedRead<ChildStderr, LinesCodec>,
    /// Closing it closes the child's standard input, which ends the child.
    outbox: mpsc::Sender<String>,
    /// Holds the writer; ends with this life.
    _writer: JoinSet<()>,
    waiters: HashMap<u64, Waiter>,
    /// When it last said anything, or was given work after having had none.
    heard_at: Instant,
    next_id: u64,
    last_words: String,
    /// Whether it ever finished an answer: then its next failure is the first again.
    pub(super) proved: bool,
}

impl Child {
    pub(super) fn spawn(config: &IsolateConfig) -> Result<Self, Error> {
        let missing =
            |reason: String| Error::EngineMissing { command: config.command.display().to_string(), reason };
        let mut process = tokio::process::Command::new(&config.command)
            .args(&config.args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| missing(error.to_string()))?;
        let (Some(stdin), Some(stdout), Some(stderr)) =
            (process.stdin.take(), process.stdout.take(), process.stderr.take())
        else {
            return Err(missing("it has no pipes".into()));
        };
        let (outbox, lines) = mpsc::channel(OUTBOX_LINES);
        let mut writer = JoinSet::new();
        writer.spawn(write_lines(stdin, lines));
        Ok(Self {
            process,
            told: FramedRead::new(stdout, LinesCodec::new_with_max_length(MAX_LINE_BYTES)),
            errors: FramedRead::new(stderr, LinesCodec::new_with_max_length(LAST_WORDS_BYTES)),
            outbox,
            _writer: writer,
            waiters: HashMap::new(),
            heard_at: Instant::now(),
            next_id: 0,
            last_words: String::new(),
            proved: false,
        })
    }

    pub(super) fn pid(&self) -> Option<u32> {
        self.process.id()
    }

    /// Sends a request in. Answers its number, for the watcher of its cancellation.
    pub(super) fn complete(
        &mut self,
        request: crate::CompletionRequest,
        cancel: CancellationToken,
        to: mpsc::Sender<Result<Event, Error>>,
    ) -> Option<u64> {
        let id = self.take_id();
        match self.post(&Ask::Complete { id, request }) {
            Ok(()) => {
                self.wait(id, Waiter::Events { to, cancel });
                Some(id)
            }
            Err(error) => {
                // Nobody listening is nobody to tell.
                let _ = to.try_send(Err(error));
                None
            }
        }
    }

    pub(super) fn count(&mut self, request: crate::CountRequest, to: oneshot::Sender<Result<u32, Error>>) {
        let id = self.take_id();
        match self.post(&Ask::Count { id, request }) {
            Ok(()) => self.wait(id, Waiter::Tokens(to)),
            // Nobody listening is nobody to tell.
            Err(error) => drop(to.send(Err(error))),
        }
    }

    pub(super) fn embed(
        &mut self,
        request: crate::EmbedRequest,
        to: oneshot::Sender<Result<Embeddings, Error>>,
    ) {
        let id = self.take_id();
        match self.post(&Ask::Embed { id, request }) {
            Ok(()) => self.wait(id, Waiter::Vectors(to)),
            // As above.
            Err(error) => drop(to.send(Err(error))),
        }
    }

    /// When its silence becomes a hang; `None` while nobody waits for it.
    pub(super) fn hangs_at(&self, silence: Duration) -> Option<Instant> {
        if self.waiters.is_empty() { None } else { Some(self.heard_at + silence) }
    }

    /// Asks the child to free the slot. The answer's `Done` comes back like any other.
    pub(super) fn cancel(&mut self, id: u64) -> Result<(), Error> {
        if self.waiters.contains_key(&id) { self.post(&Ask::Cancel { id }) } else { Ok(()) }
    }

    /// Passes one line of the child on to whom it concerns; anything unexpected is an error.
    pub(super) fn take(&mut self, line: &str) -> Result<(), Error> {
        self.heard_at = Instant::now();
        match decode::<Tell>(line)? {
            Tell::Alive => {}
            Tell::Step { id, event } => self.pass_event(id, event),
            Tell::Counted { id, tokens } => {
                if let Some(Waiter::Tokens(to)) = self.waiters.remove(&id) {
                    // The caller may have stopped waiting.
                    let _ = to.send(Ok(tokens));
                }
            }
            Tell::Embedded { id, embeddings } => {
                if let Some(Waiter::Vectors(to)) = self.waiters.remove(&id) {
                    // As above.
                    let _ = to.send(Ok(embeddings));
                }
            }
            Tell::Refused { id: Some(id), error } => self.fail(id, error),
            Tell::Refused { id: None, error } => return Err(error),
            Tell::Ready { .. } => return Err(Error::protocol("the child was ready twice")),
            Tell::Failed { error } => return Err(error),
        }
        Ok(())
    }

    pub(super) fn remember(&mut self, line: String) {
        tracing::debug!(line, "engine");
        if !line.trim().is_empty() {
            self.last_words = line;
        }
    }

    /// Waits for the end of a child whose output ended, and tells how it ended.
    pub(super) async fn obituary(&mut self) -> String {
        let status = match tokio::time::timeout(EXIT_WITHIN, self.process.wait()).await {
            Ok(Ok(status)) => status.to_string(),
            Ok(Err(error)) => format!("unknown exit: {error}"),
            Err(_) => "closed its output without exiting".into(),
        };
        while let Ok(Some(Ok(line))) = tokio::time::timeout(EXIT_WITHIN, self.errors.next()).await {
            self.remember(line);
        }
        if self.last_words.is_empty() { status } else { format!("{status}: {}", self.last_words) }
    }

    /// Tells everybody in flight, once.
    pub(super) fn fail_all(&mut self, error: &Error) {
        let ids: Vec<_> = self.waiters.keys().copied().collect();
        for id in ids {
            self.fail(id, error.clone());
        }
    }

    /// Lets the child end by itself, then makes sure.
    pub(super) async fn stop(mut self) {
        self.fail_all(&Error::EngineStopped);
        let Self { mut process, outbox, .. } = self;
        drop(outbox);
        if tokio::time::timeout(EXIT_WITHIN, process.wait()).await.is_err()
            && let Err(error) = process.kill().await
        {
            tracing::warn!(%error, "engine child was not killed");
        }
    }

    /// Ends a child that is not to be waited for.
    pub(super) async fn kill(mut self) {
        if let Err(error) = self.process.kill().await {
            tracing::warn!(%error, "engine child was not killed");
        }
    }

    fn wait(&mut self, id: u64, waiter: Waiter) {
        if self.waiters.is_empty() {
            self.heard_at = Instant::now();
        }
        self.waiters.insert(id, waiter);
    }

    fn take_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    fn post(&mut self, ask: &Ask) -> Result<(), Error> {
        self.outbox.try_send(encode(ask)?).map_err(|_| Error::Overloaded)
    }

    fn pass_event(&mut self, id: u64, event: Event) {
        let done = matches!(event, Event::Done { .. });
        self.proved |= done;
        if let Some(Waiter::Events { to, .. }) = self.waiters.get(&id) {
            // A caller that left has cancelled; its `Done` is on the way.
            let _ = to.try_send(Ok(event));
        }
        if done && let Some(Waiter::Events { cancel, .. }) = self.waiters.remove(&id) {
            cancel.cancel();
        }
    }

    fn fail(&mut self, id: u64, error: Error) {
        match self.waiters.remove(&id) {
            Some(Waiter::Events { to, cancel }) => {
                // As above: nobody listening is nobody to tell.
                let _ = to.try_send(Err(error));
                cancel.cancel();
            }
            Some(Waiter::Tokens(to)) => drop(to.send(Err(error))),
            Some(Waiter::Vectors(to)) => drop(to.send(Err(error))),
            None => {}
        }
    }
}

async fn write_lines(mut stdin: ChildStdin, mut lines: mpsc::Receiver<String>) {
    while let Some(line) = lines.recv().await {
        // A broken pipe shows on the reading side as the child's end, with the reason.
        if stdin.write_all(line.as_bytes()).await.is_err() || stdin.flush().await.is_err() {
            return;
        }
    }
}
