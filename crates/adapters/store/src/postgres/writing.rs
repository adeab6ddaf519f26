//! PostgreSQL's half of the writer's twin seam.

use edgecoder_base::{AttemptId, NodeId, SubtaskId, TaskId, Timestamp};
use edgecoder_ledger::Head;
use edgecoder_protocol::ledger::{Checkpoint, Entry};
use edgecoder_tasks::{QueueRow, Task};
use sqlx::postgres::{PgArguments, PgConnectOptions, PgRow};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, PgConnection, Postgres, Row};

use super::rows::{self, QUEUE};
use super::{CHANNEL, connect};
use crate::backend::{Backend, Place};
use crate::class::{Class, MAX_CLASSES};
use crate::{Error, IdempotencyKey, NodeRecord};

/// The writing connection; made anew at the next transaction after it was lost.
#[derive(Debug)]
pub struct PostgresBackend {
    options: PgConnectOptions,
    connection: Option<PgConnection>,
    /// Signs announcements, so that their author does not wake itself.
    author: NodeId,
    /// Whether this transaction brings work that other coordinators should hear of.
    announce: bool,
}

type Statement = Query<'static, Postgres, PgArguments>;

impl PostgresBackend {
    pub(super) const fn new(options: PgConnectOptions, connection: PgConnection, author: NodeId) -> Self {
        Self { options, connection: Some(connection), author, announce: false }
    }

    fn connection(&mut self, doing: &'static str) -> Result<&mut PgConnection, Error> {
        self.connection
            .as_mut()
            .ok_or_else(|| Error::Unavailable { doing, cause: "the connection is lost".to_owned() })
    }

    /// After a failure of the connection itself nothing on it can be trusted.
    fn note(&mut self, doing: &'static str, error: &sqlx::Error) -> Error {
        if matches!(error, sqlx::Error::Io(_) | sqlx::Error::Protocol(_) | sqlx::Error::WorkerCrashed) {
            self.connection = None;
        }
        Error::from_postgres(doing, error)
    }

    async fn execute(&mut self, doing: &'static str, statement: Statement) -> Result<u64, Error> {
        let done = statement.execute(self.connection(doing)?).await;
        done.map(|done| done.rows_affected()).map_err(|error| self.note(doing, &error))
    }

    async fn many<T>(
        &mut self,
        doing: &'static str,
        statement: Statement,
        read: impl Fn(&PgRow) -> Result<T, sqlx::Error>,
    ) -> Result<Vec<T>, Error> {
        let rows = statement.fetch_all(self.connection(doing)?).await;
        let rows = rows.map_err(|error| self.note(doing, &error))?;
        rows.iter().map(read).collect::<Result<_, _>>().map_err(|error| Error::corrupt(doing, error))
    }

    async fn one<T>(
        &mut self,
        doing: &'static str,
        statement: Statement,
        read: impl Fn(&PgRow) -> Result<T, sqlx::Error>,
    ) -> Result<Option<T>, Error> {
        Ok(self.many(doing, statement, read).await?.into_iter().next())
    }
}

fn document<T: serde::Serialize>(value: &T) -> Result<String, Error> {
    serde_json::to_string(value).map_err(|error| Error::corrupt("writing a document", error))
}

/// Heights fit: a chain of 2⁶³ entries would take longer than the sun.
fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// The first waiting row of every class: a walk from class to class over the index, then one row of each.
const HEADS: &str = "WITH RECURSIVE classes (class) AS (\
     (SELECT class FROM queue WHERE NOT leased ORDER BY class LIMIT 1) \
     UNION ALL \
     SELECT (SELECT class FROM queue WHERE NOT leased AND class > classes.class ORDER BY class LIMIT 1) \
     FROM classes WHERE classes.class IS NOT NULL) \
     SELECT {QUEUE} FROM (SELECT class FROM classes LIMIT $2) AS classes CROSS JOIN LATERAL (\
     SELECT * FROM queue WHERE NOT leased AND class = classes.class AND due <= $1 \
     ORDER BY rank DESC, seq LIMIT 1) AS queue";

