//! SQLite's half of the reading seam: a few read-only connections, used on blocking threads.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use edgecoder_base::{NodeId, TaskId, Timestamp};
use edgecoder_protocol::ledger::{Checkpoint, Entry};
use edgecoder_tasks::Task;
use parking_lot::Mutex;
use rusqlite::{Connection, Params, Row, params};

use super::rows::{self, CHECKPOINT, ENTRY};
use crate::reads::{Counts, Reads, TaskFilter};
use crate::{Error, NodeRecord};

/// Idle connections kept; each has a cache of its own, and memory is a promise.
const IDLE: usize = 4;

/// A small pool of read-only connections.
#[derive(Debug, Clone)]
pub struct SqliteReads {
    file: Arc<PathBuf>,
    idle: Arc<Mutex<Vec<Connection>>>,
}

impl SqliteReads {
    pub(super) fn open(file: PathBuf) -> Result<Self, Error> {
        let first = super::open_read(&file)?;
        Ok(Self { file: Arc::new(file), idle: Arc::new(Mutex::new(vec![first])) })
    }

    async fn read<T: Send + 'static>(
        &self,
        doing: &'static str,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Error> {
        let this = self.clone();
        let read = move || {
            let taken = this.idle.lock().pop();
            let connection = match taken {
                Some(connection) => connection,
                None => super::open_read(&this.file)?,
            };
            let result = query(&connection).map_err(|error| Error::from_sqlite(doing, &error));
            let mut idle = this.idle.lock();
            if idle.len() < IDLE {
                idle.push(connection);
            }
            result
        };
        match tokio::task::spawn_blocking(read).await {
            Ok(result) => result,
            Err(error) => Err(Error::corrupt(doing, error)),
        }
    }
}

