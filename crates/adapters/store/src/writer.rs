//! The one writer of a process. It owns the connection that writes and the end of the ledger; everybody else
//! sends it commands. What arrives during a commit shares the next one.

use std::sync::Arc;
use std::time::Duration;

use edgecoder_base::Timestamp;
use edgecoder_ledger::Head;
use edgecoder_protocol::ledger::{Checkpoint, Entry};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

use crate::Error;
use crate::backend::Backend;
use crate::bell::{Doorbell, Pulse};
use crate::command::{Author, Command, Job, Reply};
use crate::known::Known;
use crate::nonces::Nonces;
use crate::unit::Unit;

/// Commands of one commit at most: bounds how long the first waits for the last.
const MAX_BATCH: usize = 256;
/// Commits that as many commands shared let the next wait a little for company: a page that several of them change
/// is then written once, and the disk is asked once.
const LINGER_FROM: usize = 4;
const LINGER: Duration = Duration::from_micros(150);
/// Tries of one commit when another process's writer gets in between.
const MAX_TRIES: u32 = 5;
/// Spent nonces of requests that wanted nothing written are written after this.
const NONCES_WAIT: Duration = Duration::from_millis(50);

pub(crate) struct Writer<B> {
    backend: B,
    author: Author,
    /// The end of our chain; none when it must be read again.
    head: Option<Head>,
    nonces: Nonces,
    /// Commands of the last commit.
    shared: usize,
    hints: Hints,
}

/// What others learn of commits.
#[derive(Debug, Clone, Default)]
pub(crate) struct Hints {
    pub(crate) bell: Arc<Doorbell>,
    pub(crate) pulse: Arc<watch::Sender<Pulse>>,
    pub(crate) known: Arc<Known>,
}

impl<B: Backend> Writer<B> {
    pub(crate) async fn open(mut backend: B, author: Author, hints: Hints) -> Result<Self, Error> {
        let head = backend.head(&author.id).await?;
        hints.pulse.send_modify(|pulse| pulse.sequence = head.sequence);
        let nonces = Nonces::read(backend.nonces().await?);
        Ok(Self { backend, author, head: Some(head), nonces, shared: 0, hints })
    }

    /// Runs until every sender is gone.
    pub(crate) async fn run(mut self, mut jobs: mpsc::Receiver<Job>) {
        let mut batch = Vec::with_capacity(MAX_BATCH);
        loop {
            let arrived = jobs.recv_many(&mut batch, MAX_BATCH);
            let arrived = if self.nonces.is_empty() {
                arrived.await
            } else if let Ok(arrived) = timeout(NONCES_WAIT, arrived).await {
                arrived
            } else {
                self.commit_batch(Vec::new()).await;
                // When they could not be written, they go with the next command.
                if self.nonces.is_empty() { continue } else { jobs.recv_many(&mut batch, MAX_BATCH).await }
            };
            if arrived == 0 {
                break;
            }
            let mut commands = Vec::new();
            batch.drain(..).for_each(|job| self.take(job, &mut commands));
            if !commands.is_empty() && self.shared >= LINGER_FROM {
                std::thread::sleep(LINGER);
                while commands.len() < MAX_BATCH
                    && let Ok(job) = jobs.try_recv()
                {
                    self.take(job, &mut commands);
                }
            }
            if !commands.is_empty() {
                self.shared = commands.len();
            }
            if !commands.is_empty() || !self.nonces.has_room() {
                self.commit_batch(commands).await;
            }
        }
        if !self.nonces.is_empty() {
            self.commit_batch(Vec::new()).await;
        }
    }

