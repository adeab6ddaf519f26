//! SQLite's half of the writer's twin seam.

use edgecoder_base::{AttemptId, NodeId, TaskId, Timestamp};
use edgecoder_ledger::Head;
use edgecoder_protocol::ledger::{Checkpoint, Entry};
use edgecoder_tasks::{QueueRow, Task};
use rusqlite::{Connection, OptionalExtension, Params, Row, params};

use super::rows::{self, QUEUE};
use crate::backend::{Backend, Place};
use crate::class::{Class, MAX_CLASSES};
use crate::{Error, IdempotencyKey, NodeRecord};

/// The writing connection.
#[derive(Debug)]
pub struct SqliteBackend {
    connection: Connection,
    heads: String,
}

impl SqliteBackend {
    pub(super) fn new(connection: Connection) -> Self {
        Self { connection, heads: HEADS.replace("{QUEUE}", QUEUE) }
    }

    fn execute(&self, doing: &'static str, sql: &str, params: impl Params) -> Result<usize, Error> {
        let run = |connection: &Connection| connection.prepare_cached(sql)?.execute(params);
        run(&self.connection).map_err(|error| Error::from_sqlite(doing, &error))
    }

    fn one<T>(
        &self,
        doing: &'static str,
        sql: &str,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, Error> {
        let run =
            |connection: &Connection| connection.prepare_cached(sql)?.query_row(params, read).optional();
        run(&self.connection).map_err(|error| Error::from_sqlite(doing, &error))
    }

    fn many<T>(
        &self,
        doing: &'static str,
        sql: &str,
        params: impl Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, Error> {
        let run = |connection: &Connection| -> rusqlite::Result<Vec<T>> {
            connection.prepare_cached(sql)?.query_map(params, read)?.collect()
        };
        run(&self.connection).map_err(|error| Error::from_sqlite(doing, &error))
    }

    fn batch(&self, doing: &'static str, sql: &'static str) -> Result<(), Error> {
        let run = |connection: &Connection| connection.prepare_cached(sql)?.execute([]).map(|_| ());
        run(&self.connection).map_err(|error| Error::from_sqlite(doing, &error))
    }
}

fn document<T: serde::Serialize>(value: &T) -> Result<String, Error> {
    serde_json::to_string(value).map_err(|error| Error::corrupt("writing a document", error))
}

/// The first waiting row of every class: a walk from class to class over the index, then one row of each.
const HEADS: &str = "WITH RECURSIVE classes (class) AS (\
     SELECT min(class) FROM queue INDEXED BY queue_ready WHERE leased = 0 \
     UNION ALL \
     SELECT (SELECT min(class) FROM queue INDEXED BY queue_ready WHERE leased = 0 AND class > classes.class) \
     FROM classes WHERE classes.class IS NOT NULL LIMIT ?2) \
     SELECT {QUEUE} FROM classes JOIN queue ON queue.seq = (\
     SELECT seq FROM queue INDEXED BY queue_ready WHERE leased = 0 AND class = classes.class AND due <= ?1 \
     ORDER BY rank DESC, seq LIMIT 1)";

impl Backend for SqliteBackend {
    // The file lies in a node's directory, which one process holds at a time.
    const SHARED: bool = false;

    async fn begin(&mut self) -> Result<(), Error> {
        self.batch("beginning a transaction", "BEGIN IMMEDIATE")
    }

    async fn commit(&mut self) -> Result<(), Error> {
        self.batch("committing", "COMMIT")
    }

    async fn rollback(&mut self) {
        // Fails when SQLite rolled back by itself, or `BEGIN` never succeeded; both leave nothing behind.
        let _nothing_open = self.connection.execute_batch("ROLLBACK");
    }

    async fn head(&mut self, coordinator: &NodeId) -> Result<Head, Error> {
        let sql = "SELECT sequence, hash FROM entries WHERE coordinator = ?1 ORDER BY sequence DESC LIMIT 1";
        let last = self.one("reading the ledger's head", sql, [coordinator.as_str()], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
        Ok(match last {
            Some((sequence, hash)) => Head { coordinator_id: coordinator.clone(), sequence, hash },
            None => Head::genesis(coordinator.clone()),
        })
    }

    async fn append(&mut self, entries: &[Entry], checkpoint: &Checkpoint) -> Result<(), Error> {
        let doing = "appending to the ledger";
        let sql = "INSERT INTO entries (coordinator, sequence, id, event_type, task, subtask, actor, issued_at, \
                   prev_hash, payload, hash) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
        for entry in entries {
            let task = entry.task_id.as_ref().map(TaskId::as_str);
            let subtask = entry.subtask_id.as_ref().map(edgecoder_base::SubtaskId::as_str);
            self.execute(
                doing,
                sql,
                params![
                    entry.coordinator_id.as_str(),
                    entry.sequence,
                    entry.id,
                    entry.event_type,
                    task,
                    subtask,
                    entry.actor_id,
                    entry.issued_at_ms,
                    entry.prev_hash,
                    entry.payload_json,
                    entry.hash
                ],
            )?;
        }
        let sql = "INSERT INTO checkpoints (coordinator, sequence, hash, signed_at, signature) \
                   VALUES (?1, ?2, ?3, ?4, ?5)";
        self.execute(
            doing,
            sql,
            params![
                checkpoint.coordinator_id.as_str(),
                checkpoint.sequence,
                checkpoint.hash,
                checkpoint.signed_at.as_millis(),
                checkpoint.signature.to_base64()
            ],
        )?;
        Ok(())
    }

    async fn load_task(&mut self, id: &TaskId) -> Result<Option<Task>, Error> {
        self.one("loading a task", "SELECT document FROM tasks WHERE id = ?1", [id.as_str()], rows::task)
    }

    async fn insert_task(&mut self, task: &Task) -> Result<bool, Error> {
        let sql = "INSERT INTO tasks (id, state, created_at, updated_at, document) VALUES (?1, ?2, ?3, ?4, ?5) \
                   ON CONFLICT (id) DO NOTHING";
        let written = self.execute(
            "storing a task",
            sql,
            params![
                task.id.as_str(),
                task.state.as_str(),
                task.created_at.as_millis(),
                task.updated_at.as_millis(),
                document(task)?
            ],
        )?;
        Ok(written == 1)
    }

    async fn update_task(&mut self, task: &Task) -> Result<(), Error> {
        let sql = "UPDATE tasks SET state = ?2, updated_at = ?3, document = ?4 WHERE id = ?1";
        self.execute(
            "storing a task",
            sql,
            params![task.id.as_str(), task.state.as_str(), task.updated_at.as_millis(), document(task)?],
        )?;
        Ok(())
    }

    async fn put_output(&mut self, task: &TaskId, subtask: usize, body: &str) -> Result<(), Error> {
        let sql = "INSERT INTO outputs (task, subtask, body) VALUES (?1, ?2, ?3) \
                   ON CONFLICT (task, subtask) DO UPDATE SET body = excluded.body";
        self.execute("storing an output", sql, params![task.as_str(), subtask, body])?;
        Ok(())
    }

    async fn put_row(&mut self, row: &QueueRow, paused: bool) -> Result<(), Error> {
        let sql = "INSERT INTO queue (attempt, task, class, rank, leased, worker, due, paused) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (attempt) DO UPDATE SET \
                   class = excluded.class, rank = excluded.rank, leased = excluded.leased, \
                   worker = excluded.worker, due = excluded.due, paused = excluded.paused";
        self.execute(
            "storing a queue row",
            sql,
            params![
                row.attempt.as_str(),
                row.task.as_str(),
                Class::of(row).to_text(),
                row.rank,
                row.leased,
                row.worker.as_ref().map(NodeId::as_str),
                row.due.as_millis(),
                paused
            ],
        )?;
        Ok(())
    }

    async fn delete_row(&mut self, attempt: &AttemptId) -> Result<(), Error> {
        self.execute("removing a queue row", "DELETE FROM queue WHERE attempt = ?1", [attempt.as_str()])?;
        Ok(())
    }

    async fn heads(&mut self, now: Timestamp) -> Result<Vec<(QueueRow, Place)>, Error> {
        self.many("looking for work", &self.heads, params![now.as_millis(), MAX_CLASSES], rows::queue)
    }

    async fn lock_row(&mut self, _attempt: &AttemptId) -> Result<bool, Error> {
        // The transaction holds the whole file.
        Ok(true)
    }

    async fn next_of(
        &mut self,
        class: &Class,
        after: Place,
        now: Timestamp,
    ) -> Result<Option<(QueueRow, Place)>, Error> {
        let sql = format!(
            "SELECT {QUEUE} FROM queue INDEXED BY queue_ready WHERE leased = 0 AND class = ?1 \
             AND rank <= ?2 AND (rank < ?2 OR seq > ?3) AND due <= ?4 ORDER BY rank DESC, seq LIMIT 1"
        );
        let params = params![class.to_text(), after.rank, after.seq, now.as_millis()];
        self.one("looking for work", &sql, params, rows::queue)
    }

    async fn overdue(&mut self, now: Timestamp, limit: u32) -> Result<Vec<QueueRow>, Error> {
        let sql = format!("SELECT {QUEUE} FROM queue WHERE leased = 1 AND due <= ?1 ORDER BY due LIMIT ?2");
        let rows =
            self.many("looking for expired leases", &sql, params![now.as_millis(), limit], rows::queue)?;
        Ok(rows.into_iter().map(|(row, _)| row).collect())
    }

    async fn held_count(&mut self, worker: &NodeId) -> Result<u64, Error> {
        let sql = "SELECT count(*) FROM queue WHERE leased = 1 AND worker = ?1";
        let count = self.one("counting a worker's leases", sql, [worker.as_str()], |row| row.get(0))?;
        Ok(count.unwrap_or(0))
    }

    async fn held_by(&mut self, worker: &NodeId) -> Result<Vec<QueueRow>, Error> {
        let sql = format!("SELECT {QUEUE} FROM queue WHERE leased = 1 AND worker = ?1 ORDER BY seq");
        let rows = self.many("looking for a worker's leases", &sql, [worker.as_str()], rows::queue)?;
        Ok(rows.into_iter().map(|(row, _)| row).collect())
    }

    async fn idempotent(&mut self, key: &str) -> Result<Option<(String, TaskId)>, Error> {
        let sql = "SELECT fingerprint, task FROM idempotency WHERE key = ?1";
        let found = self.one("looking up an idempotency key", sql, [key], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))
        })?;
        found
            .map(|(fingerprint, task)| {
                let task =
                    task.parse().map_err(|error| Error::corrupt("looking up an idempotency key", error))?;
                Ok((fingerprint, task))
            })
            .transpose()
    }

