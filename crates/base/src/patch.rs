//! A proposed change as whole file contents with the hash of what it replaces. It applies exactly or not
//! at all: there is no fuzz to be exploited and no context to be misread.

use serde::{Deserialize, Serialize};

use crate::BlobHash;
use crate::snapshot::{ManifestError, is_safe_path};

/// Largest patch, bytes of JSON.
pub const MAX_PATCH_BYTES: usize = 8 * 1024 * 1024;

/// One file's change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// Relative path, as in a manifest.
    pub path: String,
    /// Content the file had; none when the patch creates it.
    pub before: Option<BlobHash>,
    /// Content the file gets; none when the patch deletes it.
    pub after: Option<String>,
}

/// A set of changes, sorted by path and unique.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Patch {
    /// The changes.
    pub changes: Vec<Change>,
}

impl Patch {
    /// Canonical bytes, kept as a blob.
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Reads and checks a patch from outside.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ManifestError> {
        if bytes.len() > MAX_PATCH_BYTES {
            return Err(ManifestError::TooLarge(format!("a patch of {} bytes", bytes.len())));
        }
        let patch: Self =
            serde_json::from_slice(bytes).map_err(|error| ManifestError::Malformed(error.to_string()))?;
        let mut before: Option<&str> = None;
        for change in &patch.changes {
            if !is_safe_path(&change.path) {
                return Err(ManifestError::UnsafePath(change.path.clone()));
            }
            if before.is_some_and(|before| before >= change.path.as_str()) {
                return Err(ManifestError::Order(change.path.clone()));
            }
            before = Some(&change.path);
        }
        Ok(patch)
    }

    /// The patch's name.
    pub fn hash(&self) -> BlobHash {
        BlobHash::of(&self.to_bytes())
    }

    /// Sets the new content of `path`, keeping the changes sorted and the first `before` seen.
    pub fn set(&mut self, path: &str, before: Option<BlobHash>, after: Option<String>) {
        match self.changes.binary_search_by(|change| change.path.as_str().cmp(path)) {
            Ok(index) => self.changes[index].after = after,
            Err(index) => self.changes.insert(index, Change { path: path.to_owned(), before, after }),
        }
    }

    /// The new content of `path`, if this patch touches it. `Some(None)` is a deletion.
    pub fn get(&self, path: &str) -> Option<Option<&str>> {
        let index = self.changes.binary_search_by(|change| change.path.as_str().cmp(path)).ok()?;
        self.changes.get(index).map(|change| change.after.as_deref())
    }

    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }
}
