//! Freezes a live directory: every file that may leave it becomes a blob, and the list of them becomes the
//! snapshot. What is left out is reported with its reason.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;

use edgecoder_base::snapshot::limits;
use edgecoder_base::{BlobHash, Blobs, FileEntry, Manifest, Omission, OmissionReason};
use serde::Serialize;

use crate::Error;
use crate::beneath::{Found, Root};
use crate::secrets::Secrets;
use crate::walk::walk;

/// Files in flight between the readers and the thread that counts: enough to keep readers busy, and no more
/// than a page of results in memory.
const RESULTS_IN_FLIGHT: usize = 256;
/// Most reader threads: beyond it the disk is the bottleneck.
const MAX_READERS: usize = 8;

/// What to leave out, and how much may be taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FreezeOptions {
    /// Globs of paths whose secrets are meant to be shared (test keys).
    pub allow_secrets: Vec<String>,
    /// Further lines of `.edgecoderignore`, as if they stood at the top of the root.
    pub exclude: Vec<String>,
    /// Most files; more is an error.
    pub max_files: usize,
    /// Largest file, bytes; a larger one is left out.
    pub max_file_bytes: u64,
    /// Largest sum of file sizes, bytes; more is an error.
    pub max_total_bytes: u64,
}

impl Default for FreezeOptions {
    fn default() -> Self {
        Self {
            allow_secrets: Vec::new(),
            exclude: Vec::new(),
            max_files: limits::MAX_FILES,
            max_file_bytes: limits::MAX_FILE_BYTES,
            max_total_bytes: limits::MAX_TOTAL_BYTES,
        }
    }
}

impl FreezeOptions {
    /// The options with no bound above what a manifest may have.
    fn bounded(&self) -> Self {
        Self {
            max_files: self.max_files.min(limits::MAX_FILES),
            max_file_bytes: self.max_file_bytes.min(limits::MAX_FILE_BYTES),
            max_total_bytes: self.max_total_bytes.min(limits::MAX_TOTAL_BYTES),
            ..self.clone()
        }
    }
}

/// How far a freeze has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Progress {
    /// Files read so far.
    pub files_done: usize,
    /// Files to read.
    pub files_total: usize,
    /// Bytes read so far.
    pub bytes_done: u64,
}

/// A frozen directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frozen {
    /// The tree.
    pub manifest: Manifest,
    /// The manifest's own blob.
    pub hash: BlobHash,
    /// What was left out, sorted by path.
    pub omitted: Vec<Omission>,
    /// Sum of the file sizes, bytes.
    pub total_bytes: u64,
}

/// What became of one candidate.
enum Outcome {
    Kept(FileEntry),
    Omitted(Omission),
    /// It vanished between listing and reading; a snapshot shows what is there now.
    Gone,
}

/// Freezes `root` into `blobs`.
pub fn freeze(root: &Path, options: &FreezeOptions, blobs: &dyn Blobs) -> Result<Frozen, Error> {
    freeze_with(root, options, blobs, &|_| {})
}

/// Freezes `root` into `blobs`, telling `progress` after each file. Called on this thread only.
pub fn freeze_with(
    root: &Path,
    options: &FreezeOptions,
    blobs: &dyn Blobs,
    progress: &dyn Fn(Progress),
) -> Result<Frozen, Error> {
    let options = options.bounded();
    let secrets = Secrets::new(&options.allow_secrets)?;
    let at = Root::open(root)?;
    let listing = walk(&at, &options)?;
    let reader = Reader { root: &at, secrets: &secrets, blobs, max_bytes: options.max_file_bytes };
    let mut frozen = Collected { omitted: listing.omitted, ..Collected::default() };
    frozen.collect(&reader, &listing.files, options.max_total_bytes, progress)?;
    frozen.finish(root, blobs)
}

#[derive(Default)]
struct Collected {
    files: Vec<FileEntry>,
    omitted: Vec<Omission>,
    total_bytes: u64,
}

