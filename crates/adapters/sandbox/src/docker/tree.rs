//! Sends the tree and what is laid over it into a container: no path of the host is mounted, so the daemon need not
//! see the node's files, nor the container's user own them.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tokio::sync::mpsc::Sender;

use super::wire::{Entry, Kind};
use crate::execution::{Job, JobFile};

/// Files take whole pages in memory.
const PAGE_BYTES: u64 = 4096;
/// Content is sent in pieces of this size.
const PIECE_BYTES: usize = 256 * 1024;
/// As the owner may do, when a file is laid over the tree.
const PLAIN: u16 = 0o644;
const EXECUTABLE: u16 = 0o755;

/// Where the content of an entry comes from.
#[derive(Debug)]
enum Content {
    Nothing,
    Here(Vec<u8>),
    At(PathBuf),
}

/// Everything that goes into one container, in an order in which it can be written.
#[derive(Debug, Default)]
pub(super) struct Tree {
    entries: Vec<(Entry, Content)>,
}

impl Tree {
    /// The tree of `job` with its files laid over it. Special files are left out, as in a snapshot.
    pub(super) fn of(job: &Job) -> io::Result<Self> {
        let laid: BTreeMap<&str, &JobFile> =
            job.files.iter().map(|file| (file.path.as_str(), file)).collect();
        let mut tree = Self::default();
        tree.walk(&job.root, Path::new(""), &laid)?;
        for file in laid.values() {
            if let Some(content) = &file.content {
                let mode = if file.executable { EXECUTABLE } else { PLAIN };
                tree.add(Kind::File, mode, file.path.clone().into_bytes(), Content::Here(content.clone()));
            }
        }
        Ok(tree)
    }

    /// What it takes in memory, bytes.
    pub(super) fn bytes(&self) -> u64 {
        let pages =
            |(entry, _): &(Entry, Content)| entry.size.div_ceil(PAGE_BYTES).saturating_mul(PAGE_BYTES);
        self.entries.iter().map(pages).fold(0, u64::saturating_add)
    }

    /// How many files, folders and links it has.
    pub(super) fn count(&self) -> u64 {
        self.entries.len() as u64
    }

    fn add(&mut self, kind: Kind, mode: u16, path: Vec<u8>, content: Content) {
        let size = if let Content::Here(bytes) = &content { bytes.len() as u64 } else { 0 };
        self.entries.push((Entry { kind, mode, path, size }, content));
    }

    fn walk(&mut self, folder: &Path, inside: &Path, laid: &BTreeMap<&str, &JobFile>) -> io::Result<()> {
        let mut entries = fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let (path, below) = (entry.path(), inside.join(entry.file_name()));
            let replaced = below.to_str().is_some_and(|name| laid.contains_key(name));
            let found = fs::symlink_metadata(&path)?;
            let mode = u16::try_from(found.permissions().mode() & 0o777).unwrap_or(PLAIN);
            let name = below.as_os_str().as_bytes().to_vec();
            if found.is_dir() {
                if replaced {
                    let why = format!("{} is a folder of the tree", below.display());
                    return Err(io::Error::new(io::ErrorKind::IsADirectory, why));
                }
                self.add(Kind::Folder, mode, name, Content::Nothing);
                self.walk(&path, &below, laid)?;
            } else if found.is_symlink() && !replaced {
                let target = fs::read_link(&path)?.into_os_string().into_vec();
                self.add(Kind::Link, mode, name, Content::Here(target));
            } else if found.is_file() && !replaced {
                let entry = Entry { kind: Kind::File, mode, path: name, size: found.len() };
                self.entries.push((entry, Content::At(path)));
            }
        }
        Ok(())
    }

    /// Writes everything into `sink`, reading files as it goes. An error when a file is not what it was, or nobody
    /// listens any more.
    pub(super) fn send(self, sink: &Sender<Vec<u8>>) -> io::Result<()> {
        let mut piece = Vec::with_capacity(PIECE_BYTES);
        for (entry, content) in self.entries {
            put(sink, &mut piece, &entry.head())?;
            match content {
                Content::Nothing => {}
                Content::Here(bytes) => put(sink, &mut piece, &bytes)?,
                Content::At(path) => copy(sink, &mut piece, &path, entry.size)?,
            }
        }
        put(sink, &mut piece, &Entry::end().head())?;
        flush(sink, &mut piece)
    }
}

