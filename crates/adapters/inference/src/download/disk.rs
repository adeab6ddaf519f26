//! The disk, as far as it can be full. A trait, so that tests can fill it without filling a disk.

use std::fmt;
use std::fs::File;
use std::io;
use std::path::Path;

/// Room and writes.
pub trait Disk: Send + Sync + fmt::Debug {
    /// Bytes free to this user where `dir` lies.
    fn free_bytes(&self, dir: &Path) -> io::Result<u64>;

    /// Takes the room for a file of `bytes` before anything is written to it.
    fn reserve(&self, file: &File, bytes: u64) -> io::Result<()>;

    /// Writes all of `bytes` at `offset`.
    fn write_at(&self, file: &File, bytes: &[u8], offset: u64) -> io::Result<()>;
}

/// The disk of this machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct LocalDisk;

impl Disk for LocalDisk {
    #[cfg(unix)]
    fn free_bytes(&self, dir: &Path) -> io::Result<u64> {
        let disk = rustix::fs::statvfs(dir)?;
        Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
    }

    /// Not measured here: a write that does not fit fails by itself.
    #[cfg(not(unix))]
    fn free_bytes(&self, _: &Path) -> io::Result<u64> {
        Ok(u64::MAX)
    }

    fn reserve(&self, file: &File, bytes: u64) -> io::Result<()> {
        // The call wants a length.
        #[cfg(target_os = "linux")]
        if bytes > 0 {
            match rustix::fs::fallocate(file, rustix::fs::FallocateFlags::empty(), 0, bytes) {
                Ok(()) => return Ok(()),
                // Not every file system can; then room is taken as it is written.
                Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => {}
                Err(error) => return Err(error.into()),
            }
        }
        file.set_len(bytes)
    }

    #[cfg(unix)]
    fn write_at(&self, file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
        std::os::unix::fs::FileExt::write_all_at(file, bytes, offset)
    }

    #[cfg(not(unix))]
    fn write_at(&self, mut file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
        // One task writes, so the shared cursor is its own.
        io::Seek::seek(&mut file, io::SeekFrom::Start(offset))?;
        io::Write::write_all(&mut file, bytes)
    }
}

/// Room that `file` takes already, bytes.
pub(super) fn taken_bytes(file: &File) -> io::Result<u64> {
    let metadata = file.metadata()?;
    #[cfg(unix)]
    return Ok(std::os::unix::fs::MetadataExt::blocks(&metadata).saturating_mul(512));
    #[cfg(not(unix))]
    Ok(metadata.len())
}
