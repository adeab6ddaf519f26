//! Big objects on disk, named by their BLAKE3: snapshots, patches, logs, traces. A blob is written beside its
//! place, made durable, and renamed into it, so it is whole or absent, and it never changes.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use edgecoder_base::{BlobHash, Blobs};
use parking_lot::RwLock;

/// A directory of blobs.
#[derive(Debug, Clone)]
pub struct BlobDir {
    root: PathBuf,
    /// Held for reading by who finds a blob present and makes it young again, for writing by who removes an old
    /// one: without it a blob could go in between.
    removal: Arc<RwLock<()>>,
}

impl BlobDir {
    /// Opens or creates the directory.
    pub fn open(root: impl Into<PathBuf>) -> io::Result<Self> {
        let root = root.into();
        fs::create_dir_all(root.join("tmp"))?;
        Ok(Self { root, removal: Arc::default() })
    }

    /// Where a blob stands, present or not.
    pub fn path(&self, hash: &BlobHash) -> PathBuf {
        self.root.join(hash.relative_path())
    }

    /// Removes blobs that are not in `keep` and were not touched for `grace`: what is uploaded but not yet
    /// submitted is young. Returns how many bytes were freed.
    pub fn collect_garbage(
        &self,
        keep: &BTreeSet<BlobHash>,
        grace: Duration,
        now: SystemTime,
    ) -> io::Result<u64> {
        let mut freed = 0;
        for fan in fs::read_dir(&self.root)? {
            let fan = fan?;
            if !fan.file_type()?.is_dir() {
                continue;
            }
            for file in fs::read_dir(fan.path())? {
                let file = file?;
                let name =
                    format!("{}{}", fan.file_name().to_string_lossy(), file.file_name().to_string_lossy());
                if !name.parse::<BlobHash>().is_ok_and(|hash| keep.contains(&hash)) {
                    freed += self.remove_if_old(&file.path(), grace, now)?;
                }
            }
        }
        Ok(freed)
    }

    fn remove_if_old(&self, path: &Path, grace: Duration, now: SystemTime) -> io::Result<u64> {
        let _nobody_touches = self.removal.write();
        let metadata = match fs::metadata(path) {
            Ok(metadata) => metadata,
            // A temporary file that was renamed into its place meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
            Err(error) => return Err(error),
        };
        if !now.duration_since(metadata.modified()?).is_ok_and(|age| age >= grace) {
            return Ok(0);
        }
        fs::remove_file(path)?;
        Ok(metadata.len())
    }

    /// Whether the blob is present; if so, it is young again, so that garbage collection does not take it before
    /// it is submitted.
    fn touch(&self, path: &Path, len: u64) -> bool {
        let _nobody_removes = self.removal.read();
        if !fs::metadata(path).is_ok_and(|metadata| metadata.len() == len) {
            return false;
        }
        let _best_effort = File::open(path).and_then(|file| file.set_modified(SystemTime::now()));
        true
    }
}

impl Blobs for BlobDir {
    fn contains(&self, hash: &BlobHash) -> bool {
        self.path(hash).is_file()
    }

    fn read(&self, hash: &BlobHash) -> io::Result<Vec<u8>> {
        let bytes = fs::read(self.path(hash))?;
        if BlobHash::of(&bytes) != *hash {
            return Err(io::Error::new(io::ErrorKind::InvalidData, format!("{hash:?} is damaged on disk")));
        }
        Ok(bytes)
    }

    fn write(&self, bytes: &[u8]) -> io::Result<BlobHash> {
        let hash = BlobHash::of(bytes);
        let path = self.path(&hash);
        if self.touch(&path, bytes.len() as u64) {
            return Ok(hash);
        }
        let folder = path.parent().unwrap_or(&self.root);
        fs::create_dir_all(folder)?;
        let mut file = tempfile::Builder::new().tempfile_in(self.root.join("tmp"))?;
        file.write_all(bytes)?;
        // As in a working tree: a program that is shown a snapshot may edit its own layer of it in place.
        file.as_file().set_permissions(fs::Permissions::from_mode(0o644))?;
        file.as_file().sync_data()?;
        file.persist(&path).map_err(|error| error.error)?;
        File::open(folder)?.sync_data()?;
        Ok(hash)
    }

    fn place(&self, hash: &BlobHash, to: &Path) -> io::Result<()> {
        let from = self.path(hash);
        match fs::hard_link(&from, to) {
            Ok(()) => Ok(()),
            // Copying over what is there could empty the blob itself, when that is a link to it.
            Err(error) if matches!(error.kind(), io::ErrorKind::AlreadyExists | io::ErrorKind::NotFound) => {
                Err(error)
            }
            // Another file system, or one without links.
            Err(_) => {
                let mut copy = File::options().write(true).create_new(true).open(to)?;
                io::copy(&mut File::open(&from)?, &mut copy).map(|_| ())
            }
        }
    }
}
