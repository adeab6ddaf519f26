//! Builds one tree beside its final place and renames it there: a tree under a snapshot's name is always
//! whole.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, Permissions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use edgecoder_base::snapshot::ManifestError;
use edgecoder_base::{Blobs, FileEntry, Manifest};

use crate::Error;
use crate::patch::names_repository_internals;

const FILE_MODE: u32 = 0o644;
const EXECUTABLE_MODE: u32 = 0o755;
const FOLDER_MODE: u32 = 0o755;
/// Linking is system-call bound and serialises per folder; more threads only queue.
const MAX_BUILDERS: usize = 8;

/// The manifest's own rules, and no name that a file system might read as `.git`.
pub(super) fn check(manifest: &Manifest) -> Result<(), Error> {
    manifest.check()?;
    match manifest.files.iter().find(|file| names_repository_internals(&file.path)) {
        Some(file) => Err(ManifestError::UnsafePath(file.path.clone()).into()),
        None => Ok(()),
    }
}

/// Builds the tree of a checked manifest at `to`, which must not exist.
pub(super) fn build(to: &Path, staging: &Path, manifest: &Manifest, blobs: &dyn Blobs) -> Result<(), Error> {
    let temporary = tempfile::Builder::new().prefix("tree-").tempdir_in(staging);
    let temporary = temporary.map_err(Error::io("create", staging))?;
    let tree = temporary.path().join("tree");
    folders(&tree, manifest)?;
    files(&tree, &manifest.files, blobs)?;
    fs::rename(&tree, to).map_err(Error::io("move in place", to))
}

/// Makes every folder itself, in a directory that nobody else writes to: so no component is ever a link.
fn folders(tree: &Path, manifest: &Manifest) -> Result<(), Error> {
    let mut folders = BTreeSet::from([""]);
    for file in &manifest.files {
        folders.extend(file.path.match_indices('/').map(|(at, _)| &file.path[..at]));
    }
    for folder in folders {
        let path = tree.join(folder);
        DirBuilder::new().mode(FOLDER_MODE).create(&path).map_err(Error::io("create", &path))?;
    }
    Ok(())
}

fn files(tree: &Path, entries: &[FileEntry], blobs: &dyn Blobs) -> Result<(), Error> {
    let next = AtomicUsize::new(0);
    let work = || {
        while let Some(entry) = entries.get(next.fetch_add(1, Ordering::Relaxed)) {
            let placed = file(tree, entry, blobs);
            if placed.is_err() {
                next.store(entries.len(), Ordering::Relaxed);
                return placed;
            }
        }
        Ok(())
    };
    let builders = std::thread::available_parallelism().map_or(2, usize::from).min(MAX_BUILDERS);
    std::thread::scope(|scope| {
        let threads: Vec<_> = (1..builders).map(|_| scope.spawn(work)).collect();
        let mut done = work();
        for thread in threads {
            match thread.join() {
                Ok(result) => done = done.and(result),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        done
    })
}

fn file(tree: &Path, entry: &FileEntry, blobs: &dyn Blobs) -> Result<(), Error> {
    let to = tree.join(&entry.path);
    if entry.executable {
        // A hard link has the blob's mode, and that is not executable.
        let bytes = blobs.read(&entry.hash).map_err(|source| Error::Blob { hash: entry.hash, source })?;
        same_size(entry, bytes.len() as u64)?;
        let created = fs::OpenOptions::new().write(true).create_new(true).mode(EXECUTABLE_MODE).open(&to);
        let written = created.and_then(|mut file| {
            file.write_all(&bytes)?;
            // The mode of `open` is cut by the umask.
            file.set_permissions(Permissions::from_mode(EXECUTABLE_MODE))
        });
        return written.map_err(Error::io("write", to));
    }
    blobs.place(&entry.hash, &to).map_err(|source| Error::Blob { hash: entry.hash, source })?;
    let placed = fs::symlink_metadata(&to).map_err(Error::io("inspect", &to))?;
    same_size(entry, placed.len())?;
    if placed.mode() & 0o777 != FILE_MODE {
        fs::set_permissions(&to, Permissions::from_mode(FILE_MODE)).map_err(Error::io("protect", &to))?;
    }
    Ok(())
}

fn same_size(entry: &FileEntry, found: u64) -> Result<(), Error> {
    if entry.size == found {
        return Ok(());
    }
    Err(Error::SizeMismatch { path: entry.path.clone(), expected: entry.size, found })
}

/// Whether the tree and every file are there, each with its size: a power loss after the rename may have
/// lost content.
pub(super) fn is_whole(tree: &Path, manifest: &Manifest) -> bool {
    fs::symlink_metadata(tree).is_ok_and(|meta| meta.is_dir())
        && manifest.files.iter().all(|entry| {
            fs::symlink_metadata(tree.join(&entry.path))
                .is_ok_and(|meta| meta.is_file() && meta.len() == entry.size)
        })
}

/// Sum of the file sizes below `dir`; what cannot be read counts nothing.
pub(super) fn apparent_bytes(dir: &Path) -> u64 {
    let mut total: u64 = 0;
    let mut pending = vec![dir.to_owned()];
    while let Some(dir) = pending.pop() {
        for entry in fs::read_dir(&dir).into_iter().flatten().flatten() {
            match entry.metadata() {
                Ok(meta) if meta.is_dir() => pending.push(entry.path()),
                Ok(meta) => total = total.saturating_add(meta.len()),
                Err(_) => {}
            }
        }
    }
    total
}
