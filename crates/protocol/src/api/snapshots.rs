//! Bodies of snapshot and blob routes.

use edgecoder_base::{BlobHash, Manifest};
use serde::{Deserialize, Serialize};

/// Largest blob taken in one request: a file of a snapshot, with room for a manifest of many.
pub const MAX_BLOB_BYTES: usize = 32 * 1024 * 1024;
/// Largest pack of blobs taken in one request.
pub const MAX_PACK_BYTES: usize = 64 * 1024 * 1024;

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
