//! A model that lies on this machine already: copied, so that later changes of the original change nothing, and
//! hashed on the way.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::journal::Head;
use super::part::Part;
use super::{Downloader, Fetched};
use crate::catalog::digest::{Digest, Hashing};
use crate::catalog::error::CatalogError;
use crate::catalog::progress::Meter;

impl Downloader {
    /// Copies and checks one file.
    pub(crate) async fn copy(
        &self,
        from: &Path,
        source: String,
        sha256: Option<Digest>,
        meter: &Meter,
        cancel: &CancellationToken,
    ) -> Result<Fetched, CatalogError> {
        let reading = || CatalogError::io("read", from);
        let mut file = File::open(from).map_err(reading())?;
        let metadata = file.metadata().map_err(reading())?;
        let size = metadata.len();
        if !metadata.is_file() {
            let reason = "it is no ordinary file".to_owned();
            return Err(CatalogError::NotAModel { what: from.display().to_string(), reason });
        }
        let key = format!("file-{}", Digest::of(source.as_bytes()));
        // Without a tag nothing is ever resumed: reading from a disk is quick.
        let head = Head { source, size, sha256: None, tag: None };
        let mut part = Part::open(&self.dir, &key, head, Arc::clone(&self.disk), self.config.margin_bytes)?;
        meter.total(size, 0);
        match pour(&mut file, &mut part, self.config.piece_bytes, meter, cancel).await {
            Ok(found) => super::checked(sha256, found, size, part),
            Err(error) => {
                part.discard()?;
                Err(error)
            }
        }
    }
}

async fn pour(
    file: &mut File,
    part: &mut Part,
    piece_bytes: usize,
    meter: &Meter,
    cancel: &CancellationToken,
) -> Result<Digest, CatalogError> {
    let mut hashing = Hashing::default();
    let mut offset = 0;
    loop {
        if cancel.is_cancelled() {
            return Err(CatalogError::Cancelled);
        }
        let piece = read_piece(file, piece_bytes).map_err(CatalogError::io("read", part.path()))?;
        if piece.is_empty() {
            break;
        }
        hashing.update(&piece);
        let length = u64::try_from(piece.len()).unwrap_or(u64::MAX);
        part.write(offset, piece).await?;
        offset += length;
        meter.at(offset);
    }
    if offset == part.size() {
        return Ok(hashing.finish());
    }
    let reason = "it changed while it was read".to_owned();
    Err(CatalogError::NotAModel { what: part.source().to_owned(), reason })
}

fn read_piece(file: &mut File, bytes: usize) -> io::Result<Vec<u8>> {
    let mut piece = Vec::with_capacity(bytes);
    let limit = u64::try_from(bytes).unwrap_or(u64::MAX);
    file.take(limit).read_to_end(&mut piece)?;
    Ok(piece)
}
