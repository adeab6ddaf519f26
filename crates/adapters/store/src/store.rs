//! The store as everybody else sees it: typed methods, no channels, no SQL.

use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;

use edgecoder_base::{NodeId, NodeKey, Secret, TaskId, Timestamp};
use edgecoder_ledger::Draft;
use edgecoder_protocol::ledger::{Checkpoint, Entry};
use edgecoder_tasks::{Refusal, Task, WorkerProfile};
use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot, watch};

use crate::backend::Backend;
use crate::bell::{Doorbell, Pulse};
use crate::command::{Author, Command, Job, Reply};
use crate::postgres::PostgresReads;
use crate::reads::{Counts, Reads, TaskFilter};
use crate::sqlite::SqliteReads;
use crate::writer::{Hints, Writer};
use crate::{Error, IdempotencyKey, Leased, NodeRecord, postgres, sqlite};

/// Commands that may wait for the writer. Enough for every open request of a door; more would only hide that
/// the disk cannot keep up.
const QUEUE: usize = 1_024;

/// Which database.
#[derive(Debug, Clone)]
pub enum Location {
    /// A file; made when absent.
    Sqlite(PathBuf),
    /// A PostgreSQL connection string.
    Postgres(Secret<String>),
}

/// How to open the store.
#[derive(Debug, Clone)]
pub struct Config {
    /// Which database.
    pub location: Location,
}

/// What the store needs from others.
#[derive(Debug, Clone)]
pub struct Deps {
    /// Who writes the ledger.
    pub node: NodeId,
    /// Signs its checkpoints.
    pub key: Arc<NodeKey>,
}

#[derive(Debug, Clone)]
enum Reader {
    Sqlite(SqliteReads),
    Postgres(PostgresReads),
}

/// A cheap handle; the writer ends when the last one is dropped or [`Store::close`] is called.
#[derive(Debug, Clone)]
pub struct Store {
    node: NodeId,
    jobs: mpsc::Sender<Job>,
    reader: Reader,
    /// Others write too: what was read may have changed since.
    shared: bool,
    hints: Hints,
    thread: Arc<Mutex<Option<JoinHandle<()>>>>,
}

macro_rules! read {
    ($self:ident, $reads:ident => $call:expr) => {
        match &$self.reader {
            Reader::Sqlite($reads) => $call.await,
            Reader::Postgres($reads) => $call.await,
        }
    };
}

impl Store {
    /// Opens the database, migrates it, and starts the writer.
    pub async fn open(config: Config, deps: Deps) -> Result<Self, Error> {
        let author = Author { id: deps.node, key: deps.key };
        match config.location {
            Location::Sqlite(file) => {
                let backend = sqlite::open(&file)?;
                let reader = Reader::Sqlite(sqlite::open_reads(&file)?);
                Self::start(author, reader, async move || Ok(backend)).await
            }
            Location::Postgres(url) => {
                let reader = Reader::Postgres(postgres::open_reads(&url).await?);
                let node = author.id.clone();
                Self::start(author, reader, async move || postgres::open(&url, node).await).await
            }
        }
    }