fn many<T>(
    connection: &Connection,
    sql: &str,
    params: impl Params,
    read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Vec<T>> {
    connection.prepare_cached(sql)?.query_map(params, read)?.collect()
}

impl Reads for SqliteReads {
    async fn task(&self, id: &TaskId) -> Result<Option<Task>, Error> {
        let id = id.clone();
        let tasks = self
            .read("reading a task", move |connection| {
                many(connection, "SELECT document FROM tasks WHERE id = ?1", [id.as_str()], rows::task)
            })
            .await?;
        Ok(tasks.into_iter().next())
    }

    async fn outputs(&self, id: &TaskId) -> Result<Vec<(usize, String)>, Error> {
        let id = id.clone();
        self.read("reading outputs", move |connection| {
            let sql = "SELECT subtask, body FROM outputs WHERE task = ?1 ORDER BY subtask";
            many(connection, sql, [id.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))
        })
        .await
    }

    async fn tasks(&self, filter: TaskFilter) -> Result<Vec<Task>, Error> {
        self.read("listing tasks", move |connection| {
            let (at, id) = filter
                .after
                .map_or_else(|| (i64::MAX, "~".to_owned()), |(at, id)| (at.as_millis(), id.to_string()));
            let by_state = if filter.state.is_some() { "state = ?4" } else { "?4 IS NULL" };
            let sql = format!(
                "SELECT document FROM tasks WHERE (created_at, id) < (?1, ?2) AND {by_state} \
                 ORDER BY created_at DESC, id DESC LIMIT ?3"
            );
            many(connection, &sql, params![at, id, filter.limit, filter.state], rows::task)
        })
        .await
    }

    async fn counts(&self) -> Result<Counts, Error> {
        self.read("counting", |connection| {
            let queued = connection.query_row("SELECT count(*) FROM queue", [], |row| row.get(0))?;
            let sql = "SELECT state, count(*) FROM tasks GROUP BY state";
            let tasks = many(connection, sql, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
            Ok(Counts { queued, tasks: BTreeMap::from_iter(tasks) })
        })
        .await
    }

    async fn task_entries(&self, id: &TaskId, after: u64, limit: u32) -> Result<Vec<(u64, Entry)>, Error> {
        let id = id.clone();
        // One coordinator: its heights are the places.
        self.read("reading a task's events", move |connection| {
            let sql = format!(
                "SELECT {ENTRY} FROM entries WHERE task = ?1 AND sequence > ?2 ORDER BY sequence LIMIT ?3"
            );
            let placed = |row: &Row<'_>| rows::entry(row).map(|entry| (entry.sequence, entry));
            many(connection, &sql, params![id.as_str(), after, limit], placed)
        })
        .await
    }

    async fn chains(&self) -> Result<Vec<NodeId>, Error> {
        self.read("listing chains", |connection| {
            let sql = "SELECT DISTINCT coordinator FROM checkpoints ORDER BY coordinator";
            many(connection, sql, [], |row| row.get::<_, String>(0))
        })
        .await?
        .into_iter()
        .map(|id| id.parse().map_err(|error| Error::corrupt("listing chains", error)))
        .collect()
    }

    async fn entries(&self, chain: &NodeId, after: u64, limit: u32) -> Result<Vec<Entry>, Error> {
        let chain = chain.clone();
        self.read("reading the ledger", move |connection| {
            let sql = format!(
                "SELECT {ENTRY} FROM entries WHERE coordinator = ?1 AND sequence > ?2 ORDER BY sequence LIMIT ?3"
            );
            many(connection, &sql, params![chain.as_str(), after, limit], rows::entry)
        })
        .await
    }

    async fn checkpoints(&self, chain: &NodeId, after: u64, limit: u32) -> Result<Vec<Checkpoint>, Error> {
        let chain = chain.clone();
        self.read("reading checkpoints", move |connection| {
            let sql = format!(
                "SELECT {CHECKPOINT} FROM checkpoints WHERE coordinator = ?1 AND sequence > ?2 \
                 ORDER BY sequence LIMIT ?3"
            );
            many(connection, &sql, params![chain.as_str(), after, limit], rows::checkpoint)
        })
        .await
    }

    async fn last_checkpoint(&self, chain: &NodeId) -> Result<Option<Checkpoint>, Error> {
        let chain = chain.clone();
        let found = self
            .read("reading the last checkpoint", move |connection| {
                let sql = format!(
                    "SELECT {CHECKPOINT} FROM checkpoints WHERE coordinator = ?1 ORDER BY sequence DESC LIMIT 1"
                );
                many(connection, &sql, [chain.as_str()], rows::checkpoint)
            })
            .await?;
        Ok(found.into_iter().next())
    }

    async fn node(&self, id: &NodeId) -> Result<Option<NodeRecord>, Error> {
        let id = id.clone();
        let found = self
            .read("reading a node", move |connection| {
                many(connection, "SELECT document FROM nodes WHERE id = ?1", [id.as_str()], rows::document)
            })
            .await?;
        Ok(found.into_iter().next())
    }

    async fn nodes(&self) -> Result<Vec<NodeRecord>, Error> {
        self.read("listing nodes", |connection| {
            many(connection, "SELECT document FROM nodes ORDER BY id", [], rows::document)
        })
        .await
    }

    async fn next_due(&self, now: Timestamp) -> Result<Option<Timestamp>, Error> {
        self.read("looking for the next deadline", move |connection| {
            let sql = "SELECT min(due) FROM (SELECT min(due) AS due FROM queue WHERE leased = 1 \
                       UNION ALL SELECT min(due) FROM queue WHERE paused = 1 AND due > ?1)";
            connection.query_row(sql, [now.as_millis()], |row| row.get::<_, Option<i64>>(0))
        })
        .await
        .map(|due| due.map(Timestamp::from_millis))
    }

    async fn ready_count(&self, now: Timestamp) -> Result<u64, Error> {
        self.read("counting waiting rows", move |connection| {
            let sql = "SELECT count(*) FROM (SELECT 1 FROM queue WHERE leased = 0 AND due <= ?1 LIMIT 100)";
            connection.query_row(sql, [now.as_millis()], |row| row.get(0))
        })
        .await
    }
}