impl Backend for PostgresBackend {
    const SHARED: bool = true;

    async fn begin(&mut self) -> Result<(), Error> {
        self.announce = false;
        let begin = "beginning a transaction";
        if self.connection.is_some() && self.execute(begin, sqlx::query("BEGIN")).await.is_ok() {
            return Ok(());
        }
        // The server may have been restarted since the last transaction; nothing was begun, so nothing is lost.
        self.connection = Some(connect(&self.options).await?);
        self.execute(begin, sqlx::query("BEGIN")).await.map(|_| ())
    }

    async fn commit(&mut self) -> Result<(), Error> {
        if self.announce {
            let notify = sqlx::query("SELECT pg_notify($1, $2)").bind(CHANNEL).bind(self.author.to_string());
            self.execute("announcing work", notify).await?;
        }
        self.execute("committing", sqlx::query("COMMIT")).await.map(|_| ())
    }

    async fn rollback(&mut self) {
        if self.execute("rolling back", sqlx::query("ROLLBACK")).await.is_err() {
            self.connection = None;
        }
    }

    async fn head(&mut self, coordinator: &NodeId) -> Result<Head, Error> {
        let sql = "SELECT sequence, hash FROM entries WHERE coordinator = $1 ORDER BY sequence DESC LIMIT 1";
        let statement = sqlx::query(sql).bind(coordinator.to_string());
        let last = self
            .one("reading the ledger's head", statement, |row| {
                Ok((row.try_get::<i64, _>(0)?, row.try_get::<String, _>(1)?))
            })
            .await?;
        Ok(match last {
            Some((sequence, hash)) => {
                Head { coordinator_id: coordinator.clone(), sequence: sequence.unsigned_abs(), hash }
            }
            None => Head::genesis(coordinator.clone()),
        })
    }

    async fn append(&mut self, entries: &[Entry], checkpoint: &Checkpoint) -> Result<(), Error> {
        let doing = "appending to the ledger";
        let sql = "INSERT INTO entries (coordinator, sequence, id, event_type, task, subtask, actor, issued_at, \
                   prev_hash, payload, hash) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
        for entry in entries {
            let statement = sqlx::query(sql)
                .bind(entry.coordinator_id.to_string())
                .bind(signed(entry.sequence))
                .bind(entry.id.clone())
                .bind(entry.event_type.clone())
                .bind(entry.task_id.as_ref().map(TaskId::to_string))
                .bind(entry.subtask_id.as_ref().map(SubtaskId::to_string))
                .bind(entry.actor_id.clone())
                .bind(entry.issued_at_ms)
                .bind(entry.prev_hash.clone())
                .bind(entry.payload_json.clone())
                .bind(entry.hash.clone());
            self.execute(doing, statement).await?;
        }
        let sql = "INSERT INTO checkpoints (coordinator, sequence, hash, signed_at, signature) \
                   VALUES ($1, $2, $3, $4, $5)";
        let statement = sqlx::query(sql)
            .bind(checkpoint.coordinator_id.to_string())
            .bind(signed(checkpoint.sequence))
            .bind(checkpoint.hash.clone())
            .bind(checkpoint.signed_at.as_millis())
            .bind(checkpoint.signature.to_base64());
        self.execute(doing, statement).await.map(|_| ())
    }

    async fn load_task(&mut self, id: &TaskId) -> Result<Option<Task>, Error> {
        let statement =
            sqlx::query("SELECT document FROM tasks WHERE id = $1 FOR UPDATE").bind(id.to_string());
        self.one("loading a task", statement, rows::document).await
    }

    async fn insert_task(&mut self, task: &Task) -> Result<bool, Error> {
        let sql = "INSERT INTO tasks (id, state, created_at, updated_at, document) VALUES ($1, $2, $3, $4, $5) \
                   ON CONFLICT (id) DO NOTHING";
        let statement = sqlx::query(sql)
            .bind(task.id.to_string())
            .bind(task.state.as_str())
            .bind(task.created_at.as_millis())
            .bind(task.updated_at.as_millis())
            .bind(document(task)?);
        Ok(self.execute("storing a task", statement).await? == 1)
    }

