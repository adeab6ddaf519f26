//! Takes the artefacts, when everything that could still change them is dead.

use std::ffi::CStr;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{Dir, FileType, Mode, OFlags, ResolveFlags, fstat, openat2};
use rustix::io::Errno;

use crate::artefact::{ArtefactEntry, Refused, shown};

/// Most artefacts of one run, refused ones included.
const MAX_ARTEFACTS: usize = 1024;
/// How deep below a folder that was asked for.
const MAX_DEPTH: usize = 16;
/// Names looked at in one folder: a million of them are not worth sorting.
const MAX_NAMES: usize = 4096;
/// Nothing outside the tree, no link on the way, no other file system below it.
const BENEATH: ResolveFlags = ResolveFlags::BENEATH
    .union(ResolveFlags::NO_SYMLINKS)
    .union(ResolveFlags::NO_MAGICLINKS)
    .union(ResolveFlags::NO_XDEV);
/// Not waiting: a pipe without a writer would hang a plain open.
const READ: OFlags = OFlags::RDONLY.union(OFlags::NOFOLLOW).union(OFlags::NONBLOCK).union(OFlags::CLOEXEC);

/// What was found, and the bytes of it.
#[derive(Debug, Default)]
pub(crate) struct Collected {
    pub(crate) entries: Vec<ArtefactEntry>,
    pub(crate) bytes: Vec<Vec<u8>>,
}

struct Collecting<'a> {
    job: &'a OwnedFd,
    left: u64,
    collected: Collected,
}

/// The artefacts `wanted` below `job`, all together at most `most` bytes. A path that ends in `/` is a folder.
pub(crate) fn collect(job: &OwnedFd, wanted: &[String], most: u64) -> Collected {
    let mut collecting = Collecting { job, left: most, collected: Collected::default() };
    for path in wanted {
        match path.strip_suffix('/') {
            Some(folder) => collecting.folder(folder.as_bytes(), 0),
            None => collecting.file(path.as_bytes()),
        }
    }
    collecting.collected
}

impl Collecting<'_> {
    fn is_full(&self) -> bool {
        self.collected.entries.len() >= MAX_ARTEFACTS
    }

    fn refuse(&mut self, path: &[u8], why: Refused) {
        self.keep(path, Err(why));
    }

    fn keep(&mut self, path: &[u8], found: Result<Vec<u8>, Refused>) {
        // One more than fits says that there was more.
        if self.collected.entries.len() > MAX_ARTEFACTS {
            return;
        }
        let found = if self.is_full() { Err(Refused::TooMany) } else { found };
        let size = found.as_ref().map(|bytes| bytes.len() as u64).map_err(Clone::clone);
        self.collected.entries.push(ArtefactEntry { name: shown(path), found: size });
        self.collected.bytes.extend(found);
    }

    fn file(&mut self, path: &[u8]) {
        let found = self.read(path);
        if let Ok(bytes) = &found {
            self.left -= bytes.len() as u64;
        }
        self.keep(path, found);
    }

    /// One file within what is left. The size is checked twice: a sparse file has any size it likes.
    fn read(&self, path: &[u8]) -> Result<Vec<u8>, Refused> {
        let file = File::from(open(self.job, path, READ).map_err(refused)?);
        let stat = fstat(&file).map_err(refused)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(Refused::NotRegular);
        }
        if u64::try_from(stat.st_size).unwrap_or(u64::MAX) > self.left {
            return Err(Refused::TooLarge);
        }
        let mut bytes = Vec::new();
        file.take(self.left + 1).read_to_end(&mut bytes).map_err(|error| unreadable(&error))?;
        if bytes.len() as u64 > self.left { Err(Refused::TooLarge) } else { Ok(bytes) }
    }

    fn folder(&mut self, path: &[u8], depth: usize) {
        if depth > MAX_DEPTH {
            return self.refuse(path, Refused::TooDeep);
        }
        let names = match self.names(path) {
            Ok(names) => names,
            Err(why) => return self.refuse(path, why),
        };
        for (name, is_folder) in names {
            if self.collected.entries.len() > MAX_ARTEFACTS {
                return;
            }
            let inside = [path, b"/", name.as_slice()].concat();
            if is_folder { self.folder(&inside, depth + 1) } else { self.file(&inside) }
        }
    }

    /// Sorted, so that the same leavings give the same report.
    fn names(&self, path: &[u8]) -> Result<Vec<(Vec<u8>, bool)>, Refused> {
        let folder = open(self.job, path, READ | OFlags::DIRECTORY).map_err(refused)?;
        let mut names = Vec::new();
        for entry in Dir::read_from(&folder).map_err(refused)?.take(MAX_NAMES) {
            let entry = entry.map_err(refused)?;
            if ![c".", c".."].contains(&entry.file_name()) {
                names.push((entry.file_name().to_bytes().to_vec(), entry.file_type() == FileType::Directory));
            }
        }
        names.sort();
        Ok(names)
    }
}

fn open(job: impl AsFd, path: &[u8], flags: OFlags) -> rustix::io::Result<OwnedFd> {
    let text = [path, b"\0"].concat();
    let path = CStr::from_bytes_with_nul(&text).map_err(|_has_nul| Errno::INVAL)?;
    openat2(job, path, flags, Mode::empty(), BENEATH)
}

fn refused(error: Errno) -> Refused {
    match error {
        Errno::NOENT | Errno::NAMETOOLONG => Refused::Missing,
        // A link, a way out, a file where a folder should be, a socket.
        Errno::LOOP | Errno::XDEV | Errno::NOTDIR | Errno::NXIO => Refused::NotRegular,
        other => unreadable(&other.into()),
    }
}

fn unreadable(error: &io::Error) -> Refused {
    Refused::Unreadable(error.to_string())
}
