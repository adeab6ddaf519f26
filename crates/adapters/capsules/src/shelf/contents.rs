//! Files of capsules by their hash. A tree links to them, so the number of names a content has says whether anybody
//! still needs it.

use std::fs::{self, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use edgecoder_base::BlobHash;

use crate::Error;

/// Nobody writes to them again, here or in a run.
const FILE_MODE: u32 = 0o444;
const EXECUTABLE_MODE: u32 = 0o555;

#[derive(Debug, Clone)]
pub(super) struct Contents {
    dir: PathBuf,
}

impl Contents {
    pub(super) fn open(dir: PathBuf) -> Result<Self, Error> {
        fs::create_dir_all(&dir).map_err(Error::io("create", &dir))?;
        Ok(Self { dir })
    }

    /// A mode belongs to a file and not to its name, so a content that is both is kept twice.
    fn path(&self, hash: &BlobHash, executable: bool) -> PathBuf {
        let path = self.dir.join(hash.relative_path());
        if executable { path.with_extension("x") } else { path }
    }

    pub(super) fn write(&self, hash: &BlobHash, bytes: &[u8], executable: bool) -> Result<(), Error> {
        let path = self.path(hash, executable);
        if fs::symlink_metadata(&path).is_ok_and(|found| found.is_file() && found.len() == bytes.len() as u64)
        {
            return Ok(());
        }
        let folder = path.parent().unwrap_or(&self.dir);
        let mode = if executable { EXECUTABLE_MODE } else { FILE_MODE };
        let write = || {
            fs::create_dir_all(folder)?;
            let mut file = tempfile::NamedTempFile::new_in(folder)?;
            file.write_all(bytes)?;
            file.as_file().set_permissions(Permissions::from_mode(mode))?;
            file.persist(&path).map_err(|error| error.error)
        };
        write().map(drop).map_err(Error::io("write", &path))
    }

    pub(super) fn read(&self, hash: &BlobHash, executable: bool) -> Result<Vec<u8>, Error> {
        let path = self.path(hash, executable);
        // A content that only another capsule has as a program is the same content.
        let bytes = match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => fs::read(self.path(hash, !executable)),
            read => read,
        };
        let bytes = bytes.map_err(Error::io("read", path))?;
        if BlobHash::of(&bytes) == *hash { Ok(bytes) } else { Err(Error::Damaged(*hash)) }
    }

    /// Puts a content at `to`, which must not exist.
    pub(super) fn place(&self, hash: &BlobHash, executable: bool, to: &Path) -> Result<(), Error> {
        let from = self.path(hash, executable);
        let mode = if executable { EXECUTABLE_MODE } else { FILE_MODE };
        let copied = || {
            let bytes = self.read(hash, executable)?;
            let write =
                fs::write(to, bytes).and_then(|()| fs::set_permissions(to, Permissions::from_mode(mode)));
            write.map_err(Error::io("write", to))
        };
        // Another file system, too many names already, or there as the other kind only.
        fs::hard_link(&from, to).or_else(|_| copied())
    }

    /// Removes contents that have no other name. Returns how many bytes went.
    pub(super) fn sweep(&self) -> Result<u64, Error> {
        let list = |dir: &Path| fs::read_dir(dir).map_err(Error::io("list", dir));
        let mut gone: u64 = 0;
        for fan in list(&self.dir)? {
            let fan = fan.map_err(Error::io("list", &self.dir))?.path();
            for file in list(&fan)? {
                let file = file.map_err(Error::io("list", &fan))?;
                let found = file.metadata().map_err(Error::io("inspect", file.path()))?;
                if found.is_file() && found.nlink() == 1 {
                    fs::remove_file(file.path()).map_err(Error::io("remove", file.path()))?;
                    gone = gone.saturating_add(found.len());
                }
            }
        }
        Ok(gone)
    }
}
