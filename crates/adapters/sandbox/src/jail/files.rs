//! Writes the job's files below `/job`, as the payload's user, following no link.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{AtFlags, Mode, OFlags, ResolveFlags, mkdirat, openat2, unlinkat};
use rustix::io::Errno;

use super::During;
use crate::launch::Failure;

/// One file to be laid over the tree.
#[derive(Debug)]
pub(super) struct Laid {
    pub(super) path: String,
    pub(super) content: Option<Vec<u8>>,
    /// Who may do what, as nine bits.
    pub(super) mode: u32,
}

/// Nothing outside the starting directory, and no link on the way.
pub(crate) const BENEATH: ResolveFlags =
    ResolveFlags::BENEATH.union(ResolveFlags::NO_SYMLINKS).union(ResolveFlags::NO_MAGICLINKS);
const FOLDER: OFlags = OFlags::DIRECTORY.union(OFlags::RDONLY).union(OFlags::CLOEXEC);

/// Writes, replaces and deletes `files` below `job`.
pub(super) fn lay(job: impl AsFd, files: &[Laid]) -> Result<(), Failure> {
    for file in files {
        lay_one(job.as_fd(), file).during_job(format!("laying {:?}", file.path))?;
    }
    Ok(())
}

fn lay_one(job: impl AsFd, file: &Laid) -> io::Result<()> {
    let (folder, name) = file.path.rsplit_once('/').unwrap_or((".", &file.path));
    let folder = match (open_folder(&job, folder), &file.content) {
        (Ok(folder), _) => folder,
        (Err(Errno::NOENT), None) => return Ok(()),
        (Err(Errno::NOENT), Some(_)) => make_folder(&job, folder)?,
        (Err(error), _) => return Err(error.into()),
    };
    // A fresh file instead of truncation: the old one may be read-only, and may be shared with the store.
    match unlinkat(&folder, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => {}
        Err(error) => return Err(error.into()),
    }
    let Some(content) = &file.content else { return Ok(()) };
    let mode = Mode::from_raw_mode(file.mode);
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let opened = openat2(&folder, name, flags, mode, BENEATH)?;
    File::from(opened).write_all(content)
}

fn open_folder(at: impl AsFd, path: &str) -> rustix::io::Result<OwnedFd> {
    openat2(at, path, FOLDER, Mode::empty(), BENEATH)
}

/// Opens the folder `path` below `job`, making what is missing of it.
pub(crate) fn make_folder(job: impl AsFd, path: &str) -> io::Result<OwnedFd> {
    let mut folder = open_folder(&job, ".")?;
    for part in path.split('/') {
        match mkdirat(&folder, part, Mode::from_raw_mode(0o755)) {
            Ok(()) | Err(Errno::EXIST) => folder = open_folder(&folder, part)?,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(folder)
}
