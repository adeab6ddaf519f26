//! PostgreSQL's half of the reading seam.

use std::collections::BTreeMap;

use edgecoder_base::{NodeId, TaskId, Timestamp};
use edgecoder_protocol::ledger::{Checkpoint, Entry};
use edgecoder_tasks::Task;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, PgPool, Postgres, Row};

use super::rows::{self, CHECKPOINT, ENTRY};
use crate::reads::{Counts, Reads, TaskFilter};
use crate::{Error, NodeRecord};

/// A pool of reading connections.
#[derive(Debug, Clone)]
pub struct PostgresReads {
    pool: PgPool,
}

type Statement = Query<'static, Postgres, PgArguments>;

impl PostgresReads {
    pub(super) const fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    pub(crate) const fn pool(&self) -> &PgPool {
        &self.pool
    }

    async fn many<T>(
        &self,
        doing: &'static str,
        statement: Statement,
        read: impl Fn(&PgRow) -> Result<T, sqlx::Error> + Send,
    ) -> Result<Vec<T>, Error> {
        let rows = statement.fetch_all(&self.pool).await;
        let rows = rows.map_err(|error| Error::from_postgres(doing, &error))?;
        rows.iter().map(read).collect::<Result<_, _>>().map_err(|error| Error::corrupt(doing, error))
    }
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn count(row: &PgRow, column: usize) -> Result<u64, sqlx::Error> {
    Ok(row.try_get::<i64, _>(column)?.unsigned_abs())
}

impl Reads for PostgresReads {
    async fn task(&self, id: &TaskId) -> Result<Option<Task>, Error> {
        let statement = sqlx::query("SELECT document FROM tasks WHERE id = $1").bind(id.to_string());
        Ok(self.many("reading a task", statement, rows::document).await?.into_iter().next())
    }

    async fn outputs(&self, id: &TaskId) -> Result<Vec<(usize, String)>, Error> {
        let sql = "SELECT subtask, body FROM outputs WHERE task = $1 ORDER BY subtask";
        let read = |row: &PgRow| {
            let subtask = usize::try_from(count(row, 0)?).unwrap_or(usize::MAX);
            Ok((subtask, row.try_get(1)?))
        };
        self.many("reading outputs", sqlx::query(sql).bind(id.to_string()), read).await
    }

    async fn tasks(&self, filter: TaskFilter) -> Result<Vec<Task>, Error> {
        let (at, id) = filter
            .after
            .map_or_else(|| (i64::MAX, "~".to_owned()), |(at, id)| (at.as_millis(), id.to_string()));
        let sql = "SELECT document FROM tasks WHERE (created_at, id) < ($1, $2) \
                   AND ($4::text IS NULL OR state = $4) ORDER BY created_at DESC, id DESC LIMIT $3";
        let statement = sqlx::query(sql).bind(at).bind(id).bind(i64::from(filter.limit)).bind(filter.state);
        self.many("listing tasks", statement, rows::document).await
    }

    async fn counts(&self) -> Result<Counts, Error> {
        let queued =
            self.many("counting", sqlx::query("SELECT count(*) FROM queue"), |row| count(row, 0)).await?;
        let by_state = sqlx::query("SELECT state, count(*) FROM tasks GROUP BY state");
        let tasks = self.many("counting", by_state, |row| Ok((row.try_get(0)?, count(row, 1)?))).await?;
        Ok(Counts { queued: queued.into_iter().next().unwrap_or(0), tasks: BTreeMap::from_iter(tasks) })
    }

    async fn task_entries(&self, id: &TaskId, after: u64, limit: u32) -> Result<Vec<(u64, Entry)>, Error> {
        let sql = format!(
            "SELECT {ENTRY}, position FROM entries WHERE task = $1 AND position > $2 ORDER BY position LIMIT $3"
        );
        let statement =
            sqlx::query(AssertSqlSafe(sql)).bind(id.to_string()).bind(signed(after)).bind(i64::from(limit));
        let placed = |row: &PgRow| Ok((count(row, 11)?, rows::entry(row)?));
        self.many("reading a task's events", statement, placed).await
    }

    async fn chains(&self) -> Result<Vec<NodeId>, Error> {
        let statement = sqlx::query("SELECT DISTINCT coordinator FROM checkpoints ORDER BY coordinator");
        let read = |row: &PgRow| {
            let id = row.try_get::<&str, _>(0)?;
            id.parse().map_err(|error: edgecoder_base::IdError| sqlx::Error::Decode(Box::new(error)))
        };
        self.many("listing chains", statement, read).await
    }

    async fn entries(&self, chain: &NodeId, after: u64, limit: u32) -> Result<Vec<Entry>, Error> {
        let sql = format!(
            "SELECT {ENTRY} FROM entries WHERE coordinator = $1 AND sequence > $2 ORDER BY sequence LIMIT $3"
        );
        let statement = sqlx::query(AssertSqlSafe(sql))
            .bind(chain.to_string())
            .bind(signed(after))
            .bind(i64::from(limit));
        self.many("reading the ledger", statement, rows::entry).await
    }

    async fn checkpoints(&self, chain: &NodeId, after: u64, limit: u32) -> Result<Vec<Checkpoint>, Error> {
        let sql = format!(
            "SELECT {CHECKPOINT} FROM checkpoints WHERE coordinator = $1 AND sequence > $2 \
             ORDER BY sequence LIMIT $3"
        );
        let statement = sqlx::query(AssertSqlSafe(sql))
            .bind(chain.to_string())
            .bind(signed(after))
            .bind(i64::from(limit));
        self.many("reading checkpoints", statement, rows::checkpoint).await
    }

    async fn last_checkpoint(&self, chain: &NodeId) -> Result<Option<Checkpoint>, Error> {
        let sql = format!(
            "SELECT {CHECKPOINT} FROM checkpoints WHERE coordinator = $1 ORDER BY sequence DESC LIMIT 1"
        );
        let statement = sqlx::query(AssertSqlSafe(sql)).bind(chain.to_string());
        Ok(self.many("reading the last checkpoint", statement, rows::checkpoint).await?.into_iter().next())
    }

    async fn node(&self, id: &NodeId) -> Result<Option<NodeRecord>, Error> {
        let statement = sqlx::query("SELECT document FROM nodes WHERE id = $1").bind(id.to_string());
        Ok(self.many("reading a node", statement, rows::document).await?.into_iter().next())
    }

    async fn nodes(&self) -> Result<Vec<NodeRecord>, Error> {
        self.many("listing nodes", sqlx::query("SELECT document FROM nodes ORDER BY id"), rows::document)
            .await
    }

    async fn next_due(&self, now: Timestamp) -> Result<Option<Timestamp>, Error> {
        let sql = "SELECT min(due) FROM (SELECT min(due) AS due FROM queue WHERE leased \
                   UNION ALL SELECT min(due) FROM queue WHERE paused AND due > $1) AS next";
        let statement = sqlx::query(sql).bind(now.as_millis());
        let due = self
            .many("looking for the next deadline", statement, |row| row.try_get::<Option<i64>, _>(0))
            .await?;
        Ok(due.into_iter().next().flatten().map(Timestamp::from_millis))
    }

    async fn ready_count(&self, now: Timestamp) -> Result<u64, Error> {
        let sql =
            "SELECT count(*) FROM (SELECT 1 FROM queue WHERE NOT leased AND due <= $1 LIMIT 100) AS waiting";
        let statement = sqlx::query(sql).bind(now.as_millis());
        let counted = self.many("counting waiting rows", statement, |row| count(row, 0)).await?;
        Ok(counted.into_iter().next().unwrap_or(0))
    }
}