    async fn update_task(&mut self, task: &Task) -> Result<(), Error> {
        let sql = "UPDATE tasks SET state = $2, updated_at = $3, document = $4 WHERE id = $1";
        let statement = sqlx::query(sql)
            .bind(task.id.to_string())
            .bind(task.state.as_str())
            .bind(task.updated_at.as_millis())
            .bind(document(task)?);
        self.execute("storing a task", statement).await.map(|_| ())
    }

    async fn put_output(&mut self, task: &TaskId, subtask: usize, body: &str) -> Result<(), Error> {
        let sql = "INSERT INTO outputs (task, subtask, body) VALUES ($1, $2, $3) \
                   ON CONFLICT (task, subtask) DO UPDATE SET body = excluded.body";
        // PostgreSQL's text has no NUL; a tool's output may.
        let body = body.replace('\0', "\u{fffd}");
        let statement = sqlx::query(sql).bind(task.to_string()).bind(signed(subtask as u64)).bind(body);
        self.execute("storing an output", statement).await.map(|_| ())
    }

    async fn put_row(&mut self, row: &QueueRow, paused: bool) -> Result<(), Error> {
        self.announce |= !row.leased;
        let sql = "INSERT INTO queue (attempt, task, class, rank, leased, worker, due, paused) \
                   VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (attempt) DO UPDATE SET \
                   class = excluded.class, rank = excluded.rank, leased = excluded.leased, \
                   worker = excluded.worker, due = excluded.due, paused = excluded.paused";
        let statement = sqlx::query(sql)
            .bind(row.attempt.to_string())
            .bind(row.task.to_string())
            .bind(Class::of(row).to_text())
            .bind(row.rank)
            .bind(row.leased)
            .bind(row.worker.as_ref().map(NodeId::to_string))
            .bind(row.due.as_millis())
            .bind(paused);
        self.execute("storing a queue row", statement).await.map(|_| ())
    }

    async fn delete_row(&mut self, attempt: &AttemptId) -> Result<(), Error> {
        let statement = sqlx::query("DELETE FROM queue WHERE attempt = $1").bind(attempt.to_string());
        self.execute("removing a queue row", statement).await.map(|_| ())
    }

    async fn heads(&mut self, now: Timestamp) -> Result<Vec<(QueueRow, Place)>, Error> {
        let statement = sqlx::query(AssertSqlSafe(HEADS.replace("{QUEUE}", QUEUE)))
            .bind(now.as_millis())
            .bind(i64::from(MAX_CLASSES));
        self.many("looking for work", statement, rows::queue).await
    }

    async fn lock_row(&mut self, attempt: &AttemptId) -> Result<bool, Error> {
        let sql = "SELECT 1 FROM queue WHERE attempt = $1 AND NOT leased FOR UPDATE SKIP LOCKED";
        let statement = sqlx::query(sql).bind(attempt.to_string());
        Ok(self.one("locking a queue row", statement, |_| Ok(())).await?.is_some())
    }

    async fn next_of(
        &mut self,
        class: &Class,
        after: Place,
        now: Timestamp,
    ) -> Result<Option<(QueueRow, Place)>, Error> {
        let sql = format!(
            "SELECT {QUEUE} FROM queue WHERE NOT leased AND class = $1 AND rank <= $2 AND (rank < $2 OR seq > $3) \
             AND due <= $4 ORDER BY rank DESC, seq LIMIT 1 FOR UPDATE SKIP LOCKED"
        );
        let statement = sqlx::query(AssertSqlSafe(sql))
            .bind(class.to_text())
            .bind(after.rank)
            .bind(after.seq)
            .bind(now.as_millis());
        self.one("looking for work", statement, rows::queue).await
    }

