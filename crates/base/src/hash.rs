//! Content hashes. A blob is named by its BLAKE3; SHA-256 stands where an outer contract asks for it.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// BLAKE3 of a blob's bytes: its name, its address, and the proof of its content.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String)]
pub struct BlobHash([u8; 32]);

/// The text was not 64 lower-case hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a blob hash is 64 lower-case hexadecimal digits")]
pub struct NotABlobHash;

impl BlobHash {
    /// The hash of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }

    /// A hash already computed (by a streaming hasher).
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Where a directory of blobs keeps this one: `ab/cdef…`. Parsed digits only, so no traversal.
    pub fn relative_path(&self) -> PathBuf {
        let hex = self.to_string();
        let (fan, rest) = hex.split_at(2);
        PathBuf::from(fan).join(rest)
    }

    /// The first twelve digits, for people.
    pub fn short(&self) -> String {
        hex::encode(&self.0[..6])
    }
}

impl FromStr for BlobHash {
    type Err = NotABlobHash;
    fn from_str(text: &str) -> Result<Self, NotABlobHash> {
        let mut bytes = [0; 32];
        let lower = text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        if !lower || hex::decode_to_slice(text, &mut bytes).is_err() {
            return Err(NotABlobHash);
        }
        Ok(Self(bytes))
    }
}

impl TryFrom<String> for BlobHash {
    type Error = NotABlobHash;
    fn try_from(text: String) -> Result<Self, NotABlobHash> {
        text.parse()
    }
}

impl From<BlobHash> for String {
    fn from(hash: BlobHash) -> Self {
        hash.to_string()
    }
}

impl fmt::Display for BlobHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for BlobHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "blob:{}", self.short())
    }
}

/// SHA-256 of `bytes` as lower-case hexadecimal: what signed requests and ledger entries carry.
pub fn sha256_hex(bytes: &[u8]) -> String {
    use sha2::Digest;
    hex::encode(sha2::Sha256::digest(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_reads_back_and_nothing_else_does() {
        let hash = BlobHash::of(b"hello");
        assert_eq!(hash.to_string().parse::<BlobHash>().unwrap(), hash);
        for bad in ["", "ab", "../../etc/passwd", &hash.to_string().to_uppercase(), &"g".repeat(64)] {
            assert!(bad.parse::<BlobHash>().is_err(), "{bad}");
        }
    }
}
