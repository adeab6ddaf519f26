//! What of a part file is known to be on the disk. Text: the first line says of which file, every other one names
//! a range. A line that a crash cut short is no claim.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::ranges::Ranges;
use crate::catalog::digest::Digest;
use crate::catalog::error::CatalogError;

/// A journal of a terabyte in records of eight megabytes stays below this; what is longer is not ours.
const MAX_JOURNAL_BYTES: u64 = 8 << 20;
/// File name endings.
const JOURNAL: &str = "journal";
pub(super) const PART: &str = "part";

/// Of which file the part is one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Head {
    /// As the person wrote it.
    pub(super) source: String,
    /// Bytes of the whole file.
    pub(super) size: u64,
    /// Its SHA-256, where it was promised.
    pub(super) sha256: Option<Digest>,
    /// The server's name of this version of the file.
    pub(super) tag: Option<String>,
}

impl Head {
    /// Whether bytes of the one are bytes of the other: by content, else by the server's word.
    fn continues(&self, earlier: &Self) -> bool {
        let same = match (self.sha256, earlier.sha256) {
            (Some(now), Some(then)) => now == then,
            (None, None) => self.tag.is_some() && self.tag == earlier.tag,
            (Some(_), None) | (None, Some(_)) => false,
        };
        same && self.size == earlier.size
    }
}

/// The journal of one part, held against other processes.
#[derive(Debug)]
pub(super) struct Journal {
    file: File,
    path: PathBuf,
}

impl Journal {
    /// Opens or makes the journal of `key` in `dir`, and tells which ranges are good for `head`.
    pub(super) fn open(dir: &Path, key: &str, head: &Head) -> Result<(Self, Ranges), CatalogError> {
        let path = dir.join(key).with_extension(JOURNAL);
        let mut options = OpenOptions::new();
        let mut file = options
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(CatalogError::io("open", &path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(CatalogError::Busy { what: head.source.clone() }),
            Err(TryLockError::Error(source)) => return Err(CatalogError::Io { doing: "lock", path, source }),
        }
        let known = read(&mut file).map_err(CatalogError::io("read", &path))?;
        let ranges = known.filter(|(earlier, _)| head.continues(earlier)).map(|(_, ranges)| ranges);
        let ranges = ranges.unwrap_or_default();
        let mut journal = Self { file, path };
        journal.rewrite(head, &ranges)?;
        Ok((journal, ranges))
    }

    /// Begins anew with what is known.
    pub(super) fn rewrite(&mut self, head: &Head, ranges: &Ranges) -> Result<(), CatalogError> {
        let mut text = serde_json::to_string(head).unwrap_or_default();
        text.push('\n');
        ranges.iter().for_each(|range| text.push_str(&line(range)));
        let mut write = || {
            self.file.set_len(0)?;
            io::Seek::rewind(&mut self.file)?;
            self.file.write_all(text.as_bytes())?;
            self.file.sync_data()
        };
        write().map_err(CatalogError::io("write", &self.path))
    }

    /// Claims ranges. The caller made sure that the disk has them.
    pub(super) fn claim(&mut self, ranges: &[Range<u64>]) -> Result<(), CatalogError> {
        let text: String = ranges.iter().map(line).collect();
        let mut write = || {
            self.file.write_all(text.as_bytes())?;
            self.file.sync_data()
        };
        write().map_err(CatalogError::io("write", &self.path))
    }

    /// Removes the journal.
    pub(super) fn remove(self) -> Result<(), CatalogError> {
        remove(&self.path)
    }
}

fn line(range: &Range<u64>) -> String {
    format!("{} {}\n", range.start, range.end)
}

/// Removes a file that may be gone already.
pub(super) fn remove(path: &Path) -> Result<(), CatalogError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(CatalogError::Io { doing: "remove", path: path.to_owned(), source: error })
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

fn read(file: &mut File) -> io::Result<Option<(Head, Ranges)>> {
    let mut text = String::new();
    match file.take(MAX_JOURNAL_BYTES).read_to_string(&mut text) {
        Ok(_) => Ok(parse(&text)),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Ok(None),
        Err(error) => Err(error),
    }
}

fn parse(text: &str) -> Option<(Head, Ranges)> {
    let mut lines = text.split_inclusive('\n').map_while(|line| line.strip_suffix('\n'));
    let head: Head = serde_json::from_str(lines.next()?).ok()?;
    let mut ranges = Ranges::default();
    for line in lines {
        let range =
            line.split_once(' ').and_then(|(start, end)| Some(start.parse().ok()?..end.parse().ok()?));
        // After a line that makes no sense nothing is believed.
        let Some(range) = range.filter(|range| range.start < range.end && range.end <= head.size) else {
            break;
        };
        ranges.add(range);
    }
    Some((head, ranges))
}

/// A download that was not finished.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unfinished {
    /// As the person wrote it.
    pub source: String,
    /// Bytes that are there.
    pub completed: u64,
    /// Bytes of the whole file.
    pub total: u64,
    #[serde(skip)]
    paths: [PathBuf; 2],
}

