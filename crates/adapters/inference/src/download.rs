//! One large file over a bad network: in parallel ranges where the server has them, resumed after any cut, never
//! believed before its SHA-256 was computed from the disk.
//!
//! ```text
//! probe ─► room? ─► part file + journal ─┬─ ranges: N connections, one writer ─┬─► SHA-256 ─► caller renames
//!                                        └─ whole:  one stream, from the start ┘
//! ```
//!
//! **Invariants.** The journal claims a range only after the disk has it. Nothing is resumed unless the server's
//! file is provably the same. Credentials never follow a redirect to another host.

mod copy;
pub mod disk;
mod job;
mod journal;
mod pace;
mod part;
mod ranged;
mod ranges;
pub(crate) mod web;
mod whole;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::catalog::digest::Digest;
use crate::catalog::error::CatalogError;
use crate::catalog::progress::Meter;
use disk::Disk;
use job::{Job, Offer};
use journal::Head;
use part::Part;
use web::{Fault, Remote, Web};

pub use journal::{Unfinished, unfinished};
pub(crate) use pace::retried;
pub(crate) use part::hash_file;

/// Times a file is begun anew because the server's changed meanwhile.
const RESTARTS: u32 = 2;

/// Bounds of a download.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DownloadConfig {
    /// Ranges fetched side by side. More than a few only annoys servers.
    pub connections: usize,
    /// Bytes asked for by one request: few enough that a slow connection does not hold up the end.
    pub span_bytes: u64,
    /// Bytes after which the disk is asked to keep what it has, and the journal says so.
    pub record_bytes: u64,
    /// Bytes collected before they are written.
    pub piece_bytes: usize,
    /// Longest silence of a server before the connection is given up.
    pub silence: Duration,
    /// Failures in a row, for each connection, before the download is given up. What was done stays.
    pub attempts: u32,
    /// Pause after the first failure; doubles with every failure in a row.
    pub first_pause: Duration,
    /// Longest pause.
    pub longest_pause: Duration,
    /// Bytes that stay free on the disk besides the file: a database lives there too.
    pub margin_bytes: u64,
    /// Largest file, bytes.
    pub max_bytes: u64,
}

impl Default for DownloadConfig {
    fn default() -> Self {
        Self {
            connections: 4,
            span_bytes: 64 << 20,
            record_bytes: 8 << 20,
            piece_bytes: 1 << 20,
            silence: Duration::from_secs(30),
            attempts: 8,
            first_pause: Duration::from_millis(500),
            longest_pause: Duration::from_secs(30),
            margin_bytes: 512 << 20,
            max_bytes: 2 << 40,
        }
    }
}

/// What is to be downloaded.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    /// Where, and as whom.
    pub(crate) remote: Remote,
    /// Its size, where it was promised.
    pub(crate) size: Option<u64>,
    /// Its SHA-256, where it was promised.
    pub(crate) sha256: Option<Digest>,
    /// As the person wrote it, for the list of unfinished downloads.
    pub(crate) source: String,
}

/// A file that is complete and checked, still at its temporary place.
#[derive(Debug)]
pub(crate) struct Fetched {
    pub(crate) sha256: Digest,
    pub(crate) size: u64,
    part: Part,
}

impl Fetched {
    /// The temporary place.
    pub(crate) fn path(&self) -> &Path {
        self.part.path()
    }

    /// Removes what is left at the temporary place.
    pub(crate) fn clean(self) -> Result<(), CatalogError> {
        self.part.discard()
    }
}

/// Downloads into one directory.
#[derive(Debug)]
pub(crate) struct Downloader {
    pub(crate) config: DownloadConfig,
    pub(crate) web: Web,
    pub(crate) disk: Arc<dyn Disk>,
    /// Where parts and journals lie.
    pub(crate) dir: PathBuf,
}

impl Downloader {
    /// Downloads and checks one file; goes on where an earlier attempt stopped.
    pub(crate) async fn fetch(
        &self,
        wanted: &Wanted,
        meter: &Meter,
        cancel: &CancellationToken,
    ) -> Result<Fetched, CatalogError> {
        let mut restarts = 0;
        loop {
            let offer = self.probe(wanted, cancel).await?;
            let mut part = self.open(wanted, &offer)?;
            meter.total(offer.size, part.done_bytes());
            let job = Job { downloader: self, wanted, offer: &offer, meter, cancel };
            let outcome =
                if offer.ranges { ranged::run(&job, &mut part).await } else { Err(Fault::NoRanges) };
            let outcome = match outcome {
                Ok(()) => part.digest(meter, cancel).await.map_err(Fault::Lasting),
                Err(Fault::NoRanges) => whole::run(&job, &mut part).await,
                Err(fault) => Err(fault),
            };
            match outcome {
                Ok(found) => return checked(wanted.sha256, found, offer.size, part),
                Err(Fault::Changed) if restarts < RESTARTS => {
                    restarts += 1;
                    part.discard()?;
                }
                Err(Fault::Changed | Fault::NoRanges) => {
                    part.discard()?;
                    return Err(CatalogError::Changing { url: wanted.remote.shown() });
                }
                Err(Fault::Passing { reason, .. }) => {
                    return Err(CatalogError::Unreachable { host: wanted.remote.host(), reason });
                }
                Err(Fault::Lasting(error)) => return Err(error),
            }
        }
    }

    async fn probe(&self, wanted: &Wanted, cancel: &CancellationToken) -> Result<Offer, CatalogError> {
        let asking = retried(&self.config, || job::probe(&self.web, &wanted.remote));
        let offer = tokio::select! {
            biased;
            () = cancel.cancelled() => return Err(CatalogError::Cancelled),
            offer = asking => offer.map_err(|fault| fault.into_error(&wanted.remote))?,
        };
        // A server that does not tell is believed to have what was promised; the end shows.
        let size = offer.size.or(wanted.size);
        let size = size.ok_or_else(|| CatalogError::SizeUnknown { url: wanted.remote.shown() })?;
        if let Some(promised) = wanted.size.filter(|promised| *promised != size) {
            let reason = format!("the file has {size} bytes, {promised} were promised");
            return Err(CatalogError::Answer { host: wanted.remote.host(), reason });
        }
        if size > self.config.max_bytes {
            return Err(CatalogError::TooLarge { found: size, allowed: self.config.max_bytes });
        }
        Ok(Offer { size, ranges: offer.ranges, tag: offer.tag })
    }

    fn open(&self, wanted: &Wanted, offer: &Offer) -> Result<Part, CatalogError> {
        let head = Head {
            source: wanted.source.clone(),
            size: offer.size,
            sha256: wanted.sha256,
            tag: offer.tag.clone(),
        };
        let key = match wanted.sha256 {
            Some(sha256) => format!("sha256-{sha256}"),
            None => format!("url-{}", Digest::of(wanted.remote.url.as_str().as_bytes())),
        };
        Part::open(&self.dir, &key, head, Arc::clone(&self.disk), self.config.margin_bytes)
    }
}

/// The content as promised, or nothing.
fn checked(promised: Option<Digest>, found: Digest, size: u64, part: Part) -> Result<Fetched, CatalogError> {
    if let Some(expected) = promised.filter(|expected| *expected != found) {
        part.discard()?;
        return Err(CatalogError::Mismatch { expected, found });
    }
    part.sync()?;
    Ok(Fetched { sha256: found, size, part })
}
