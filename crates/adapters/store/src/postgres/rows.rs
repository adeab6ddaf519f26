//! Rows of PostgreSQL as our records. Text that does not parse is damage, and said so.

use edgecoder_base::Timestamp;
use edgecoder_protocol::ledger::{Checkpoint, Entry};
use edgecoder_tasks::QueueRow;
use sqlx::Row;
use sqlx::postgres::PgRow;

use crate::backend::Place;
use crate::class::Class;

type Result<T> = std::result::Result<T, sqlx::Error>;

fn damaged(error: impl std::error::Error + Send + Sync + 'static) -> sqlx::Error {
    sqlx::Error::Decode(Box::new(error))
}

fn parsed<T, E: std::error::Error + Send + Sync + 'static>(
    row: &PgRow,
    column: usize,
    parse: impl FnOnce(&str) -> std::result::Result<T, E>,
) -> Result<T> {
    parse(row.try_get::<&str, _>(column)?).map_err(damaged)
}

fn optional<T, E: std::error::Error + Send + Sync + 'static>(
    row: &PgRow,
    column: usize,
    parse: impl FnOnce(&str) -> std::result::Result<T, E>,
) -> Result<Option<T>> {
    row.try_get::<Option<&str>, _>(column)?.map(parse).transpose().map_err(damaged)
}

fn unsigned(row: &PgRow, column: usize) -> Result<u64> {
    u64::try_from(row.try_get::<i64, _>(column)?).map_err(damaged)
}

/// Column 0: document.
pub(super) fn document<T: serde::de::DeserializeOwned>(row: &PgRow) -> Result<T> {
    parsed(row, 0, |text| serde_json::from_str(text))
}

/// Columns of a queue row, in this order everywhere.
pub(super) const QUEUE: &str =
    "queue.attempt, queue.task, queue.class, queue.rank, queue.leased, queue.worker, queue.due, queue.seq";

pub(super) fn queue(row: &PgRow) -> Result<(QueueRow, Place)> {
    let class = parsed(row, 2, Class::from_text)?;
    let queue = QueueRow {
        attempt: parsed(row, 0, str::parse)?,
        task: parsed(row, 1, str::parse)?,
        kind: class.kind,
        rank: row.try_get(3)?,
        privacy: class.privacy,
        min_level: class.min_level,
        model: class.model,
        leased: row.try_get(4)?,
        worker: optional(row, 5, str::parse)?,
        due: Timestamp::from_millis(row.try_get(6)?),
    };
    let place = Place { rank: queue.rank, seq: row.try_get(7)? };
    Ok((queue, place))
}

/// Columns of an entry, in this order everywhere.
pub(super) const ENTRY: &str =
    "coordinator, sequence, id, event_type, task, subtask, actor, issued_at, prev_hash, payload, hash";

pub(super) fn entry(row: &PgRow) -> Result<Entry> {
    Ok(Entry {
        coordinator_id: parsed(row, 0, str::parse)?,
        sequence: unsigned(row, 1)?,
        id: row.try_get(2)?,
        event_type: row.try_get(3)?,
        task_id: optional(row, 4, str::parse)?,
        subtask_id: optional(row, 5, str::parse)?,
        actor_id: row.try_get(6)?,
        issued_at_ms: row.try_get(7)?,
        prev_hash: row.try_get(8)?,
        payload_json: row.try_get(9)?,
        hash: row.try_get(10)?,
    })
}

/// Columns of a checkpoint, in this order everywhere.
pub(super) const CHECKPOINT: &str = "coordinator, sequence, hash, signed_at, signature";

pub(super) fn checkpoint(row: &PgRow) -> Result<Checkpoint> {
    Ok(Checkpoint {
        coordinator_id: parsed(row, 0, str::parse)?,
        sequence: unsigned(row, 1)?,
        hash: row.try_get(2)?,
        signed_at: Timestamp::from_millis(row.try_get(3)?),
        signature: parsed(row, 4, edgecoder_base::Signature::from_base64)?,
    })
}
