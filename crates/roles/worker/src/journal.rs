//! The journal of one attempt on disk: every line is durable before the step it announces is taken, so a crash
//! repeats at most that step. Removed once the coordinator has the outcome.

use std::fs::{self, File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
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
}

/// An attempt found half done.
#[derive(Debug)]
pub(crate) struct Resumed {
    pub(crate) journal: Journal,
    pub(crate) agent: Agent,
    /// The step to take now; none when the first observation is still to come.
    pub(crate) step: Option<Step>,
}

fn path_of(folder: &Path, attempt: &AttemptId) -> PathBuf {
    folder.join(format!("{attempt}.jsonl"))
}

impl Journal {
    /// Starts a journal, replacing one that cannot be resumed.
    pub(crate) fn start(folder: &Path, start: Start) -> Result<Self, Error> {
        let doing = "starting the journal";
        fs::create_dir_all(folder).map_err(disk(doing))?;
        let path = path_of(folder, &start.attempt);
        let file = File::create(&path).map_err(disk(doing))?;
        let mut journal = Self { file, path };
        journal.write(&[Line::Start(Box::new(start))])?;
        File::open(folder).and_then(|folder| folder.sync_data()).map_err(disk(doing))?;
        Ok(journal)
    }

    /// Takes up the journal of `attempt` if there is one for the same brief that replays.
    pub(crate) fn resume(
        folder: &Path,
        attempt: &AttemptId,
        brief: &Brief,
        epoch: u64,
        now: Timestamp,
    ) -> Result<Option<Resumed>, Error> {
        let path = path_of(folder, attempt);
        let Ok(text) = fs::read_to_string(&path) else { return Ok(None) };
        let Ok(found) = trace::read(&text) else { return Ok(None) };
        if found.start.brief != *brief {
            return Ok(None);
        }
        let Ok((agent, step)) = replay(brief.clone(), &found.turns) else { return Ok(None) };
        let doing = "taking up the journal";
        let mut file = OpenOptions::new().write(true).open(&path).map_err(disk(doing))?;
        // A line that was being written when the worker died is cut off.
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        file.set_len(whole as u64).map_err(disk(doing))?;
        file.seek(SeekFrom::End(0)).map_err(disk(doing))?;
        let mut journal = Self { file, path };
        journal.write(&[Line::Resumed { at: now, epoch }])?;
        Ok(Some(Resumed { journal, agent, step }))
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
        self.write(&lines)
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

/// Removes the journal of an attempt whose outcome is delivered or not wanted any more.
pub(crate) fn forget(folder: &Path, attempt: &AttemptId) {
    if let Err(error) = fs::remove_file(path_of(folder, attempt))
        && error.kind() != std::io::ErrorKind::NotFound
    {
        tracing::warn!(%attempt, %error, "a journal stays behind");
    }
}
