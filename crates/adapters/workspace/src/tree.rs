//! Lays a snapshot out as a read-only directory for a sandbox to copy from. Trees are cached by snapshot
//! hash, shared by all who need the same one, and thrown away oldest first.

mod build;
mod lock;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use edgecoder_base::{BlobHash, Blobs, Manifest};

use crate::Error;
use lock::Lock;

/// Folder of lock files, and of trees under construction, inside the cache.
const LOCKS: &str = ".locks";
const STAGING: &str = ".staging";
/// The lock that those share who have something in the staging folder.
const BUILDING: &str = "building";

/// The cache of laid-out snapshots. Several processes may share one directory.
#[derive(Debug, Clone)]
pub struct Trees {
    dir: PathBuf,
}

/// A laid-out snapshot. While it lives, eviction leaves the directory alone.
#[derive(Debug)]
pub struct Tree {
    path: PathBuf,
    hash: BlobHash,
    _shared: Lock,
}

impl Tree {
    /// The directory. Its files may share storage with blobs: read only.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The snapshot it shows.
    pub fn hash(&self) -> BlobHash {
        self.hash
    }
}

impl Trees {
    /// A cache in `dir`, which is made if absent. Hard links save copies when blobs live on the same file
    /// system. Call once at start: what a crash left half built is removed.
    pub fn new(dir: impl Into<PathBuf>) -> Result<Self, Error> {
        let dir = dir.into();
        for part in [LOCKS, STAGING] {
            let part = dir.join(part);
            fs::create_dir_all(&part).map_err(Error::io("create", part))?;
        }
        let trees = Self { dir };
        // Nobody builds just now: whatever lies there belongs to a process that died.
        if let Some(_alone) = Lock::try_exclusive(&trees.lock_path(BUILDING))? {
            let staging = trees.dir.join(STAGING);
            fs::remove_dir_all(&staging).map_err(Error::io("clear", &staging))?;
            fs::create_dir(&staging).map_err(Error::io("create", &staging))?;
        }
        Ok(trees)
    }

    /// The tree of `manifest`, built if it is not cached. Callers that ask at once share one build.
    pub fn materialise(&self, manifest: &Manifest, blobs: &dyn Blobs) -> Result<Tree, Error> {
        build::check(manifest)?;
        let hash = manifest.hash();
        let path = self.dir.join(hash.to_string());
        let shared = Lock::shared(&self.lock_path(&hash.to_string()))?;
        let shared = if build::is_whole(&path, manifest) {
            shared
        } else {
            drop(shared);
            // Builders queue on a lock of their own: who waited for the users' lock would wait until the
            // last of those who already have the tree lets it go.
            let lock_path = self.lock_path(&format!("{hash}.build"));
            let builder = Lock::exclusive(&lock_path)?;
            let built = self.build(&path, manifest, blobs);
            builder.retire(&lock_path)?;
            built?
        };
        touch(&path)?;
        Ok(Tree { path, hash, _shared: shared })
    }

    /// Builds what is absent or damaged, for a caller who is the only builder of this tree, and returns the
    /// users' lock, held since before the tree appeared: eviction never comes in between.
    fn build(&self, path: &Path, manifest: &Manifest, blobs: &dyn Blobs) -> Result<Lock, Error> {
        let lock_path = self.lock_path(&manifest.hash().to_string());
        let _building = Lock::shared(&self.lock_path(BUILDING))?;
        let mut shared = Lock::shared(&lock_path)?;
        if build::is_whole(path, manifest) {
            return Ok(shared);
        }
        if fs::symlink_metadata(path).is_ok() {
            drop(shared);
            // Damaged. Whoever holds it must not have it pulled from under them.
            let alone = Lock::try_exclusive(&lock_path)?
                .ok_or_else(|| Error::DamagedTree { path: path.to_owned() })?;
            self.remove(path)?;
            drop(alone);
            shared = Lock::shared(&lock_path)?;
        }
        build::build(path, &self.dir.join(STAGING), manifest, blobs)?;
        Ok(shared)
    }

    /// Removes the longest unused trees until at most `max_bytes` remain, and returns how many bytes went.
    /// Trees in use stay. Sizes are apparent: what a tree shares with blobs counts as if it were its own.
    pub fn evict(&self, max_bytes: u64) -> Result<u64, Error> {
        let _building = Lock::shared(&self.lock_path(BUILDING))?;
        let mut trees = self.cached()?;
        trees.sort_unstable();
        let mut total: u64 = trees.iter().map(|(_, _, bytes)| *bytes).fold(0, u64::saturating_add);
        let mut gone = 0;
        for (_, name, bytes) in trees {
            if total <= max_bytes {
                break;
            }
            let lock_path = self.lock_path(&name);
            let Some(exclusive) = Lock::try_exclusive(&lock_path)? else { continue };
            self.remove(&self.dir.join(&name))?;
            exclusive.retire(&lock_path)?;
            total = total.saturating_sub(bytes);
            gone += bytes;
        }
        Ok(gone)
    }

    /// Last use, name and apparent bytes of every cached tree.
    fn cached(&self) -> Result<Vec<(SystemTime, String, u64)>, Error> {
        let failed = |source| Error::Io { doing: "list", path: self.dir.clone(), source };
        let mut trees = Vec::new();
        for entry in fs::read_dir(&self.dir).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            if name.parse::<BlobHash>().is_err() {
                continue;
            }
            let used_at = entry.metadata().and_then(|meta| meta.modified()).map_err(failed)?;
            trees.push((used_at, name, build::apparent_bytes(&entry.path())));
        }
        Ok(trees)
    }

    /// Renamed first: a removal that is cut short must not leave half a tree under a snapshot's name.
    fn remove(&self, path: &Path) -> Result<(), Error> {
        let staging = self.dir.join(STAGING);
        let grave = tempfile::Builder::new().prefix("gone-").tempdir_in(&staging);
        let grave = grave.map_err(Error::io("create", &staging))?;
        fs::rename(path, grave.path().join("tree")).map_err(Error::io("move away", path))?;
        grave.close().map_err(Error::io("remove", path))
    }

    fn lock_path(&self, name: &str) -> PathBuf {
        self.dir.join(LOCKS).join(name)
    }
}

/// The folder's own modification time is when the tree was last handed out.
fn touch(path: &Path) -> Result<(), Error> {
    let touched = fs::File::open(path).and_then(|dir| dir.set_modified(SystemTime::now()));
    touched.map_err(Error::io("touch", path))
}