    async fn overdue(&mut self, now: Timestamp, limit: u32) -> Result<Vec<QueueRow>, Error> {
        let sql = format!(
            "SELECT {QUEUE} FROM queue WHERE leased AND due <= $1 ORDER BY due LIMIT $2 FOR UPDATE SKIP LOCKED"
        );
        let statement = sqlx::query(AssertSqlSafe(sql)).bind(now.as_millis()).bind(i64::from(limit));
        let rows = self.many("looking for expired leases", statement, rows::queue).await?;
        Ok(rows.into_iter().map(|(row, _)| row).collect())
    }

    async fn held_count(&mut self, worker: &NodeId) -> Result<u64, Error> {
        let sql = "SELECT count(*) FROM queue WHERE leased AND worker = $1";
        let statement = sqlx::query(sql).bind(worker.to_string());
        let count = self.one("counting a worker's leases", statement, |row| row.try_get::<i64, _>(0)).await?;
        Ok(count.unwrap_or(0).unsigned_abs())
    }

    async fn held_by(&mut self, worker: &NodeId) -> Result<Vec<QueueRow>, Error> {
        let sql = format!("SELECT {QUEUE} FROM queue WHERE leased AND worker = $1 ORDER BY seq");
        let statement = sqlx::query(AssertSqlSafe(sql)).bind(worker.to_string());
        let rows = self.many("looking for a worker's leases", statement, rows::queue).await?;
        Ok(rows.into_iter().map(|(row, _)| row).collect())
    }

    async fn idempotent(&mut self, key: &str) -> Result<Option<(String, TaskId)>, Error> {
        let doing = "looking up an idempotency key";
        let sql = "SELECT fingerprint, task FROM idempotency WHERE key = $1";
        let statement = sqlx::query(sql).bind(key.to_owned());
        let found = self
            .one(doing, statement, |row| Ok((row.try_get::<String, _>(0)?, row.try_get::<String, _>(1)?)))
            .await?;
        let read = |(fingerprint, task): (String, String)| {
            Ok((fingerprint, task.parse().map_err(|error| Error::corrupt(doing, error))?))
        };
        found.map(read).transpose()
    }

    async fn remember_key(&mut self, key: &IdempotencyKey, task: &TaskId) -> Result<(), Error> {
        let sql = "INSERT INTO idempotency (key, fingerprint, task) VALUES ($1, $2, $3)";
        let statement =
            sqlx::query(sql).bind(key.key.clone()).bind(key.fingerprint.clone()).bind(task.to_string());
        self.execute("storing an idempotency key", statement).await.map(|_| ())
    }

    async fn load_node(&mut self, id: &NodeId) -> Result<Option<NodeRecord>, Error> {
        let statement = sqlx::query("SELECT document FROM nodes WHERE id = $1").bind(id.to_string());
        self.one("loading a node", statement, rows::document).await
    }

    async fn save_node(&mut self, node: &NodeRecord) -> Result<(), Error> {
        let sql = "INSERT INTO nodes (id, document) VALUES ($1, $2) \
                   ON CONFLICT (id) DO UPDATE SET document = excluded.document";
        let statement = sqlx::query(sql).bind(node.id.to_string()).bind(document(node)?);
        self.execute("storing a node", statement).await.map(|_| ())
    }

    async fn nonces(&mut self) -> Result<Vec<(NodeId, String, Timestamp)>, Error> {
        // Others spend here too: the table is asked each time, and nothing is known by heart.
        Ok(Vec::new())
    }

    async fn spend_nonce(&mut self, source: &NodeId, nonce: &str, expires: Timestamp) -> Result<bool, Error> {
        let sql = "INSERT INTO nonces (source, nonce, expires_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
        let statement =
            sqlx::query(sql).bind(source.to_string()).bind(nonce.to_owned()).bind(expires.as_millis());
        Ok(self.execute("spending a nonce", statement).await? == 1)
    }

    async fn prune_nonces(&mut self, now: Timestamp) -> Result<(), Error> {
        let statement = sqlx::query("DELETE FROM nonces WHERE expires_at < $1").bind(now.as_millis());
        self.execute("pruning nonces", statement).await.map(|_| ())
    }
}