    /// Answers a job that need not wait for a commit; puts others with `commands`.
    fn take(&mut self, mut job: Job, commands: &mut Vec<Job>) {
        if !B::SHARED
            && let Command::SpendNonce { source, nonce, now, expires } = &mut job.command
        {
            let spent = if self.nonces.has_room() {
                Ok(Reply::Spent(self.nonces.spend(source.clone(), std::mem::take(nonce), *now, *expires)))
            } else {
                let cause = "too many wait to be written".to_owned();
                Err(Error::Unavailable { doing: "spending a nonce", cause })
            };
            // A caller that went away has spent its nonce all the same.
            let _gone = job.reply.send(spent);
        } else {
            commands.push(job);
        }
    }

    async fn commit_batch(&mut self, mut batch: Vec<Job>) {
        for attempt in 1.. {
            match self.try_batch(&mut batch).await {
                Ok(replies) => {
                    for (job, reply) in batch.into_iter().zip(replies) {
                        // A caller that went away has lost nothing: the commit stands.
                        let _gone = job.reply.send(reply);
                    }
                    return;
                }
                Err(Error::Conflict { .. }) if attempt < MAX_TRIES => self.roll_back().await,
                // Damage under one command must not fail those that only shared its commit.
                Err(Error::Corrupt { .. }) if batch.len() > 1 => {
                    self.roll_back().await;
                    for job in batch {
                        Box::pin(self.commit_batch(vec![job])).await;
                    }
                    return;
                }
                Err(error) => {
                    self.roll_back().await;
                    tracing::error!(%error, commands = batch.len(), "commit failed");
                    for job in batch {
                        let _gone = job.reply.send(Err(error.clone()));
                    }
                    return;
                }
            }
        }
    }

    async fn roll_back(&mut self) {
        self.backend.rollback().await;
        // A commit whose answer was lost may stand, and another process may have written under our name.
        self.head = None;
        self.hints.known.forget_all();
    }

    /// Executes all commands in one transaction. A command that the rules refuse has written nothing and does
    /// not disturb the others; an error of the database fails them all.
    async fn try_batch(&mut self, batch: &mut [Job]) -> Result<Vec<Result<Reply, Error>>, Error> {
        self.backend.begin().await?;
        let mut head = match &self.head {
            Some(head) => head.clone(),
            None => self.backend.head(&self.author.id).await?,
        };
        self.nonces.write(&mut self.backend).await?;
        let mut unit = Unit { backend: &mut self.backend, drafts: Vec::new(), ready: 0, nodes: Vec::new() };
        let mut replies = Vec::with_capacity(batch.len());
        for job in batch {
            let reply = unit.execute(&mut job.command).await;
            match reply {
                Err(
                    error @ (Error::Full { .. }
                    | Error::Unavailable { .. }
                    | Error::Conflict { .. }
                    | Error::Corrupt { .. }
                    | Error::SchemaTooNew { .. }
                    | Error::Closed),
                ) => return Err(error),
                reply => replies.push(reply),
            }
        }
        let (drafts, ready, nodes) = (unit.drafts, unit.ready, unit.nodes);
        if !drafts.is_empty() {
            let at = drafts.last().map_or_else(Timestamp::default, |(_, at)| *at);
            let entries: Vec<Entry> = drafts.into_iter().map(|(draft, at)| head.append(draft, at)).collect();
            let checkpoint = self.sign(&head, at);
            self.backend.append(&entries, &checkpoint).await?;
        }
        self.backend.commit().await?;
        self.nonces.written();
        self.hints.known.forget(&nodes);
        self.hints.pulse.send_modify(|pulse| {
            pulse.sequence = head.sequence;
            pulse.commits += 1;
        });
        self.head = Some(head);
        self.hints.bell.ring(ready);
        Ok(replies)
    }

    fn sign(&self, head: &Head, at: Timestamp) -> Checkpoint {
        let text = Checkpoint::signed_text(&head.coordinator_id, head.sequence, &head.hash);
        Checkpoint {
            coordinator_id: head.coordinator_id.clone(),
            sequence: head.sequence,
            hash: head.hash.clone(),
            signed_at: at,
            signature: self.author.key.sign(text.as_bytes()),
        }
    }
}
