//! The journal of one attempt on disk: every line is durable before the step it announces is taken, so a crash
//! repeats at most that step. Each lease writes a file of its own, named by its epoch, that begins with a copy of
//! the one before: a worker that lost its lease without knowing cannot disturb its successor, even where workers
//! share the folder. Removed once the coordinator has the outcome.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use edgecoder_agent::{Agent, AgentEvent, Brief, Entry, Step, replay};
use edgecoder_base::{AttemptId, Timestamp};

use crate::error::{Error, disk};
use crate::trace::{self, Line, Start};

/// An open journal.
#[derive(Debug)]
pub(crate) struct Journal {
    file: File,
    path: PathBuf,
    turns: usize,
}

/// An attempt found half done.
#[derive(Debug)]
pub(crate) struct Resumed {
    pub(crate) journal: Journal,
    pub(crate) agent: Agent,
    /// The step to take now; none when the first observation is still to come.
    pub(crate) step: Option<Step>,
}

fn path_of(folder: &Path, attempt: &AttemptId, epoch: u64) -> PathBuf {
    folder.join(format!("{attempt}.e{epoch}.jsonl"))
}

/// Epochs under which `attempt` was journalled, newest first.
fn epochs(folder: &Path, attempt: &AttemptId) -> Vec<u64> {
    let prefix = format!("{attempt}.e");
    let epoch = |name: String| name.strip_prefix(&prefix)?.strip_suffix(".jsonl")?.parse().ok();
    let files = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut epochs: Vec<u64> = files.filter_map(|file| epoch(file.file_name().into_string().ok()?)).collect();
    epochs.sort_unstable_by(|a, b| b.cmp(a));
    epochs
}

impl Journal {
    /// Starts a journal for a new lease, replacing one that cannot be resumed.
    pub(crate) fn start(folder: &Path, start: Start) -> Result<Self, Error> {
        let path = path_of(folder, &start.attempt, start.epoch);
        Self::begin(folder, path, "", Line::Start(Box::new(start)))
    }

    /// Takes up what an earlier lease of `attempt` wrote, if it was for the same brief and replays.
    pub(crate) fn resume(
        folder: &Path,
        attempt: &AttemptId,
        brief: &Brief,
        epoch: u64,
        now: Timestamp,
    ) -> Result<Option<Resumed>, Error> {
        for earlier in epochs(folder, attempt).into_iter().filter(|earlier| *earlier < epoch) {
            let Ok(text) = fs::read_to_string(path_of(folder, attempt, earlier)) else { continue };
            let Ok(found) = trace::read(&text) else { continue };
            if found.start.brief != *brief {
                continue;
            }
            let Ok((agent, step)) = replay(brief.clone(), &found.turns) else { continue };
            // A line that was being written when the worker died is left out.
            let whole = &text[..text.rfind('\n').map_or(0, |end| end + 1)];
            let path = path_of(folder, attempt, epoch);
            let mut journal = Self::begin(folder, path, whole, Line::Resumed { at: now, epoch })?;
            journal.turns = found.turns.len();
            return Ok(Some(Resumed { journal, agent, step }));
        }
        Ok(None)
    }

    fn begin(folder: &Path, path: PathBuf, copied: &str, line: Line) -> Result<Self, Error> {
        let doing = "starting the journal";
        fs::create_dir_all(folder).map_err(disk(doing))?;
        let mut file = File::create(&path).map_err(disk(doing))?;
        file.write_all(copied.as_bytes()).map_err(disk(doing))?;
        let mut journal = Self { file, path, turns: 0 };
        journal.write(&[line])?;
        File::open(folder).and_then(|folder| folder.sync_data()).map_err(disk(doing))?;
        Ok(journal)
    }

    /// Writes one turn and what happened in it, durably.
    pub(crate) fn turn(
        &mut self,
        now: Timestamp,
        entry: Entry,
        events: Vec<AgentEvent>,
    ) -> Result<(), Error> {
        let mut lines: Vec<Line> = events.into_iter().map(|event| Line::Event { at: now, event }).collect();
        lines.push(Line::Turn { at: now, entry: Box::new(entry) });
        self.turns += 1;
        self.write(&lines)
    }

    /// How many turns the attempt has behind it, under all its leases: the number of the step it takes now.
    pub(crate) fn turns(&self) -> usize {
        self.turns
    }

    /// The whole text so far.
    pub(crate) fn text(&self) -> Result<Vec<u8>, Error> {
        fs::read(&self.path).map_err(disk("reading the journal"))
    }

    fn write(&mut self, lines: &[Line]) -> Result<(), Error> {
        let doing = "writing the journal";
        let mut text = Vec::new();
        for line in lines {
            serde_json::to_writer(&mut text, line).map_err(|error| disk(doing)(error.into()))?;
            text.push(b'\n');
        }
        self.file.write_all(&text).map_err(disk(doing))?;
        self.file.sync_data().map_err(disk(doing))
    }
}

/// Removes the journals of an attempt whose outcome is delivered or not wanted any more.
pub(crate) fn forget(folder: &Path, attempt: &AttemptId) {
    for epoch in epochs(folder, attempt) {
        if let Err(error) = fs::remove_file(path_of(folder, attempt, epoch))
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(%attempt, %error, "a journal stays behind");
        }
    }
}
