//! Opens paths below a root without ever following a link out of it: what lies in a repository was written
//! by others, and may be swapped for a link between two calls.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;

use crate::Error;

/// A directory held open; everything is resolved relative to it.
#[derive(Debug)]
pub(crate) struct Root {
    fd: OwnedFd,
    path: PathBuf,
}

/// What stands at a path.
#[derive(Debug)]
pub(crate) enum Found {
    /// A regular file with its content and permission bits.
    File { bytes: Vec<u8>, mode: u32 },
    /// A regular file beyond the bound, with its size in bytes.
    TooLarge(u64),
    /// Something else: directory, link (also in a parent), device, socket, pipe.
    NotRegular,
    /// Nothing.
    Missing,
}

impl Root {
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        let flags = OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC;
        match rustix::fs::open(path, flags, Mode::empty()) {
            Ok(fd) => Ok(Self { fd, path: path.to_owned() }),
            Err(errno) => Err(Error::Root { path: path.to_owned(), source: errno.into() }),
        }
    }

    /// The path this root was opened by, for messages.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Opens the directory at `relative` (empty: the root itself).
    pub(crate) fn open_dir(&self, relative: &Path) -> Result<OwnedFd, Errno> {
        let relative = if relative.as_os_str().is_empty() { Path::new(".") } else { relative };
        self.open_at(relative, OFlags::RDONLY | OFlags::DIRECTORY)
    }

    /// Reads the regular file at `relative`, at most `max_bytes` long.
    pub(crate) fn read(&self, relative: &Path, max_bytes: u64) -> io::Result<Found> {
        // O_NONBLOCK: a pipe would otherwise hold the open until somebody writes to it.
        match self.open_at(relative, OFlags::RDONLY | OFlags::NONBLOCK) {
            Ok(fd) => read_regular(fd, max_bytes),
            Err(Errno::NOENT | Errno::NOTDIR) => Ok(Found::Missing),
            Err(Errno::LOOP | Errno::XDEV | Errno::NXIO | Errno::ISDIR) => Ok(Found::NotRegular),
            Err(errno) => Err(errno.into()),
        }
    }

    #[cfg(target_os = "linux")]
    fn open_at(&self, relative: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
        use rustix::fs::ResolveFlags;
        let beneath = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        let flags = flags | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        // EAGAIN says that something was renamed during resolution; a few tries settle it.
        for _ in 0..8 {
            match rustix::fs::openat2(&self.fd, relative, flags, Mode::empty(), beneath) {
                Err(Errno::AGAIN) => {}
                Err(Errno::NOSYS | Errno::PERM) => return self.open_by_steps(relative, flags),
                other => return other,
            }
        }
        Err(Errno::AGAIN)
    }

    #[cfg(not(target_os = "linux"))]
    fn open_at(&self, relative: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
        self.open_by_steps(relative, flags | OFlags::CLOEXEC | OFlags::NOFOLLOW)
    }

    /// The same promise without `openat2`: one component at a time, none of them a link.
    fn open_by_steps(&self, relative: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
        let step = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let mut dir: Option<OwnedFd> = None;
        let mut parts = relative.components().peekable();
        while let Some(part) = parts.next() {
            if matches!(part, std::path::Component::ParentDir | std::path::Component::RootDir) {
                return Err(Errno::XDEV);
            }
            let at = dir.as_ref().unwrap_or(&self.fd);
            let flags = if parts.peek().is_some() { step } else { flags };
            dir = Some(rustix::fs::openat(at, part.as_os_str(), flags, Mode::empty())?);
        }
        dir.ok_or(Errno::NOENT)
    }
}

pub(crate) fn read_regular(fd: OwnedFd, max_bytes: u64) -> io::Result<Found> {
    let stat = rustix::fs::fstat(&fd)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Ok(Found::NotRegular);
    }
    let size = u64::try_from(stat.st_size).unwrap_or(u64::MAX);
    if size > max_bytes {
        return Ok(Found::TooLarge(size));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0).saturating_add(1));
    // The file may grow while it is read: the bound holds on what is read, not on what was promised.
    File::from(fd).take(max_bytes.saturating_add(1)).read_to_end(&mut bytes)?;
    let read = bytes.len() as u64;
    if read > max_bytes {
        return Ok(Found::TooLarge(read));
    }
    Ok(Found::File { bytes, mode: stat.st_mode & 0o777 })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Both ways of opening must refuse the same things.
    fn check(relative: &str, expected: Result<(), ()>) {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("real")).unwrap();
        std::fs::write(dir.path().join("real/file"), "x").unwrap();
        std::os::unix::fs::symlink("real", dir.path().join("link")).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", dir.path().join("out")).unwrap();
        let root = Root::open(dir.path()).unwrap();
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOFOLLOW;
        let both = [root.open_at(Path::new(relative), flags), root.open_by_steps(Path::new(relative), flags)];
        for opened in both {
            assert_eq!(opened.map(drop).map_err(drop), expected, "{relative}");
        }
    }

    #[test]
    fn only_what_lies_beneath_opens() {
        check("real/file", Ok(()));
        for refused in ["link/file", "out", "../etc/passwd", "real/../../x", "/etc/passwd", "absent"] {
            check(refused, Err(()));
        }
    }
}
