//! The part file and its journal, with one owner: it is written, recorded, hashed and thrown away here only.

use std::fs::{File, OpenOptions};
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::disk::{Disk, taken_bytes};
use super::journal::{Head, Journal, PART, remove};
use super::ranges::Ranges;
use crate::catalog::digest::Digest;
use crate::catalog::error::CatalogError;
use crate::catalog::gguf;
use crate::catalog::progress::Meter;

/// A file that is being completed.
#[derive(Debug)]
pub(super) struct Part {
    file: Arc<File>,
    path: PathBuf,
    disk: Arc<dyn Disk>,
    journal: Journal,
    head: Head,
    margin_bytes: u64,
    done: Ranges,
    /// Written, but not yet known to be on the disk.
    unrecorded: Ranges,
}

impl Part {
    /// Opens the part of `key`, checks that the rest of it fits on the disk, and takes the room.
    pub(super) fn open(
        dir: &Path,
        key: &str,
        head: Head,
        disk: Arc<dyn Disk>,
        margin_bytes: u64,
    ) -> Result<Self, CatalogError> {
        let path = dir.join(key).with_extension(PART);
        room(&*disk, dir, &path, head.size, margin_bytes)?;
        let (journal, done) = Journal::open(dir, key, &head)?;
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(false).open(&path);
        let file = file.map_err(CatalogError::io("open", &path))?;
        let length = file.metadata().map_err(CatalogError::io("inspect", &path))?.len();
        let mut part = Self {
            file: Arc::new(file),
            path,
            disk,
            journal,
            head,
            margin_bytes,
            done,
            unrecorded: Ranges::default(),
        };
        if length != part.head.size {
            // Somebody cut or exchanged it: the journal speaks of another file.
            part.file.set_len(0).map_err(CatalogError::io("write", &part.path))?;
            part.start_over()?;
        }
        if let Err(error) = part.disk.reserve(&part.file, part.head.size) {
            let error = part.failed_write(error);
            part.discard()?;
            return Err(error);
        }
        Ok(part)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn source(&self) -> &str {
        &self.head.source
    }

    pub(super) const fn size(&self) -> u64 {
        self.head.size
    }

    pub(super) fn done_bytes(&self) -> u64 {
        self.done.bytes()
    }

    pub(super) const fn done(&self) -> &Ranges {
        &self.done
    }

    pub(super) fn unrecorded_bytes(&self) -> u64 {
        self.unrecorded.bytes()
    }

    /// Forgets all that was done.
    pub(super) fn start_over(&mut self) -> Result<(), CatalogError> {
        (self.done, self.unrecorded) = Default::default();
        self.journal.rewrite(&self.head, &self.done)
    }

    /// Writes a piece. A first piece that cannot be a model's ends the download.
    pub(super) async fn write(&mut self, offset: u64, bytes: Vec<u8>) -> Result<(), CatalogError> {
        if offset == 0 && bytes.len() >= gguf::MAGIC.len() && !bytes.starts_with(gguf::MAGIC) {
            self.start_over()?;
            let (what, reason) = (self.head.source.clone(), gguf::Fault::Magic.to_string());
            return Err(CatalogError::NotAModel { what, reason });
        }
        let end = offset.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        let (file, disk) = (Arc::clone(&self.file), Arc::clone(&self.disk));
        let write = tokio::task::spawn_blocking(move || disk.write_at(&file, &bytes, offset));
        match write.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Err(self.failed_write(error)),
            Err(error) => return Err(self.failed_write(io::Error::other(error))),
        }
        self.done.add(offset..end);
        self.unrecorded.add(offset..end);
        Ok(())
    }

    /// Lets the disk keep what was written, then claims it.
    pub(super) async fn record(&mut self) -> Result<(), CatalogError> {
        let ranges: Vec<Range<u64>> = self.unrecorded.take();
        if ranges.is_empty() {
            return Ok(());
        }
        let file = Arc::clone(&self.file);
        let sync = tokio::task::spawn_blocking(move || file.sync_data()).await;
        sync.unwrap_or_else(|error| Err(io::Error::other(error)))
            .map_err(CatalogError::io("write", &self.path))?;
        self.journal.claim(&ranges)
    }

    /// SHA-256 of the whole file, read back from the disk.
    pub(super) async fn digest(
        &self,
        meter: &Meter,
        cancel: &CancellationToken,
    ) -> Result<Digest, CatalogError> {
        let (path, meter, cancel) = (self.path.clone(), meter.clone(), cancel.clone());
        hash_file(path, move |read| {
            meter.verifying(read);
            !cancel.is_cancelled()
        })
        .await
    }

    /// Makes sure that all of it survives the machine's next second.
    pub(super) fn sync(&self) -> Result<(), CatalogError> {
        self.file.sync_all().map_err(CatalogError::io("write", &self.path))
    }

    /// Removes part and journal. Whoever renamed the part before keeps it.
    pub(super) fn discard(self) -> Result<(), CatalogError> {
        remove(&self.path)?;
        self.journal.remove()
    }

    fn failed_write(&self, source: io::Error) -> CatalogError {
        if !matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) {
            return CatalogError::Io { doing: "write", path: self.path.clone(), source };
        }
        let dir = self.path.parent().unwrap_or(&self.path);
        let missing = self.head.size.saturating_sub(self.done.bytes());
        CatalogError::NoRoom {
            path: dir.to_owned(),
            needed: missing.saturating_add(self.margin_bytes),
            free: self.disk.free_bytes(dir).unwrap_or_default(),
        }
    }
}

/// SHA-256 of a file, on a thread that may block.
pub(crate) async fn hash_file(
    path: PathBuf,
    go_on: impl FnMut(u64) -> bool + Send + 'static,
) -> Result<Digest, CatalogError> {
    let shown = path.clone();
    let hashing = tokio::task::spawn_blocking(move || Digest::of_file(&mut File::open(path)?, go_on)).await;
    let found = hashing.unwrap_or_else(|error| Err(io::Error::other(error)));
    found.map_err(CatalogError::io("read", shown))?.ok_or(CatalogError::Cancelled)
}

/// Whether a file of `size` bytes fits beside a margin; what of it is there already needs no more room.
pub(crate) fn room(
    disk: &dyn Disk,
    dir: &Path,
    path: &Path,
    size: u64,
    margin: u64,
) -> Result<(), CatalogError> {
    let taken = File::open(path).and_then(|file| taken_bytes(&file)).unwrap_or_default();
    let needed = size.saturating_sub(taken).saturating_add(margin);
    let free = disk.free_bytes(dir).map_err(CatalogError::io("measure", dir))?;
    if needed > free { Err(CatalogError::NoRoom { path: dir.to_owned(), needed, free }) } else { Ok(()) }
}
