//! Rows of SQLite as our records. Text that does not parse is damage, and said so.

use edgecoder_base::Timestamp;
use edgecoder_protocol::ledger::{Checkpoint, Entry};
use edgecoder_tasks::{QueueRow, Task};
use rusqlite::Row;
use rusqlite::types::Type;

use crate::backend::Place;

type Result<T> = rusqlite::Result<T>;

/// Reads a text column through a parser.
fn parsed<T, E: std::error::Error + Send + Sync + 'static>(
    row: &Row<'_>,
    column: usize,
    parse: impl FnOnce(&str) -> std::result::Result<T, E>,
) -> Result<T> {
    let text: String = row.get(column)?;
    parse(&text)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(error)))
}

fn optional<T, E: std::error::Error + Send + Sync + 'static>(
    row: &Row<'_>,
    column: usize,
    parse: impl FnOnce(&str) -> std::result::Result<T, E>,
) -> Result<Option<T>> {
    match row.get_ref(column)? {
        rusqlite::types::ValueRef::Null => Ok(None),
        _ => parsed(row, column, parse).map(Some),
    }
}

fn json<T: serde::de::DeserializeOwned>(text: &str) -> std::result::Result<T, serde_json::Error> {
    serde_json::from_str(text)
}

fn word<T: serde::de::DeserializeOwned>(text: &str) -> std::result::Result<T, serde_json::Error> {
    serde_json::from_value(serde_json::Value::String(text.to_owned()))
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
    "attempt, task, kind, rank, privacy, min_level, model, leased, worker, due, seq";

pub(super) fn queue(row: &Row<'_>) -> Result<(QueueRow, Place)> {
    let queue = QueueRow {
        attempt: parsed(row, 0, str::parse)?,
        task: parsed(row, 1, str::parse)?,
        kind: parsed(row, 2, word)?,
        rank: row.get(3)?,
        privacy: parsed(row, 4, word)?,
        min_level: parsed(row, 5, word)?,
        model: row.get(6)?,
        leased: row.get(7)?,
        worker: optional(row, 8, str::parse)?,
        due: Timestamp::from_millis(row.get(9)?),
    };
    let place = Place { rank: queue.rank, seq: row.get(10)? };
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