    async fn start<B: Backend>(
        author: Author,
        reader: Reader,
        connect: impl AsyncFnOnce() -> Result<B, Error> + Send + 'static,
    ) -> Result<Self, Error> {
        let node = author.id.clone();
        let (jobs, inbox) = mpsc::channel(QUEUE);
        let hints = Hints::default();
        let (opened, open) = oneshot::channel();
        let writer_hints = hints.clone();
        let body = move || {
            let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => runtime,
                Err(error) => {
                    let cause = error.to_string();
                    let _gone = opened.send(Err(Error::Unavailable { doing: "starting the writer", cause }));
                    return;
                }
            };
            runtime.block_on(async move {
                let writer = match connect().await {
                    Ok(backend) => Writer::open(backend, author, writer_hints).await,
                    Err(error) => Err(error),
                };
                match writer {
                    Ok(writer) => {
                        let _gone = opened.send(Ok(()));
                        writer.run(inbox).await;
                    }
                    Err(error) => {
                        let _gone = opened.send(Err(error));
                    }
                }
            });
        };
        let thread = std::thread::Builder::new()
            .name("store-writer".into())
            .spawn(body)
            .map_err(|error| Error::Unavailable { doing: "starting the writer", cause: error.to_string() })?;
        open.await.map_err(|_| Error::Closed)??;
        Ok(Self { node, jobs, reader, shared: B::SHARED, hints, thread: Arc::new(Mutex::new(Some(thread))) })
    }

    /// Rings when work arrives.
    pub fn doorbell(&self) -> &Doorbell {
        &self.hints.bell
    }

    /// Changes after every commit of this process.
    pub fn pulse(&self) -> watch::Receiver<Pulse> {
        self.hints.pulse.subscribe()
    }

    /// Passes on what other coordinators on the same database announce, until the connection is lost. With
    /// SQLite there are no others, and this never returns.
    pub async fn listen(&self) -> Result<(), Error> {
        let Reader::Postgres(reads) = &self.reader else {
            return std::future::pending().await;
        };
        let mut listener = postgres::listen(reads.pool()).await?;
        loop {
            let heard = listener.recv().await;
            let heard = heard.map_err(|error| Error::from_postgres("listening for work", &error))?;
            // Our own commits have rung already, and only for as many as there are rows.
            if heard.payload() == self.node.as_str() {
                continue;
            }
            self.hints.pulse.send_modify(|pulse| pulse.commits += 1);
            self.hints.bell.ring_everybody();
        }
    }

    /// Returns when the writer has ended: nothing can be kept any more. While this process wants to go on, that
    /// is a bug in a rule, and starting again is the cure.
    pub async fn ended(&self) {
        self.jobs.closed().await;
    }

    /// Lets the writer finish what it has and ends it. Other handles get [`Error::Closed`] from then on.
    pub async fn close(self) {
        let Self { jobs, reader, thread, .. } = self;
        drop(jobs);
        // Readers first: who closes an SQLite file last folds its log into it, and readers may not write.
        drop(reader);
        let thread = thread.lock().take();
        if let Some(thread) = thread {
            let joined = tokio::task::spawn_blocking(move || thread.join()).await;
            if !matches!(joined, Ok(Ok(()))) {
                tracing::error!("the store's writer ended by a panic");
            }
        }
    }

    async fn ask(&self, command: Command) -> Result<Reply, Error> {
        let (reply, answer) = oneshot::channel();
        self.jobs.send(Job { command, reply }).await.map_err(|_| Error::Closed)?;
        answer.await.map_err(|_| Error::Closed)?
    }

    /// Keeps a new task. The same id or key with the same content returns the task that is there; `true` when
    /// it is new.
    pub async fn create(&self, task: Task, key: Option<IdempotencyKey>) -> Result<(Task, bool), Error> {
        let Reply::Created(task, new) = self.ask(Command::Create { task: Box::new(task), key }).await? else {
            unreachable!("create is answered by created")
        };
        Ok((*task, new))
    }

    /// Lets the rules change a task and keeps what they made of it. `decide` may be called more than once.
    pub async fn change(
        &self,
        id: &TaskId,
        decide: impl FnMut(&mut Task) -> Result<(), Refusal> + Send + 'static,
    ) -> Result<Task, Error> {
        let Reply::Changed(task) =
            self.ask(Command::Change { id: id.clone(), decide: Box::new(decide) }).await?
        else {
            unreachable!("change is answered by changed")
        };
        Ok(*task)
    }

    /// Leases the first row that this worker may take. The flag says that rows were passed by which it may not.
    pub async fn lease(
        &self,
        worker: WorkerProfile,
        now: Timestamp,
    ) -> Result<(Option<Leased>, bool), Error> {
        let Reply::Leased(leased, passed_by) = self.ask(Command::Lease { worker, now }).await? else {
            unreachable!("lease is answered by leased")
        };
        Ok((leased.map(|leased| *leased), passed_by))
    }

    /// Puts back up to `limit` attempts whose deadline passed.
    pub async fn expire(&self, now: Timestamp, limit: u32) -> Result<u32, Error> {
        self.count(Command::Expire { now, limit }).await
    }

    /// Puts back everything a worker holds, without counting it as a failed try.
    pub async fn release_held(&self, worker: NodeId, now: Timestamp) -> Result<u32, Error> {
        self.count(Command::ReleaseHeld { worker, now }).await
    }

    async fn count(&self, command: Command) -> Result<u32, Error> {
        let Reply::Count(count) = self.ask(command).await? else {
            unreachable!("counted commands are answered by a count")
        };
        Ok(count)
    }

    /// Keeps a worker, with an entry in the ledger when something about it changed.
    pub async fn save_node(
        &self,
        node: NodeRecord,
        draft: Option<Draft>,
        now: Timestamp,
    ) -> Result<(), Error> {
        self.ask(Command::SaveNode { node: Box::new(node), draft, now }).await.map(|_| ())
    }

    /// Remembers a nonce until `expires`; false when it was known.
    pub async fn spend_nonce(
        &self,
        source: NodeId,
        nonce: String,
        now: Timestamp,
        expires: Timestamp,
    ) -> Result<bool, Error> {
        let Reply::Spent(new) = self.ask(Command::SpendNonce { source, nonce, now, expires }).await? else {
            unreachable!("spending is answered by spent")
        };
        Ok(new)
    }

    /// A task.
    pub async fn task(&self, id: &TaskId) -> Result<Option<Task>, Error> {
        read!(self, reads => reads.task(id))
    }

    /// Outputs of a task's answers by position of the subtask.
    pub async fn outputs(&self, id: &TaskId) -> Result<Vec<(usize, String)>, Error> {
        read!(self, reads => reads.outputs(id))
    }

    /// A page of tasks, newest first.
    pub async fn tasks(&self, filter: TaskFilter) -> Result<Vec<Task>, Error> {
        read!(self, reads => reads.tasks(filter))
    }

    /// Numbers.
    pub async fn counts(&self) -> Result<Counts, Error> {
        read!(self, reads => reads.counts())
    }

    /// Entries of one task after a place, each with its place, whichever coordinator wrote them.
    pub async fn task_entries(
        &self,
        id: &TaskId,
        after: u64,
        limit: u32,
    ) -> Result<Vec<(u64, Entry)>, Error> {
        read!(self, reads => reads.task_entries(id, after, limit))
    }

    /// Coordinators that have a chain here.
    pub async fn chains(&self) -> Result<Vec<NodeId>, Error> {
        read!(self, reads => reads.chains())
    }

    /// Entries of one chain after a height.
    pub async fn entries(&self, chain: &NodeId, after: u64, limit: u32) -> Result<Vec<Entry>, Error> {
        read!(self, reads => reads.entries(chain, after, limit))
    }

    /// Checkpoints of one chain after a height.
    pub async fn checkpoints(
        &self,
        chain: &NodeId,
        after: u64,
        limit: u32,
    ) -> Result<Vec<Checkpoint>, Error> {
        read!(self, reads => reads.checkpoints(chain, after, limit))
    }

    /// The newest checkpoint of a chain.
    pub async fn last_checkpoint(&self, chain: &NodeId) -> Result<Option<Checkpoint>, Error> {
        read!(self, reads => reads.last_checkpoint(chain))
    }

    /// A registered worker.
    pub async fn node(&self, id: &NodeId) -> Result<Option<NodeRecord>, Error> {
        if self.shared {
            return read!(self, reads => reads.node(id));
        }
        let known = &self.hints.known;
        let generation = match known.get(id) {
            Ok(record) => return Ok(Some(record)),
            Err(generation) => generation,
        };
        let record = read!(self, reads => reads.node(id))?;
        if let Some(record) = &record {
            known.remember(record, generation);
        }
        Ok(record)
    }

    /// All registered workers.
    pub async fn nodes(&self) -> Result<Vec<NodeRecord>, Error> {
        read!(self, reads => reads.nodes())
    }

    /// When the queue must be looked at next.
    pub async fn next_due(&self, now: Timestamp) -> Result<Option<Timestamp>, Error> {
        read!(self, reads => reads.next_due(now))
    }

    /// How many rows wait whose pause has ended; 100 stands for more, so that a long queue is not walked.
    pub async fn ready_count(&self, now: Timestamp) -> Result<u64, Error> {
        read!(self, reads => reads.ready_count(now))
    }
}