impl Collected {
    fn collect(
        &mut self,
        reader: &Reader<'_>,
        paths: &[String],
        max_total_bytes: u64,
        progress: &dyn Fn(Progress),
    ) -> Result<(), Error> {
        let next = AtomicUsize::new(0);
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            // Bounded: a reader waits rather than pile up results.
            let (sender, receiver) = mpsc::sync_channel(RESULTS_IN_FLIGHT);
            for _ in 0..readers().min(paths.len()) {
                let sender = sender.clone();
                scope.spawn(|| reader.run(paths, &next, &stop, sender));
            }
            drop(sender);
            let mut failed = None;
            for (done, outcome) in receiver.into_iter().enumerate() {
                let kept = outcome.and_then(|outcome| self.keep(outcome, max_total_bytes));
                if let Err(error) = kept {
                    stop.store(true, Ordering::Relaxed);
                    failed.get_or_insert(error);
                }
                let bytes_done = self.total_bytes;
                progress(Progress { files_done: done + 1, files_total: paths.len(), bytes_done });
            }
            failed.map_or(Ok(()), Err)
        })
    }

    fn keep(&mut self, outcome: Outcome, max_total_bytes: u64) -> Result<(), Error> {
        match outcome {
            Outcome::Kept(entry) => {
                self.total_bytes = self.total_bytes.saturating_add(entry.size);
                self.files.push(entry);
            }
            Outcome::Omitted(omission) => self.omitted.push(omission),
            Outcome::Gone => {}
        }
        if self.total_bytes > max_total_bytes {
            return Err(Error::TooLarge(format!("more than {max_total_bytes} bytes")));
        }
        Ok(())
    }

    fn finish(mut self, root: &Path, blobs: &dyn Blobs) -> Result<Frozen, Error> {
        if self.files.is_empty() {
            return Err(Error::Empty { path: root.to_owned(), omitted: self.omitted.len() });
        }
        self.files.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        self.omitted.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        let manifest = Manifest { files: self.files };
        manifest.check()?;
        let hash = keep_blob(blobs, &manifest.to_bytes())?;
        Ok(Frozen { manifest, hash, omitted: self.omitted, total_bytes: self.total_bytes })
    }
}

/// Writes `bytes` as a blob; an error names the blob.
pub(crate) fn keep_blob(blobs: &dyn Blobs, bytes: &[u8]) -> Result<BlobHash, Error> {
    blobs.write(bytes).map_err(|source| Error::Blob { hash: BlobHash::of(bytes), source })
}

fn readers() -> usize {
    std::thread::available_parallelism().map_or(2, usize::from).min(MAX_READERS)
}

struct Reader<'a> {
    root: &'a Root,
    secrets: &'a Secrets,
    blobs: &'a dyn Blobs,
    max_bytes: u64,
}

impl Reader<'_> {
    fn run(
        &self,
        paths: &[String],
        next: &AtomicUsize,
        stop: &AtomicBool,
        results: mpsc::SyncSender<Result<Outcome, Error>>,
    ) {
        while let Some(path) = paths.get(next.fetch_add(1, Ordering::Relaxed)) {
            let gone = stop.load(Ordering::Relaxed) || results.send(self.read(path)).is_err();
            if gone {
                return;
            }
        }
    }

    fn read(&self, path: &str) -> Result<Outcome, Error> {
        let omit =
            |reason, detail: String| Ok(Outcome::Omitted(Omission { path: path.to_owned(), reason, detail }));
        let (bytes, mode) = match self.root.read(Path::new(path), self.max_bytes) {
            Ok(Found::File { bytes, mode }) => (bytes, mode),
            Ok(Found::TooLarge(size)) => return omit(OmissionReason::TooLarge, format!("{size} bytes")),
            Ok(Found::NotRegular) => {
                return omit(OmissionReason::NotRegular, "not a regular file".to_owned());
            }
            Ok(Found::Missing) => return Ok(Outcome::Gone),
            Err(error) => return omit(OmissionReason::Unreadable, error.to_string()),
        };
        if let Some(rule) = self.secrets.find(path, &bytes) {
            return omit(OmissionReason::Secret, rule.to_owned());
        }
        let hash = keep_blob(self.blobs, &bytes)?;
        let executable = mode & 0o100 != 0;
        Ok(Outcome::Kept(FileEntry { path: path.to_owned(), hash, size: bytes.len() as u64, executable }))
    }
}
