//! Rows of SQLite as our records. Text that does not parse is damage, and said so.

use edgecoder_base::{NodeId, Timestamp};
use edgecoder_protocol::ledger::{Checkpoint, Entry};
use edgecoder_tasks::{QueueRow, Task};
use rusqlite::Row;
use rusqlite::types::Type;

use crate::backend::Place;
use crate::class::Class;

type Result<T> = rusqlite::Result<T>;

/// Reads a text column through a parser.
fn parsed<T, E: std::error::Error + Send + Sync + 'static>(
    row: &Row<'_>,
    column: usize,
    parse: impl FnOnce(&str) -> std::result::Result<T, E>,
) -> Result<T> {
    let text = row.get_ref(column)?.as_str()?;
    parse(text)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(error)))
}

fn optional<T, E: std::error::Error + Send + Sync + 'static>(
    row: &Row<'_>,
    column: usize,
    parse: impl FnOnce(&str) -> std::result::Result<T, E>,
) -> Result<Option<T>> {
    let absent = row.get_ref(column)? == rusqlite::types::ValueRef::Null;
    if absent { Ok(None) } else { parsed(row, column, parse).map(Some) }
}

fn json<T: serde::de::DeserializeOwned>(text: &str) -> std::result::Result<T, serde_json::Error> {
    serde_json::from_str(text)
}

/// Column 0: document.
pub(super) fn document<T: serde::de::DeserializeOwned>(row: &Row<'_>) -> Result<T> {
    parsed(row, 0, json)
}

/// Column 0: a task's document.
pub(super) fn task(row: &Row<'_>) -> Result<Task> {
    document(row)
}

/// Columns of a queue row, in this order everywhere.
pub(super) const QUEUE: &str =
    "queue.attempt, queue.task, queue.class, queue.rank, queue.leased, queue.worker, queue.due, queue.seq";

pub(super) fn queue(row: &Row<'_>) -> Result<(QueueRow, Place)> {
    let class = parsed(row, 2, Class::from_text)?;
    let queue = QueueRow {
        attempt: parsed(row, 0, str::parse)?,
        task: parsed(row, 1, str::parse)?,
        kind: class.kind,
        rank: row.get(3)?,
        privacy: class.privacy,
        min_level: class.min_level,
        model: class.model,
        leased: row.get(4)?,
        worker: optional(row, 5, str::parse)?,
        due: Timestamp::from_millis(row.get(6)?),
    };
    let place = Place { rank: queue.rank, seq: row.get(7)? };
    Ok((queue, place))
}

/// Columns of an entry, in this order everywhere.
pub(super) const ENTRY: &str =
    "coordinator, sequence, id, event_type, task, subtask, actor, issued_at, prev_hash, payload, hash";

pub(super) fn entry(row: &Row<'_>) -> Result<Entry> {
    Ok(Entry {
        coordinator_id: parsed(row, 0, str::parse)?,
        sequence: row.get(1)?,
        id: row.get(2)?,
        event_type: row.get(3)?,
        task_id: optional(row, 4, str::parse)?,
        subtask_id: optional(row, 5, str::parse)?,
        actor_id: row.get(6)?,
        issued_at_ms: row.get(7)?,
        prev_hash: row.get(8)?,
        payload_json: row.get(9)?,
        hash: row.get(10)?,
    })
}

/// A source, what it spent, and until when it is remembered.
pub(super) fn nonce(row: &Row<'_>) -> Result<(NodeId, String, Timestamp)> {
    Ok((parsed(row, 0, str::parse)?, row.get(1)?, Timestamp::from_millis(row.get(2)?)))
}

/// Columns of a checkpoint, in this order everywhere.
pub(super) const CHECKPOINT: &str = "coordinator, sequence, hash, signed_at, signature";

pub(super) fn checkpoint(row: &Row<'_>) -> Result<Checkpoint> {
    Ok(Checkpoint {
        coordinator_id: parsed(row, 0, str::parse)?,
        sequence: row.get(1)?,
        hash: row.get(2)?,
        signed_at: Timestamp::from_millis(row.get(3)?),
        signature: parsed(row, 4, edgecoder_base::Signature::from_base64)?,
    })
}
