//! The one writer of a process. It owns the connection that writes and the end of the ledger; everybody else
//! sends it commands. What arrives during a commit shares the next one.

use std::sync::Arc;

use edgecoder_base::Timestamp;
use edgecoder_ledger::Head;
use edgecoder_protocol::ledger::{Checkpoint, Entry};
use tokio::sync::{mpsc, watch};

use crate::Error;
use crate::backend::Backend;
use crate::bell::{Doorbell, Pulse};
use crate::command::{Author, Job, Reply};
use crate::unit::Unit;

/// Commands of one commit at most: bounds how long the first waits for the last.
const MAX_BATCH: usize = 256;
/// Tries of one commit when another process's writer gets in between.
const MAX_TRIES: u32 = 5;

pub(crate) struct Writer<B> {
    backend: B,
    author: Author,
    /// The end of our chain; none when it must be read again.
    head: Option<Head>,
    bell: Arc<Doorbell>,
    pulse: Arc<watch::Sender<Pulse>>,
}

impl<B: Backend> Writer<B> {
    pub(crate) async fn open(
        mut backend: B,
        author: Author,
        bell: Arc<Doorbell>,
        pulse: Arc<watch::Sender<Pulse>>,
    ) -> Result<Self, Error> {
        let head = backend.head(&author.id).await?;
        pulse.send_modify(|pulse| pulse.sequence = head.sequence);
        Ok(Self { backend, author, head: Some(head), bell, pulse })
    }

    /// Runs until every sender is gone.
    pub(crate) async fn run(mut self, mut jobs: mpsc::Receiver<Job>) {
        let mut batch = Vec::new();
        while jobs.recv_many(&mut batch, MAX_BATCH).await > 0 {
            self.commit_batch(std::mem::take(&mut batch)).await;
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
    }

    /// Executes all commands in one transaction. A command that the rules refuse has written nothing and does
    /// not disturb the others; an error of the database fails them all.
    async fn try_batch(&mut self, batch: &mut [Job]) -> Result<Vec<Result<Reply, Error>>, Error> {
        self.backend.begin().await?;
        let mut head = match &self.head {
            Some(head) => head.clone(),
            None => self.backend.head(&self.author.id).await?,
        };
        let mut unit = Unit { backend: &mut self.backend, drafts: Vec::new(), ready: 0 };
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
        let (drafts, ready) = (unit.drafts, unit.ready);
        if !drafts.is_empty() {
            let at = drafts.last().map_or_else(Timestamp::default, |(_, at)| *at);
            let entries: Vec<Entry> = drafts.into_iter().map(|(draft, at)| head.append(draft, at)).collect();
            let checkpoint = self.sign(&head, at);
            self.backend.append(&entries, &checkpoint).await?;
        }
        self.backend.commit().await?;
        self.pulse.send_modify(|pulse| {
            pulse.sequence = head.sequence;
            pulse.commits += 1;
        });
        self.head = Some(head);
        self.bell.ring(ready);
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