    async fn remember_key(&mut self, key: &IdempotencyKey, task: &TaskId) -> Result<(), Error> {
        let sql = "INSERT INTO idempotency (key, fingerprint, task) VALUES (?1, ?2, ?3)";
        self.execute("storing an idempotency key", sql, params![key.key, key.fingerprint, task.as_str()])?;
        Ok(())
    }

    async fn load_node(&mut self, id: &NodeId) -> Result<Option<NodeRecord>, Error> {
        self.one("loading a node", "SELECT document FROM nodes WHERE id = ?1", [id.as_str()], rows::document)
    }

    async fn save_node(&mut self, node: &NodeRecord) -> Result<(), Error> {
        let sql = "INSERT INTO nodes (id, document) VALUES (?1, ?2) \
                   ON CONFLICT (id) DO UPDATE SET document = excluded.document";
        self.execute("storing a node", sql, params![node.id.as_str(), document(node)?])?;
        Ok(())
    }

    async fn nonces(&mut self) -> Result<Vec<(NodeId, String, Timestamp)>, Error> {
        self.many("reading nonces", "SELECT source, nonce, expires_at FROM nonces", [], rows::nonce)
    }

    async fn spend_nonce(&mut self, source: &NodeId, nonce: &str, expires: Timestamp) -> Result<bool, Error> {
        let sql = "INSERT INTO nonces (source, nonce, expires_at) VALUES (?1, ?2, ?3)";
        self.execute("spending a nonce", sql, params![source.as_str(), nonce, expires.as_millis()])?;
        Ok(true)
    }

    async fn prune_nonces(&mut self, now: Timestamp) -> Result<(), Error> {
        // They expire in the order they came in, so only what goes is read; after a step of the clock, later.
        let sql = "DELETE FROM nonces WHERE rowid < coalesce(\
                   (SELECT rowid FROM nonces WHERE expires_at >= ?1 ORDER BY rowid LIMIT 1), 9223372036854775807)";
        self.execute("pruning nonces", sql, [now.as_millis()])?;
        Ok(())
    }
}
