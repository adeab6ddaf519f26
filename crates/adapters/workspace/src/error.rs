//! What can go wrong between a repository on disk and the plain values of a task.

use std::io;
use std::path::PathBuf;

use edgecoder_base::BlobHash;
use edgecoder_base::snapshot::ManifestError;

/// Every failure of this crate.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The root is not a directory that can be opened.
    #[error("cannot open the directory {}", path.display())]
    Root {
        /// The root asked for.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Nothing is left to freeze.
    #[error("nothing to freeze in {}: {omitted} paths were left out", path.display())]
    Empty {
        /// The root asked for.
        path: PathBuf,
        /// How many paths exist but were omitted.
        omitted: usize,
    },
    /// More than a snapshot may hold.
    #[error("the repository is too large: {0}")]
    TooLarge(String),
    /// An `allow` or `exclude` glob of the options cannot be read.
    #[error("cannot read the glob {glob:?}")]
    Glob {
        /// The glob.
        glob: String,
        /// Why.
        #[source]
        source: globset::Error,
    },
    /// A secret's shape cannot be compiled. The shapes are ours, so this is a fault of this build.
    #[error("cannot compile the shape of a secret")]
    Pattern(#[source] regex::Error),
    /// The blob store failed or lacks a blob.
    #[error("cannot use the blob {}", hash.short())]
    Blob {
        /// The blob.
        hash: BlobHash,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The manifest or patch breaks its own rules.
    #[error("the snapshot or patch is not valid")]
    Manifest(#[from] ManifestError),
    /// A file system call failed.
    #[error("cannot {doing} {}", path.display())]
    Io {
        /// The attempted step, as a verb.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A cached tree does not match its manifest and is in use, so it cannot be rebuilt now.
    #[error("the cached tree {} is damaged and in use", path.display())]
    DamagedTree {
        /// The tree.
        path: PathBuf,
    },
    /// A blob's length is not what the manifest says.
    #[error("{path:?} has {found} bytes where the manifest says {expected}")]
    SizeMismatch {
        /// The entry.
        path: String,
        /// Bytes promised.
        expected: u64,
        /// Bytes found.
        found: u64,
    },
    /// The patch was made against other content than this snapshot has.
    #[error("the patch is stale: {path:?} is not what it was made against")]
    Stale {
        /// The first path that differs.
        path: String,
    },
    /// A file would stand where a folder is, or below another file.
    #[error("the patch puts a file where a folder is, or below a file: {path:?}")]
    FileAndFolder {
        /// The path.
        path: String,
    },
    /// The patch names a path that must never be written.
    #[error("the patch names an unsafe path: {path:?}")]
    UnsafePath {
        /// The path.
        path: String,
    },
    /// The live files differ from what the patch was made against. Nothing was changed.
    #[error("{} touched paths have changed on disk: {}", paths.len(), paths.join(", "))]
    Dirty {
        /// Every differing path.
        paths: Vec<String>,
    },
    /// Applying failed midway and the old state could not be put back completely.
    #[error("cannot undo a failed apply; old contents are kept beside: {}", kept.join(", "))]
    RollbackFailed {
        /// Paths whose old content lies beside them in a `.edgecoder-…` file.
        kept: Vec<String>,
        /// What made applying fail.
        #[source]
        source: Box<Error>,
    },
}

impl Error {
    /// Whether the same call may succeed later without anybody changing the input.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Blob { .. } | Self::Io { .. } | Self::DamagedTree { .. } => true,
            Self::Root { .. }
            | Self::Empty { .. }
            | Self::TooLarge(_)
            | Self::Glob { .. }
            | Self::Pattern(_)
            | Self::Manifest(_)
            | Self::SizeMismatch { .. }
            | Self::Stale { .. }
            | Self::FileAndFolder { .. }
            | Self::UnsafePath { .. }
            | Self::Dirty { .. }
            | Self::RollbackFailed { .. } => false,
        }
    }

    pub(crate) fn io(doing: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { doing, path, source }
    }
}