impl Unfinished {
    /// Forgets it, unless somebody works on it right now.
    pub fn remove(&self) -> Result<(), CatalogError> {
        let [journal, part] = &self.paths;
        let held = File::open(journal).ok().map(|file| file.try_lock());
        if let Some(Err(TryLockError::WouldBlock)) = held {
            return Err(CatalogError::Busy { what: self.source.clone() });
        }
        remove(part)?;
        remove(journal)
    }
}

/// The unfinished downloads in `dir`.
pub fn unfinished(dir: &Path) -> Result<Vec<Unfinished>, CatalogError> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(CatalogError::Io { doing: "list", path: dir.to_owned(), source }),
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.map_err(CatalogError::io("list", dir))?.path();
        if path.extension().is_none_or(|extension| extension != JOURNAL) {
            continue;
        }
        let Ok(Some((head, ranges))) = File::open(&path).and_then(|mut file| read(&mut file)) else {
            continue;
        };
        let part = path.with_extension(PART);
        let (completed, total) = (ranges.bytes(), head.size);
        found.push(Unfinished { source: head.source, completed, total, paths: [path, part] });
    }
    found.sort_by(|a, b| a.source.cmp(&b.source));
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(sha256: Option<&[u8]>, tag: Option<&str>) -> Head {
        let tag = tag.map(str::to_owned);
        Head { source: "hf:a/b".into(), size: 100, sha256: sha256.map(Digest::of), tag }
    }

    #[test]
    fn only_the_same_file_is_continued() {
        let check = |earlier: &Head, now: &Head, expected: bool| {
            assert_eq!(now.continues(earlier), expected, "{earlier:?} {now:?}");
        };
        check(&head(Some(b"a"), None), &head(Some(b"a"), Some("x")), true);
        check(&head(Some(b"a"), Some("x")), &head(Some(b"b"), Some("x")), false);
        check(&head(None, Some("x")), &head(None, Some("x")), true);
        check(&head(None, Some("x")), &head(None, Some("y")), false);
        check(&head(None, None), &head(None, None), false);
        check(&head(None, Some("x")), &head(Some(b"a"), Some("x")), false);
        check(&Head { size: 99, ..head(Some(b"a"), None) }, &head(Some(b"a"), None), false);
    }

    #[test]
    fn a_line_cut_by_a_crash_is_no_claim() {
        let check = |tail: &str, expected: u64| {
            let text = format!("{}\n0 10\n{tail}", serde_json::to_string(&head(None, None)).unwrap());
            assert_eq!(parse(&text).unwrap().1.bytes(), expected, "{tail:?}");
        };
        check("", 10);
        check("20 30\n", 20);
        check("20 30", 10);
        check("20 3", 10);
        check("20 300\n40 50\n", 10);
        check("30 20\n", 10);
        check("x\n20 30\n", 10);
        assert_eq!(parse(""), None);
        assert_eq!(parse("{}\n"), None);
    }

    #[test]
    fn a_journal_keeps_its_claims_and_its_holder() {
        let home = tempfile::tempdir().unwrap();
        let head = head(Some(b"a"), None);
        let (mut journal, ranges) = Journal::open(home.path(), "k", &head).unwrap();
        assert_eq!(ranges.bytes(), 0);
        journal.claim(&[0..10, 20..30]).unwrap();
        let busy = Journal::open(home.path(), "k", &head).unwrap_err();
        assert!(matches!(busy, CatalogError::Busy { .. }));
        let left = unfinished(home.path()).unwrap();
        assert_eq!((left[0].source.as_str(), left[0].completed, left[0].total), ("hf:a/b", 20, 100));
        assert!(matches!(left[0].remove(), Err(CatalogError::Busy { .. })));
        drop(journal);
        assert_eq!(Journal::open(home.path(), "k", &head).unwrap().1.bytes(), 20);
        left[0].remove().unwrap();
        assert_eq!(unfinished(home.path()).unwrap(), []);
    }
}
