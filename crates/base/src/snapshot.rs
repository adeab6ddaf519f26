//! A repository frozen at submit time: a sorted list of paths with the hashes of their content, itself a
//! blob whose hash names the snapshot.

use serde::{Deserialize, Serialize};

use crate::BlobHash;

mod portable;

pub use portable::PortablePaths;

/// Bounds on what may be frozen; every list from outside has one.
pub mod limits {
    /// Most files in one snapshot.
    pub const MAX_FILES: usize = 200_000;
    /// Largest single file, bytes.
    pub const MAX_FILE_BYTES: u64 = 16 * 1024 * 1024;
    /// Largest sum of file sizes, bytes.
    pub const MAX_TOTAL_BYTES: u64 = 2 * 1024 * 1024 * 1024;
    /// Longest path, bytes.
    pub const MAX_PATH_BYTES: usize = 1024;
}

/// One regular file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    /// Relative, `/`-separated, normal components only.
    pub path: String,
    /// Content.
    pub hash: BlobHash,
    /// Size in bytes.
    pub size: u64,
    /// Whether the owner may execute it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub executable: bool,
}

/// The tree of a snapshot. Entries are sorted by path and unique.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The files.
    pub files: Vec<FileEntry>,
}

/// Why a manifest from outside is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// Not the JSON of a manifest.
    #[error("the manifest is not readable: {0}")]
    Malformed(String),
    /// A path that is absolute, climbs, is not normal, or names repository internals.
    #[error("the manifest names an unsafe path: {0:?}")]
    UnsafePath(String),
    /// Paths must be sorted and unique; also no file may stand where a folder is needed.
    #[error("the manifest lists {0:?} twice or out of order, or both as file and folder")]
    Order(String),
    /// Two names that are one where case does not count, or where letters are composed otherwise.
    #[error("the manifest lists {0:?} and {1:?}, which are one file on some machines")]
    Twins(String, String),
    /// A bound of `limits` is passed.
    #[error("the snapshot is too large: {0}")]
    TooLarge(String),
}

impl Manifest {
    /// Canonical bytes: the same tree always gives the same blob.
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// The snapshot's name.
    pub fn hash(&self) -> BlobHash {
        BlobHash::of(&self.to_bytes())
    }

    /// Reads and checks a manifest from outside.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ManifestError> {
        let manifest: Self =
            serde_json::from_slice(bytes).map_err(|error| ManifestError::Malformed(error.to_string()))?;
        manifest.check()?;
        Ok(manifest)
    }

    /// Paths safe, sorted, unique; sizes within bounds.
    pub fn check(&self) -> Result<(), ManifestError> {
        if self.files.len() > limits::MAX_FILES {
            return Err(ManifestError::TooLarge(format!("{} files", self.files.len())));
        }
        let mut total: u64 = 0;
        let mut before: Option<&str> = None;
        for file in &self.files {
            if !is_safe_path(&file.path) {
                return Err(ManifestError::UnsafePath(file.path.clone()));
            }
            if let Some(before) = before
                && (before >= file.path.as_str() || file.path.starts_with(&format!("{before}/")))
            {
                return Err(ManifestError::Order(file.path.clone()));
            }
            if file.size > limits::MAX_FILE_BYTES {
                return Err(ManifestError::TooLarge(format!("{} has {} bytes", file.path, file.size)));
            }
            total = total.saturating_add(file.size);
            before = Some(&file.path);
        }
        if total > limits::MAX_TOTAL_BYTES {
            return Err(ManifestError::TooLarge(format!("{total} bytes in all")));
        }
        self.no_file_is_a_folder()?;
        let mut taken = PortablePaths::default();
        self.files.iter().try_for_each(|file| {
            let twins = |other: &str| ManifestError::Twins(other.to_owned(), file.path.clone());
            taken.take(&file.path).map_err(twins)
        })
    }

    /// The entry at `path`.
    pub fn get(&self, path: &str) -> Option<&FileEntry> {
        let index = self.files.binary_search_by(|file| file.path.as_str().cmp(path)).ok()?;
        self.files.get(index)
    }

    fn no_file_is_a_folder(&self) -> Result<(), ManifestError> {
        let mut folders = std::collections::BTreeSet::new();
        for file in &self.files {
            for (at, _) in file.path.match_indices('/') {
                folders.insert(&file.path[..at]);
            }
        }
        match self.files.iter().find(|file| folders.contains(file.path.as_str())) {
            Some(file) => Err(ManifestError::Order(file.path.clone())),
            None => Ok(()),
        }
    }
}

