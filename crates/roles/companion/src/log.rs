//! A session on disk: one file, one JSON value a line, appended as things happen. What a crash cut off in the middle of
//! a line is left out; everything before it stands.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use edgecoder_agent::session::{Mode, Turn};
use edgecoder_base::Timestamp;
use edgecoder_protocol::ErrorCode;
use serde::{Deserialize, Serialize};

use crate::{Error, Event};

/// Start of a session's name.
const PREFIX: &str = "sess_";
/// Hexadecimal digits behind it.
const DIGITS: usize = 32;
/// Bytes of one session; a longer one is another.
const MAX_BYTES: u64 = 32 << 20;
/// Sessions kept; beyond it the one that was longest unused goes.
const MOST: usize = 500;

/// One line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Record {
    /// The first: which project.
    Opened {
        /// Its root.
        project: PathBuf,
        /// When.
        at: Timestamp,
    },
    /// The person chose how freely it works.
    Mode(Mode),
    /// What the model reads again.
    Turn(Turn),
    /// What the person saw.
    Event(Event),
}

/// An open log.
#[derive(Debug)]
pub(crate) struct Log {
    file: File,
    left: u64,
}

/// A new session's name.
pub(crate) fn name(random: u128) -> String {
    format!("{PREFIX}{random:032x}")
}

/// Where the session of that name lies; none if no session has such a name.
fn place(dir: &Path, id: &str) -> Option<PathBuf> {
    let digits = id.strip_prefix(PREFIX)?;
    let fits =
        digits.len() == DIGITS && digits.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    fits.then(|| dir.join(format!("{id}.jsonl")))
}

impl Log {
    /// Begins a session.
    pub(crate) fn begin(dir: &Path, id: &str, first: &Record) -> Result<(), Error> {
        let path = place(dir, id).ok_or_else(|| unknown(id))?;
        let begin = || {
            private_dir(dir)?;
            sweep(dir)?;
            let mut file = private_file(&path, true)?;
            file.write_all(&line(first))
        };
        begin().map_err(|error| Error::disk(&error))
    }

    /// Opens a session to go on with it.
    pub(crate) fn open(dir: &Path, id: &str) -> Result<Self, Error> {
        let path = place(dir, id).ok_or_else(|| unknown(id))?;
        let open = || -> io::Result<Self> {
            let mut file = private_file(&path, false)?;
            let size = file.metadata()?.len();
            // Whatever a crash cut off ends here, so that the next record has a line of its own.
            file.write_all(b"\n")?;
            Ok(Self { file, left: MAX_BYTES.saturating_sub(size) })
        };
        let log = open().map_err(|error| missing(id, &error))?;
        match log.left {
            0 => Err(Error::new(
                ErrorCode::StorageFull,
                "this session is as long as sessions get: begin another",
            )),
            _ => Ok(log),
        }
    }

    /// Adds a record.
    pub(crate) fn add(&mut self, record: &Record) -> Result<(), Error> {
        let line = line(record);
        self.left = self.left.saturating_sub(line.len() as u64);
        self.file.write_all(&line).map_err(|error| Error::disk(&error))
    }
}

/// Everything that was kept of a session.
pub(crate) fn read(dir: &Path, id: &str) -> Result<Vec<Record>, Error> {
    let path = place(dir, id).ok_or_else(|| unknown(id))?;
    let text = fs::read(&path).map_err(|error| missing(id, &error))?;
    Ok(text.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect())
}

/// Names of the sessions, the latest used first.
pub(crate) fn names(dir: &Path) -> Vec<(String, Timestamp)> {
    let mut found: Vec<(String, Timestamp)> = used(dir)
        .into_iter()
        .filter_map(|(path, at)| Some((path.file_stem()?.to_str()?.to_owned(), at)))
        .collect();
    found.sort_unstable_by_key(|(_, at)| std::cmp::Reverse(*at));
    found
}

fn used(dir: &Path) -> Vec<(PathBuf, Timestamp)> {
    let entries = fs::read_dir(dir).into_iter().flatten().filter_map(Result::ok);
    let found = entries.filter_map(|entry| {
        let at = entry.metadata().ok()?.modified().ok()?.duration_since(std::time::UNIX_EPOCH).ok()?;
        let stem = entry.path().file_stem()?.to_str()?.to_owned();
        place(dir, &stem)
            .map(|path| (path, Timestamp::from_millis(i64::try_from(at.as_millis()).unwrap_or(i64::MAX))))
    });
    found.collect()
}

/// Makes room for one more.
fn sweep(dir: &Path) -> io::Result<()> {
    let mut found = used(dir);
    found.sort_unstable_by_key(|(_, at)| *at);
    let over = (found.len() + 1).saturating_sub(MOST);
    found.into_iter().take(over).try_for_each(|(path, _)| fs::remove_file(path))
}

fn line(record: &Record) -> Vec<u8> {
    let mut line = serde_json::to_vec(record).unwrap_or_default();
    line.push(b'\n');
    line
}

fn unknown(id: &str) -> Error {
    let shown: String = id.chars().filter(|c| c.is_ascii_graphic()).take(64).collect();
    Error::new(ErrorCode::NotFound, format!("there is no session {shown}"))
}

fn missing(id: &str, error: &io::Error) -> Error {
    if error.kind() == io::ErrorKind::NotFound { unknown(id) } else { Error::disk(error) }
}

/// Appends; only its owner reads it.
fn private_file(path: &Path, new: bool) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.append(true).create_new(new);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn private_dir(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(message: &str) -> Record {
        Record::Event(Event::Status { message: message.to_owned() })
    }

    #[test]
    fn what_was_kept_is_read_again_also_after_a_crash_in_mid_line() {
        let dir = tempfile::tempdir().unwrap();
        let id = name(7);
        let opened = Record::Opened { project: "/p".into(), at: Timestamp::from_millis(1) };
        Log::begin(dir.path(), &id, &opened).unwrap();
        Log::open(dir.path(), &id).unwrap().add(&status("one")).unwrap();
        let path = place(dir.path(), &id).unwrap();
        OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"event\":{\"type\"").unwrap();
        Log::open(dir.path(), &id).unwrap().add(&status("two")).unwrap();
        assert_eq!(read(dir.path(), &id).unwrap(), [opened, status("one"), status("two")]);
        assert_eq!(names(dir.path()).len(), 1);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn hole_07_a_session_is_never_a_path() {
        let dir = tempfile::tempdir().unwrap();
        let with_slash = format!("sess_../{}", "a".repeat(29));
        let upper = format!("sess_{}", "A".repeat(32));
        for id in ["", "sess_", "../x", "sess_../../../../etc/passwd", with_slash.as_str(), upper.as_str()] {
            assert_eq!(read(dir.path(), id).unwrap_err().code, ErrorCode::NotFound, "{id}");
            assert!(Log::open(dir.path(), id).is_err());
        }
        assert_eq!(read(dir.path(), &name(1)).unwrap_err().code, ErrorCode::NotFound);
    }
}
