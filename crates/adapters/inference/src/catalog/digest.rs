//! SHA-256 of model files: what registries publish, what operators sign, and the name a model is kept under.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::Digest as _;

/// Read at once while hashing a file: large enough for the disk, small enough to notice a cancellation.
const BLOCK_BYTES: usize = 1 << 20;

/// SHA-256 of a file's bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest([u8; 32]);

/// The text was not 64 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a SHA-256 is 64 hexadecimal digits")]
pub struct NotADigest;

impl Digest {
    /// The digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(sha2::Sha256::digest(bytes).into())
    }

    /// The digest of the rest of `file`. `go_on` is asked between blocks; `None` when it said no.
    pub fn of_file(file: &mut File, mut go_on: impl FnMut(u64) -> bool) -> io::Result<Option<Self>> {
        let mut hashing = Hashing::default();
        let mut block = vec![0; BLOCK_BYTES];
        let mut read = 0_u64;
        loop {
            if !go_on(read) {
                return Ok(None);
            }
            let count = match file.read(&mut block) {
                Ok(0) => return Ok(Some(hashing.finish())),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            hashing.update(block.get(..count).unwrap_or_default());
            read += u64::try_from(count).unwrap_or_default();
        }
    }

    /// The first twelve digits, for people.
    pub fn short(&self) -> String {
        hex::encode(self.0.get(..6).unwrap_or_default())
    }
}

/// A digest in the making.
#[derive(Debug, Clone, Default)]
pub struct Hashing(sha2::Sha256);

impl Hashing {
    /// Takes more bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest of all bytes taken.
    pub fn finish(self) -> Digest {
        Digest(self.0.finalize().into())
    }
}

impl FromStr for Digest {
    type Err = NotADigest;
    fn from_str(text: &str) -> Result<Self, NotADigest> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| NotADigest)?;
        Ok(Self(bytes))
    }
}

impl TryFrom<String> for Digest {
    type Error = NotADigest;
    fn try_from(text: String) -> Result<Self, NotADigest> {
        text.parse()
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.to_string()
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", self.short())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_reads_back_and_nothing_else_does() {
        let digest = Digest::of(b"hello");
        assert_eq!(digest.to_string().parse(), Ok(digest));
        assert_eq!(digest.to_string().to_uppercase().parse(), Ok(digest));
        for bad in ["", "ab", "../../etc/passwd", &"g".repeat(64), &"a".repeat(66)] {
            assert_eq!(bad.parse::<Digest>(), Err(NotADigest), "{bad}");
        }
    }

    #[test]
    fn a_file_hashes_like_its_bytes_until_told_to_stop() {
        let bytes = vec![7; BLOCK_BYTES + 1];
        let mut file = tempfile::tempfile().unwrap();
        io::Write::write_all(&mut file, &bytes).unwrap();
        io::Seek::rewind(&mut file).unwrap();
        assert_eq!(Digest::of_file(&mut file, |_| true).unwrap(), Some(Digest::of(&bytes)));
        io::Seek::rewind(&mut file).unwrap();
        assert_eq!(Digest::of_file(&mut file, |read| read == 0).unwrap(), None);
    }
}
