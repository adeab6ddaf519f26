//! The seam to content-addressed storage: roles and adapters see blobs only through it.

use std::io;
use std::path::Path;

use crate::BlobHash;

/// A store of immutable byte strings named by their BLAKE3. Implementations do I/O; callers on an async
/// thread use them from a blocking section.
pub trait Blobs: Send + Sync + std::fmt::Debug {
    /// Whether the blob is present.
    fn contains(&self, hash: &BlobHash) -> bool;

    /// The blob's bytes, verified against its name. `NotFound` when absent, `InvalidData` when damaged.
    fn read(&self, hash: &BlobHash) -> io::Result<Vec<u8>>;

    /// Keeps `bytes` durably and returns their name. Present blobs are not written again.
    fn write(&self, bytes: &[u8]) -> io::Result<BlobHash>;

    /// Places the blob's content at `to` (which must not exist): a hard link where the file system allows,
    /// otherwise a copy. The result may share storage with the blob and must never be written to.
    fn place(&self, hash: &BlobHash, to: &Path) -> io::Result<()>;
}
