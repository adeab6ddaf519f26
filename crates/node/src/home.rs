//! The directory that makes a node itself: identity, tokens, database, blobs. One node per directory at a time,
//! and nobody but its owner looks inside.

mod identity;
mod running;

use std::fs::{self, File, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::env::Env;
use crate::error::Error;

pub(crate) use identity::Token;
pub(crate) use running::Running;

/// Permission bits of the directory.
const DIR_MODE: u32 = 0o700;
/// Permission bits of every file in it that holds a secret.
const FILE_MODE: u32 = 0o600;

/// Where this platform keeps a program's data, by the environment.
pub(crate) fn platform_dir(env: &Env) -> Option<PathBuf> {
    let dir = |name: &str| env.get(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if cfg!(target_os = "macos") {
        return dir("HOME").map(|home| home.join("Library/Application Support/EdgeCoder"));
    }
    if cfg!(windows) {
        return dir("LOCALAPPDATA").map(|local| local.join("EdgeCoder"));
    }
    let named = dir("XDG_DATA_HOME").filter(|path| path.is_absolute());
    let share = named.or_else(|| dir("HOME").map(|home| home.join(".local/share")));
    share.map(|share| share.join("edgecoder"))
}

/// A node's directory. Reading from it needs no lock; changing it does.
#[derive(Debug, Clone)]
pub(crate) struct Home {
    root: PathBuf,
}

/// Proof that this process is the one node of the directory. Released when dropped, or by the system.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Home {
    /// The directory at `root`, whether it exists or not.
    pub(crate) fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.root
    }

    /// The embedded database.
    pub(crate) fn database(&self) -> PathBuf {
        self.root.join("edgecoder.db")
    }

    /// Snapshots, patches, logs, traces.
    pub(crate) fn blobs(&self) -> PathBuf {
        self.root.join("blobs")
    }

    /// Models that were pulled.
    pub(crate) fn models(&self) -> PathBuf {
        self.root.join("models")
    }

    /// Materialised trees, scratch space: may be removed while no node runs.
    pub(crate) fn cache(&self) -> PathBuf {
        self.root.join("cache")
    }

    /// Journals of running attempts.
    pub(crate) fn journals(&self) -> PathBuf {
        self.root.join("journals")
    }

    /// Makes the directory if needed, and refuses one that is open to others.
    pub(crate) fn create(&self) -> Result<(), Error> {
        create_private_dir(&self.root)?;
        check_private(&self.root, DIR_MODE)
    }

    /// Makes the directory if needed, refuses one that is open to others, and takes it for this process.
    pub(crate) fn lock(&self) -> Result<Lock, Error> {
        self.create()?;
        let path = self.root.join("lock");
        let file = private_file(&path, false).map_err(Error::io("open", &path))?;
        match file.try_lock() {
            Ok(()) => Ok(Lock { _file: file }),
            Err(TryLockError::WouldBlock) => {
                let by = self.running().ok().flatten().map(|running| running.pid);
                Err(Error::InUse { path: self.root.clone(), by })
            }
            Err(TryLockError::Error(source)) => Err(Error::Io { doing: "lock", path, source }),
        }
    }

    /// Whether some process holds the directory.
    pub(crate) fn is_locked(&self) -> bool {
        let file = File::open(self.root.join("lock"));
        file.is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
    }

    /// Writes a file of the directory whole or not at all, for the owner's eyes only.
    fn write_private(&self, name: &str, content: &[u8]) -> Result<(), Error> {
        let path = self.root.join(name);
        let beside = self.root.join(format!(".{name}.new"));
        let write = || {
            let mut file = private_file(&beside, true)?;
            file.write_all(content)?;
            file.sync_all()?;
            fs::rename(&beside, &path)?;
            File::open(&self.root)?.sync_all()
        };
        write().map_err(Error::io("write", &path))
    }

    /// Reads a file of the directory; none when it is absent. Refuses one that others may read.
    fn read_private(&self, name: &str) -> Result<Option<String>, Error> {
        let path = self.root.join(name);
        match fs::read_to_string(&path) {
            Ok(text) => check_private(&path, FILE_MODE).map(|()| Some(text)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(Error::Io { doing: "read", path, source }),
        }
    }
}

#[cfg(unix)]
fn create_private_dir(path: &Path) -> Result<(), Error> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().recursive(true).mode(DIR_MODE).create(path).map_err(Error::io("create", path))
}

#[cfg(not(unix))]
fn create_private_dir(path: &Path) -> Result<(), Error> {
    fs::create_dir_all(path).map_err(Error::io("create", path))
}

fn private_file(path: &Path, truncate: bool) -> std::io::Result<File> {
    let mut options = fs::OpenOptions::new();
    options.read(true).write(true).create(true).truncate(truncate);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, FILE_MODE);
    options.open(path)
}

#[cfg(unix)]
fn check_private(path: &Path, wanted: u32) -> Result<(), Error> {
    use std::os::unix::fs::PermissionsExt;
    let mode = fs::metadata(path).map_err(Error::io("inspect", path))?.permissions().mode() & 0o7777;
    if mode & 0o077 == 0 { Ok(()) } else { Err(Error::TooOpen { path: path.to_owned(), mode, wanted }) }
}

#[cfg(not(unix))]
fn check_private(_: &Path, _: u32) -> Result<(), Error> {
    Ok(())
}

#[cfg(test)]
mod tests;