/// Whether `path` may be created below a fresh directory: relative, normal components, no control
/// characters, no Windows forms or devices, and not inside `.git`.
pub fn is_safe_path(path: &str) -> bool {
    !path.is_empty()
        && path.len() <= limits::MAX_PATH_BYTES
        && !path.contains(['\\', ':'])
        && !path.chars().any(char::is_control)
        && path.split('/').all(|part| {
            !part.is_empty()
                && part != "."
                && part != ".."
                && part.len() <= 255
                && !part.ends_with(['.', ' '])
                && !part.eq_ignore_ascii_case(".git")
                && !portable::is_device(part)
        })
}

/// Why a path was left out of a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OmissionReason {
    /// Named by `.edgecoderignore`.
    Ignored,
    /// Looks like a credential, or its name is one that credentials have.
    Secret,
    /// A symbolic link, device, socket or pipe.
    NotRegular,
    /// Larger than a snapshot's file may be.
    TooLarge,
    /// The path is not UTF-8 or not portable.
    UnsafePath,
    /// A git submodule: only its parent's files are frozen.
    Submodule,
    /// The file could not be read.
    Unreadable,
}

/// One path that a snapshot leaves out, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Omission {
    /// The path, lossily decoded if it was not UTF-8.
    pub path: String,
    /// Why.
    pub reason: OmissionReason,
    /// More, for people: which rule matched, how large it was. Never the secret itself.
    pub detail: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(path: &str) -> FileEntry {
        FileEntry { path: path.into(), hash: BlobHash::of(b""), size: 0, executable: false }
    }

    fn check(paths: &[&str]) -> Result<(), ManifestError> {
        Manifest { files: paths.iter().map(|path| entry(path)).collect() }.check()
    }

    #[test]
    fn ordinary_trees_pass() {
        assert_eq!(check(&["README.md", "src/lib.rs", "src/ünïcode.py", "src-2"].map(|p| p)), {
            // sorted by bytes: "src-2" < "src/lib.rs"
            Err(ManifestError::Order("src-2".into()))
        });
        assert_eq!(check(&["README.md", "src-2", "src/lib.rs", "src/ünïcode.py"]), Ok(()));
    }

    #[test]
    fn hostile_paths_are_refused_by_name() {
        for path in [
            "/etc/passwd",
            "../x",
            "a/../b",
            "a//b",
            "",
            ".git/config",
            "a/.GIT/hooks/x",
            "a\\b",
            "C:x",
            "a\nb",
            "x./y",
            "src/aux.c",
        ] {
            assert_eq!(check(&[path]), Err(ManifestError::UnsafePath(path.into())), "{path:?}");
        }
    }

    #[test]
    fn names_that_differ_by_case_or_composition_only_are_refused() {
        let twins = |a: &str, b: &str| Err(ManifestError::Twins(a.into(), b.into()));
        assert_eq!(check(&["Makefile", "makefile"]), twins("Makefile", "makefile"));
        assert_eq!(check(&["cafe\u{301}", "caf\u{e9}"]), twins("cafe\u{301}", "caf\u{e9}"));
    }

    #[test]
    fn a_file_cannot_also_be_a_folder() {
        assert_eq!(check(&["a", "a.b", "a/b"]), Err(ManifestError::Order("a".into())));
        assert_eq!(check(&["a", "a"]), Err(ManifestError::Order("a".into())));
    }
}
