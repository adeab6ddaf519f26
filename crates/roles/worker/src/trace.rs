//! The trace of an attempt: one JSON value a line, append-only. Its turns are the agent's journal, so the same
//! file resumes an attempt after a crash and replays it later without a model.

use edgecoder_agent::{AgentEvent, Brief, Entry};
use edgecoder_base::{AttemptId, BlobHash, TaskId, Timestamp};
use serde::{Deserialize, Serialize};

/// One line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "line", rename_all = "snake_case")]
pub enum Line {
    /// The first: what the attempt started from.
    Start(Box<Start>),
    /// What happened, and what the agent then asked for.
    Turn {
        /// When it was written.
        at: Timestamp,
        /// The turn.
        #[serde(flatten)]
        entry: Box<Entry>,
    },
    /// Something a person may want to see.
    Event {
        /// When.
        at: Timestamp,
        /// What.
        event: AgentEvent,
    },
    /// The attempt was taken up again after its worker went away.
    Resumed {
        /// When.
        at: Timestamp,
        /// Under which lease.
        epoch: u64,
    },
}

/// What an attempt starts from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Start {
    /// When.
    pub at: Timestamp,
    /// The task.
    pub task: TaskId,
    /// The attempt.
    pub attempt: AttemptId,
    /// Under which lease.
    pub epoch: u64,
    /// The snapshot.
    pub snapshot: Option<BlobHash>,
    /// Patches beneath the work.
    pub base: Vec<BlobHash>,
    /// The model.
    pub model: String,
    /// Its file.
    pub model_hash: Option<BlobHash>,
    /// The engine.
    pub engine: String,
    /// The capsules that its executions were shown.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub capsules: Vec<BlobHash>,
    /// What the agent was told.
    pub brief: Brief,
}

/// A trace read back.
#[derive(Debug, Clone, PartialEq)]
pub struct Trace {
    /// The first line.
    pub start: Start,
    /// The turns in order.
    pub turns: Vec<Entry>,
    /// The events in order.
    pub events: Vec<AgentEvent>,
}

/// Why a trace cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// A line that is not of a trace; the last line of a crash may be cut and is ignored.
    #[error("line {number} is not of a trace: {source}")]
    Line {
        /// From 1.
        number: usize,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// No first line.
    #[error("the trace has no start")]
    NoStart,
}

/// Reads a trace. A last line without its newline was being written when the worker died; it is left out.
pub fn read(text: &str) -> Result<Trace, TraceError> {
    let whole = text.rfind('\n').map_or("", |end| &text[..=end]);
    let (mut start, mut turns, mut events) = (None, Vec::new(), Vec::new());
    for (index, line) in whole.lines().enumerate() {
        let line =
            serde_json::from_str(line).map_err(|source| TraceError::Line { number: index + 1, source })?;
        match line {
            Line::Start(first) => start = Some(*first),
            Line::Turn { entry, .. } => turns.push(*entry),
            Line::Event { event, .. } => events.push(event),
            Line::Resumed { .. } => (),
        }
    }
    Ok(Trace { start: start.ok_or(TraceError::NoStart)?, turns, events })
}
