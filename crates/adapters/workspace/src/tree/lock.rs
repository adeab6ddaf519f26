//! File locks on cached trees: shared by users, exclusive for building and eviction. The kernel drops them
//! with the process, so a crash blocks nobody.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::Error;

/// A held lock; released on drop.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

impl Lock {
    pub(super) fn shared(path: &Path) -> Result<Self, Error> {
        Self::held(path, |file| file.lock_shared().map(|()| true))
            .and_then(|lock| lock.ok_or_else(|| busy(path)))
    }

    pub(super) fn exclusive(path: &Path) -> Result<Self, Error> {
        Self::held(path, |file| file.lock().map(|()| true)).and_then(|lock| lock.ok_or_else(|| busy(path)))
    }

    /// None when somebody else holds it.
    pub(super) fn try_exclusive(path: &Path) -> Result<Option<Self>, Error> {
        Self::held(path, |file| match file.try_lock() {
            Ok(()) => Ok(true),
            Err(TryLockError::WouldBlock) => Ok(false),
            Err(TryLockError::Error(error)) => Err(error),
        })
    }

    /// Removes the lock file while holding it; those who wait on it notice and start over.
    pub(super) fn retire(self, path: &Path) -> Result<(), Error> {
        std::fs::remove_file(path).map_err(Error::io("remove", path))
    }

    fn held(path: &Path, lock: impl Fn(&File) -> std::io::Result<bool>) -> Result<Option<Self>, Error> {
        loop {
            let open = OpenOptions::new().create(true).truncate(false).write(true).open(path);
            let file = open.map_err(Error::io("open", path))?;
            if !lock(&file).map_err(Error::io("lock", path))? {
                return Ok(None);
            }
            // Retired while we waited: a lock on a file without a name excludes nobody.
            if file.metadata().map_err(Error::io("inspect", path))?.nlink() > 0 {
                return Ok(Some(Self { _file: file }));
            }
        }
    }
}

fn busy(path: &Path) -> Error {
    Error::io("lock", path)(std::io::ErrorKind::WouldBlock.into())
}
