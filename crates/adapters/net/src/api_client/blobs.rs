//! Snapshots and blobs: offer the tree, send what the coordinator lacks, in packs.

use std::sync::Arc;

use edgecoder_base::{BlobHash, Blobs, Manifest};
use edgecoder_protocol::api::snapshots::{
    MAX_BLOB_BYTES, MAX_PACK_BLOBS, MAX_PACK_BYTES, OfferSnapshot, SnapshotView, StoredBlobs,
};
use reqwest::Method;

use super::ApiClient;
use crate::Error;
use crate::wire::TRANSFER_TIMEOUT;

/// A pack is closed at this size: large enough to hide the round trip, small enough for a progress bar to move.
const PACK_BYTES: usize = 4 * 1024 * 1024;
const _: () = assert!(PACK_BYTES + MAX_BLOB_BYTES + 4 <= MAX_PACK_BYTES, "a pack and one more blob must fit");

/// How far an upload is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct UploadProgress {
    /// Blobs stored by the coordinator.
    pub blobs: usize,
    /// Blobs in all.
    pub of: usize,
    /// Bytes of content sent.
    pub bytes: u64,
}

impl ApiClient {
    /// `POST /snapshots`: names the tree and learns which blobs are missing.
    pub async fn offer_snapshot(&self, manifest: &Manifest) -> Result<SnapshotView, Error> {
        let offer = OfferSnapshot { manifest: manifest.clone() };
        let request = self.request(Method::POST, "/snapshots").timeout(TRANSFER_TIMEOUT).json(&offer);
        self.wire.json(request).await
    }

    /// `GET /blobs/{hash}`, checked against its name.
    pub async fn blob(&self, hash: &BlobHash) -> Result<Vec<u8>, Error> {
        let request = self.request(Method::GET, &format!("/blobs/{hash}")).timeout(TRANSFER_TIMEOUT);
        let bytes = self.wire.bytes(request, MAX_BLOB_BYTES).await?;
        if BlobHash::of(&bytes) == *hash {
            Ok(bytes)
        } else {
            Err(Error::Protocol(format!("blob {hash} came with other content")))
        }
    }

    /// `PUT /blobs/{hash}`.
    pub async fn put_blob(&self, bytes: Vec<u8>) -> Result<BlobHash, Error> {
        let hash = BlobHash::of(&bytes);
        let request =
            self.request(Method::PUT, &format!("/blobs/{hash}")).timeout(TRANSFER_TIMEOUT).body(bytes);
        let stored: StoredBlobs = self.wire.json(request).await?;
        same_names(&[hash], &stored.stored)?;
        Ok(hash)
    }

    /// Sends the `missing` blobs from `blobs` in packs; `progress` is called after each pack.
    pub async fn upload(
        &self,
        missing: &[BlobHash],
        blobs: Arc<dyn Blobs>,
        mut progress: impl FnMut(UploadProgress),
    ) -> Result<(), Error> {
        let mut done = UploadProgress { of: missing.len(), ..UploadProgress::default() };
        let mut rest = missing;
        while !rest.is_empty() {
            let (pack, taken) = read_pack(rest.to_vec(), Arc::clone(&blobs)).await?;
            let (names, later) = rest.split_at(taken);
            let content = pack.len() - 4 * taken;
            let request = self.request(Method::POST, "/blobs").timeout(TRANSFER_TIMEOUT).body(pack);
            let stored: StoredBlobs = self.wire.json(request).await?;
            same_names(names, &stored.stored)?;
            done.blobs += taken;
            done.bytes += content as u64;
            progress(done);
            rest = later;
        }
        Ok(())
    }
}

fn same_names(sent: &[BlobHash], stored: &[BlobHash]) -> Result<(), Error> {
    if sent == stored {
        return Ok(());
    }
    Err(Error::Protocol("the coordinator stored blobs under other names than they have".to_owned()))
}

/// The next pack and how many of `names` are in it. Reads on a blocking thread.
async fn read_pack(names: Vec<BlobHash>, blobs: Arc<dyn Blobs>) -> Result<(Vec<u8>, usize), Error> {
    let reading = tokio::task::spawn_blocking(move || {
        let mut pack = Vec::new();
        let mut taken = 0;
        for name in &names {
            if pack.len() >= PACK_BYTES || taken == MAX_PACK_BLOBS {
                break;
            }
            let bytes = blobs.read(name)?;
            let length = u32::try_from(bytes.len()).map_err(std::io::Error::other)?;
            pack.extend_from_slice(&length.to_le_bytes());
            pack.extend_from_slice(&bytes);
            taken += 1;
        }
        Ok((pack, taken))
    });
    match reading.await {
        Ok(read) => read.map_err(Error::Local),
        Err(error) => Err(Error::Local(std::io::Error::other(error))),
    }
}
