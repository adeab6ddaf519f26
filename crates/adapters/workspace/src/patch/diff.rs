//! A patch as people and other tools read it: git's unified form, and counts of lines.

use std::fmt::Write;
use std::time::Duration;

use edgecoder_base::{Blobs, Change, Manifest, Patch};
use serde::Serialize;
use similar::udiff::UnifiedHunkHeader;
use similar::{ChangeTag, TextDiff};

use super::check_against;
use crate::Error;

/// Lines shown around a change, as git does.
const CONTEXT_LINES: usize = 3;
/// After this long a diff of two files may be longer than needed; it is still right. Two hostile files
/// could otherwise hold a thread for minutes.
const DIFF_TIMEOUT: Duration = Duration::from_secs(2);

/// Lines added and removed by one change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FileStat {
    /// The file.
    pub path: String,
    /// Lines that are new.
    pub added: usize,
    /// Lines that are gone.
    pub removed: usize,
}

/// Lines added and removed by a patch.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct DiffStat {
    /// One for each change, in path order.
    pub files: Vec<FileStat>,
    /// Sum of the files'.
    pub added: usize,
    /// Sum of the files'.
    pub removed: usize,
}

/// The patch in the form that `git apply` reads.
pub fn unified_diff(patch: &Patch, manifest: &Manifest, blobs: &dyn Blobs) -> Result<String, Error> {
    check_against(patch, manifest)?;
    let mut out = String::new();
    for change in patch.changes.iter().filter(|change| change.before.is_some() || change.after.is_some()) {
        let executable = manifest.get(&change.path).is_some_and(|file| file.executable);
        let old = old_text(change, blobs)?;
        // Writing to a string cannot fail.
        let _ = write_file(&mut out, change, old.as_ref(), if executable { "100755" } else { "100644" });
    }
    Ok(out)
}

/// How many lines each change adds and removes. Binary content counts no lines.
pub fn diffstat(patch: &Patch, manifest: &Manifest, blobs: &dyn Blobs) -> Result<DiffStat, Error> {
    check_against(patch, manifest)?;
    let mut stat = DiffStat::default();
    for change in &patch.changes {
        let mut file = FileStat { path: change.path.clone(), added: 0, removed: 0 };
        if let Old::Text(old) = old_text(change, blobs)? {
            let (old, new) = (lines(&old), lines(change.after.as_deref().unwrap_or_default()));
            let diff = TextDiff::configure().timeout(DIFF_TIMEOUT).diff_slices(&old, &new);
            for line in diff.iter_all_changes() {
                match line.tag() {
                    ChangeTag::Insert => file.added += 1,
                    ChangeTag::Delete => file.removed += 1,
                    ChangeTag::Equal => {}
                }
            }
        }
        stat.added += file.added;
        stat.removed += file.removed;
        stat.files.push(file);
    }
    Ok(stat)
}

enum Old {
    Text(String),
    Binary,
}

impl Old {
    fn as_ref(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Binary => None,
        }
    }
}

fn old_text(change: &Change, blobs: &dyn Blobs) -> Result<Old, Error> {
    let Some(hash) = change.before else { return Ok(Old::Text(String::new())) };
    let bytes = blobs.read(&hash).map_err(|source| Error::Blob { hash, source })?;
    Ok(String::from_utf8(bytes).map_or(Old::Binary, Old::Text))
}

fn write_file(out: &mut String, change: &Change, old: Option<&str>, mode: &str) -> std::fmt::Result {
    let (a, b) = (quoted("a/", &change.path), quoted("b/", &change.path));
    writeln!(out, "diff --git {a} {b}")?;
    if change.before.is_none() {
        writeln!(out, "new file mode {mode}")?;
    } else if change.after.is_none() {
        writeln!(out, "deleted file mode {mode}")?;
    }
    let a = if change.before.is_none() { "/dev/null" } else { &a };
    let b = if change.after.is_none() { "/dev/null" } else { &b };
    match old {
        Some(old) => write_hunks(out, a, b, old, change.after.as_deref().unwrap_or_default()),
        None => writeln!(out, "Binary files {a} and {b} differ"),
    }
}

fn write_hunks(out: &mut String, a: &str, b: &str, old: &str, new: &str) -> std::fmt::Result {
    let (old, new) = (lines(old), lines(new));
    let diff = TextDiff::configure().timeout(DIFF_TIMEOUT).diff_slices(&old, &new);
    let hunks = diff.grouped_ops(CONTEXT_LINES);
    if hunks.is_empty() {
        return Ok(());
    }
    writeln!(out, "--- {a}\n+++ {b}")?;
    for hunk in hunks {
        writeln!(out, "{}", UnifiedHunkHeader::new(&hunk))?;
        for line in hunk.iter().flat_map(|op| diff.iter_changes(op)) {
            write!(out, "{}{}", line.tag(), line.value())?;
            if !line.value().ends_with('\n') {
                writeln!(out, "\n\\ No newline at end of file")?;
            }
        }
    }
    Ok(())
}

/// Lines end at `\n` only, as git sees them; a lone `\r` belongs to its line.
fn lines(text: &str) -> Vec<&str> {
    text.split_inclusive('\n').collect()
}

/// Git quotes a name with a double quote in it; control characters and backslashes never get this far.
fn quoted(prefix: &str, path: &str) -> String {
    if path.contains('"') {
        format!("\"{prefix}{}\"", path.replace('"', "\\\""))
    } else {
        format!("{prefix}{path}")
    }
}
