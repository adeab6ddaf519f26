//! Bodies of snapshot and blob routes.

use edgecoder_base::{BlobHash, Manifest};
use serde::{Deserialize, Serialize};

/// Largest blob taken in one request: a file of a snapshot, with room for a manifest of many.
pub const MAX_BLOB_BYTES: usize = 32 * 1024 * 1024;
/// Largest pack of blobs taken in one request.
pub const MAX_PACK_BYTES: usize = 64 * 1024 * 1024;
/// Most blobs in a pack: four bytes name an empty blob, but keeping it costs a hundred times as much.
pub const MAX_PACK_BLOBS: usize = 65_536;

/// The blobs of a pack, each after its length (32 bits, little-endian); none unless all of it makes sense.
pub fn read_pack(mut rest: &[u8]) -> Option<Vec<&[u8]>> {
    let mut blobs = Vec::new();
    while let Some((length, after)) = rest.split_first_chunk() {
        let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
        let (blob, after) = after.split_at_checked(length)?;
        if blob.len() > MAX_BLOB_BYTES || blobs.len() == MAX_PACK_BLOBS {
            return None;
        }
        blobs.push(blob);
        rest = after;
    }
    rest.is_empty().then_some(blobs)
}

/// `POST /snapshots`.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OfferSnapshot {
    /// The tree.
    pub manifest: Manifest,
}

/// Answer to `POST /snapshots`: what to upload before submitting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SnapshotView {
    /// The snapshot's name.
    pub snapshot: BlobHash,
    /// Blobs the coordinator does not have yet.
    pub missing: Vec<BlobHash>,
    /// Files in the tree.
    pub files: usize,
}

/// Answer to a stored blob.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct StoredBlobs {
    /// Names of what was stored, in order.
    pub stored: Vec<BlobHash>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packs_are_read_whole_or_refused() {
        assert_eq!(read_pack(b""), Some(vec![]));
        assert_eq!(read_pack(b"\x02\0\0\0ab\0\0\0\0\x01\0\0\0c"), Some(vec![&b"ab"[..], b"", b"c"]));
        for bad in [&b"\x01"[..], b"\x02\0\0\0a", b"\xff\xff\xff\xffabc", b"\x01\0\0\0ab"] {
            assert_eq!(read_pack(bad), None, "{bad:?}");
        }
        assert!(read_pack(&vec![0; 4 * MAX_PACK_BLOBS]).is_some());
        assert_eq!(read_pack(&vec![0; 4 * MAX_PACK_BLOBS + 4]), None);
    }
}