fn copy(sink: &Sender<Vec<u8>>, piece: &mut Vec<u8>, path: &Path, size: u64) -> io::Result<()> {
    let (mut file, mut left) = (File::open(path)?, size);
    let mut buffer = vec![0; PIECE_BYTES];
    while left > 0 {
        let most = usize::try_from(left).unwrap_or(PIECE_BYTES).min(PIECE_BYTES);
        let count = file.read(&mut buffer[..most])?;
        if count == 0 {
            let why = format!("{} became shorter while it was read", path.display());
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, why));
        }
        put(sink, piece, &buffer[..count])?;
        left -= count as u64;
    }
    Ok(())
}

fn put(sink: &Sender<Vec<u8>>, piece: &mut Vec<u8>, bytes: &[u8]) -> io::Result<()> {
    piece.extend_from_slice(bytes);
    if piece.len() >= PIECE_BYTES { flush(sink, piece) } else { Ok(()) }
}

fn flush(sink: &Sender<Vec<u8>>, piece: &mut Vec<u8>) -> io::Result<()> {
    let whole = std::mem::replace(piece, Vec::with_capacity(PIECE_BYTES));
    sink.blocking_send(whole).map_err(|_gone| io::ErrorKind::BrokenPipe.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(job: &Job) -> io::Result<Vec<(Entry, Vec<u8>)>> {
        let (sink, mut source) = tokio::sync::mpsc::channel(64);
        let tree = Tree::of(job)?;
        tree.send(&sink)?;
        drop(sink);
        let mut bytes = Vec::new();
        while let Some(piece) = source.blocking_recv() {
            bytes.extend(piece);
        }
        let (mut from, mut entries) = (bytes.as_slice(), Vec::new());
        loop {
            let entry = Entry::read(&mut from)?;
            if entry.kind == Kind::End {
                assert!(from.is_empty());
                return Ok(entries);
            }
            let (content, rest) = from.split_at(usize::try_from(entry.size).unwrap());
            from = rest;
            entries.push((entry, content.to_vec()));
        }
    }

    fn job() -> (tempfile::TempDir, Job) {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("a/b")).unwrap();
        fs::write(root.path().join("a/keep"), "keep").unwrap();
        fs::write(root.path().join("a/replace"), "old").unwrap();
        fs::write(root.path().join("delete"), "x").unwrap();
        fs::write(root.path().join("large"), vec![b'x'; 3 * PIECE_BYTES + 1]).unwrap();
        std::os::unix::fs::symlink("a/keep", root.path().join("link")).unwrap();
        let job = Job::new(root.path(), "true");
        (root, job)
    }

    #[test]
    fn the_tree_arrives_with_the_patch_on_it() {
        let (_root, mut job) = job();
        job.files = vec![
            JobFile::write("a/replace", "new"),
            JobFile::delete("delete"),
            JobFile::delete("missing"),
            JobFile { executable: true, ..JobFile::write("run", "#!") },
        ];
        let shown: Vec<String> = sent(&job)
            .unwrap()
            .into_iter()
            .map(|(entry, content)| {
                let content = String::from_utf8(content).unwrap();
                let content = if content.len() > 9 { content.len().to_string() } else { content };
                format!("{:?} {} {content}", entry.kind, String::from_utf8(entry.path).unwrap())
            })
            .collect();
        let large = format!("File large {}", 3 * PIECE_BYTES + 1);
        let expected = [
            "Folder a ",
            "Folder a/b ",
            "File a/keep keep",
            &large,
            "Link link a/keep",
            "File a/replace new",
            "File run #!",
        ];
        assert_eq!(shown, expected);
    }

    #[test]
    fn a_folder_is_no_file_to_be_replaced() {
        let (_root, mut job) = job();
        job.files = vec![JobFile::write("a", "")];
        assert_eq!(sent(&job).unwrap_err().kind(), io::ErrorKind::IsADirectory);
        assert!(Tree::of(&Job::new("/nowhere", "true")).is_err());
    }

    #[test]
    fn room_is_counted_in_pages() {
        let (_root, job) = job();
        let tree = Tree::of(&job).unwrap();
        // Three small files and a link, and the large one; folders have no content.
        let large = (3 * PIECE_BYTES as u64 + 1).div_ceil(PAGE_BYTES) * PAGE_BYTES;
        assert_eq!(tree.bytes(), 4 * PAGE_BYTES + large);
        assert_eq!(tree.count(), 7);
    }
}
