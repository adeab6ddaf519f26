//! Writes the tree into `/job` as it comes in, following no link of it.

use std::fs::{File, Permissions};
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;

use rustix::fs::{Mode, OFlags, chmodat, open, openat2, symlinkat};

use crate::docker::wire::{Entry, Kind};
use crate::jail::During;
use crate::jail::files::{BENEATH, make_folder};
use crate::launch::Failure;

/// The work space.
pub(super) const JOB: &str = "/job";
/// Longest target of a link, the kernel's own bound.
const MAX_TARGET_BYTES: u64 = 4096;
/// Its owner can always enter a folder of the work space and write there, whatever the tree said.
const OWNERS: u16 = 0o700;

/// The work space itself.
pub(super) fn open_job() -> rustix::io::Result<OwnedFd> {
    open(JOB, OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
}

/// Lays every entry up to the end of the tree.
pub(super) fn tree(from: &mut impl Read) -> Result<(), Failure> {
    let job = open_job().during("opening /job")?;
    loop {
        let entry = Entry::read(from).during_job("reading the tree")?;
        if entry.kind == Kind::End {
            return Ok(());
        }
        let name = String::from_utf8_lossy(&entry.path).into_owned();
        lay(&job, &entry, from).during_job(format!("laying {name:?}"))?;
    }
}

fn lay(job: impl AsFd, entry: &Entry, from: &mut impl Read) -> io::Result<()> {
    let path = std::str::from_utf8(&entry.path).map_err(io::Error::other)?;
    if entry.kind == Kind::Folder {
        let folder = make_folder(&job, path)?;
        return Ok(chmodat(folder, ".", mode(entry.mode | OWNERS), rustix::fs::AtFlags::empty())?);
    }
    let (folder, name) = path.rsplit_once('/').unwrap_or((".", path));
    let folder = make_folder(&job, folder)?;
    let mut content = from.by_ref().take(entry.size);
    if entry.kind == Kind::Link {
        let mut target = Vec::new();
        content.take(MAX_TARGET_BYTES).read_to_end(&mut target)?;
        return Ok(symlinkat(target.as_slice(), folder, name)?);
    }
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let mut file = File::from(openat2(&folder, name, flags, mode(0o600), BENEATH)?);
    if io::copy(&mut content, &mut file)? < entry.size {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the tree is cut short"));
    }
    file.set_permissions(Permissions::from_mode(entry.mode.into()))
}

fn mode(bits: u16) -> Mode {
    Mode::from_raw_mode(bits.into())
}
