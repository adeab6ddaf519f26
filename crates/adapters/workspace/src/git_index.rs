//! Reads the names in a git index, so that a tracked file counts even where `.gitignore` names it. Only
//! names: `git` itself is never run, because a repository's configuration can make it run anything.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::beneath::{Found, Root};

/// Largest index read, bytes: about two million entries.
const MAX_INDEX_BYTES: u64 = 256 * 1024 * 1024;
/// Entry bytes before the object name: times, device, inode, mode, owner, size.
const STAT_BYTES: usize = 40;

/// What the index tracks, relative to the frozen root.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Tracked {
    files: BTreeSet<String>,
    submodules: BTreeSet<String>,
}

impl Tracked {
    pub(crate) fn file(&self, path: &str) -> bool {
        self.files.contains(path)
    }

    pub(crate) fn submodule(&self, path: &str) -> bool {
        self.submodules.contains(path)
    }

    /// Whether anything below the folder `path` is tracked.
    pub(crate) fn below(&self, path: &str) -> bool {
        let from = format!("{path}/");
        let after =
            |set: &BTreeSet<String>| set.range(from.clone()..).next().is_some_and(|p| p.starts_with(&from));
        after(&self.files) || after(&self.submodules)
    }
}

/// Where the repository of a root keeps its files.
#[derive(Debug)]
pub(crate) struct Repository {
    /// The working tree's top folder: the root, or one of its parents.
    pub(crate) top: PathBuf,
    git_dir: PathBuf,
}

impl Repository {
    /// The repository that `root` (absolute) belongs to, if any.
    pub(crate) fn around(root: &Path) -> Option<Self> {
        root.ancestors().find_map(|top| {
            let dot_git = top.join(".git");
            let kind = std::fs::symlink_metadata(&dot_git).ok()?;
            let git_dir = if kind.is_dir() { dot_git } else { linked(top)? };
            Some(Self { top: top.to_owned(), git_dir })
        })
    }

    /// The text of `info/exclude`; a linked worktree keeps it in the main repository's folder.
    pub(crate) fn exclude(&self) -> Option<String> {
        let main = match read(&self.git_dir, "commondir", 4096) {
            Some(bytes) => self.git_dir.join(String::from_utf8(bytes).ok()?.trim()),
            None => self.git_dir.clone(),
        };
        read(&main, "info/exclude", 1024 * 1024).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The tracked paths below `root`. An index that cannot be read tracks nothing: then `.gitignore`
    /// alone decides, which leaves out more, never less.
    pub(crate) fn tracked(&self, root: &Path) -> Tracked {
        let prefix = root.strip_prefix(&self.top).ok().and_then(Path::to_str).unwrap_or_default();
        let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        let Some(bytes) = read(&self.git_dir, "index", MAX_INDEX_BYTES) else { return Tracked::default() };
        // The object format is not in the index: 20 bytes unless the repository uses SHA-256.
        let parsed = parse(&bytes, 20, &prefix).or_else(|| parse(&bytes, 32, &prefix));
        parsed.unwrap_or_else(|| {
            tracing::warn!(git_dir = %self.git_dir.display(), "git index not understood, .gitignore decides alone");
            Tracked::default()
        })
    }
}

/// `.git` as a file (`gitdir: <path>`): a worktree or submodule checkout.
fn linked(top: &Path) -> Option<PathBuf> {
    let text = String::from_utf8(read(top, ".git", 4096)?).ok()?;
    Some(top.join(text.strip_prefix("gitdir:")?.trim()))
}

fn read(dir: &Path, name: &str, max_bytes: u64) -> Option<Vec<u8>> {
    match Root::open(dir).ok()?.read(Path::new(name), max_bytes).ok()? {
        Found::File { bytes, .. } => Some(bytes),
        Found::TooLarge(_) | Found::NotRegular | Found::Missing => None,
    }
}

fn parse(bytes: &[u8], hash_bytes: usize, prefix: &str) -> Option<Tracked> {
    if bytes.get(..4)? != b"DIRC" {
        return None;
    }
    let version = u32_at(bytes, 4)?;
    let count = u32_at(bytes, 8)?;
    if !(2..=4).contains(&version) {
        return None;
    }
    let mut tracked = Tracked::default();
    let mut name: Vec<u8> = Vec::new();
    let mut at = 12;
    for _ in 0..count {
        let mode = u32_at(bytes, at + 24)?;
        let flags_at = at + STAT_BYTES + hash_bytes;
        let extended = bytes.get(flags_at)? & 0x40 != 0;
        let name_at = flags_at + if version >= 3 && extended { 4 } else { 2 };
        at = if version == 4 {
            compressed_name(bytes, name_at, &mut name)?
        } else {
            let length = bytes.get(name_at..)?.iter().position(|byte| *byte == 0)?;
            name = bytes.get(name_at..name_at + length)?.to_vec();
            at + (name_at + length - at + 8) / 8 * 8
        };
        keep(&mut tracked, mode, &name, prefix)?;
    }
    Some(tracked)
}

/// Version 4 stores how much of the last name to drop, and the rest. Returns where the next entry starts.
fn compressed_name(bytes: &[u8], mut at: usize, name: &mut Vec<u8>) -> Option<usize> {
    let mut drop = usize::from(bytes.get(at)? & 0x7f);
    while bytes.get(at)? & 0x80 != 0 {
        at += 1;
        drop = drop.checked_add(1)?.checked_mul(128)?.checked_add(usize::from(bytes.get(at)? & 0x7f))?;
    }
    let rest = bytes.get(at + 1..)?;
    let length = rest.iter().position(|byte| *byte == 0)?;
    name.truncate(name.len().checked_sub(drop)?);
    name.extend_from_slice(&rest[..length]);
    Some(at + 1 + length + 1)
}

fn keep(tracked: &mut Tracked, mode: u32, name: &[u8], prefix: &str) -> Option<()> {
    let kind = mode >> 12;
    // Regular file, link, gitlink, sparse folder: anything else means we read at the wrong offset.
    if !matches!(kind, 0o10 | 0o12 | 0o16 | 0o4) || name.is_empty() {
        return None;
    }
    let Some(path) = std::str::from_utf8(name).ok().and_then(|name| name.strip_prefix(prefix)) else {
        return Some(());
    };
    match kind {
        0o16 => tracked.submodules.insert(path.to_owned()),
        0o4 => false,
        _ => tracked.files.insert(path.to_owned()),
    };
    Some(())
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rubbish_is_refused_at_every_length() {
        let mut bytes = b"DIRC\0\0\0\x02\0\0\0\x05".to_vec();
        for extra in 0..200u8 {
            assert_eq!(parse(&bytes, 20, ""), None, "{extra}");
            assert_eq!(parse(&bytes, 32, ""), None, "{extra}");
            bytes.push(extra);
        }
    }
}
