//! What can go wrong with capsules on disk.

use std::io;
use std::path::PathBuf;

use edgecoder_base::BlobHash;
use edgecoder_environment::CapsuleError;

/// The world failed, or something from outside is refused.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file system failed.
    #[error("while trying to {doing} {}", path.display())]
    Io {
        /// What we were doing.
        doing: &'static str,
        /// To what.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The archive of a build is not what our own command writes.
    #[error("the archive of the build is unreadable: {0}")]
    Archive(String),
    /// The document is refused.
    #[error(transparent)]
    Capsule(#[from] CapsuleError),
    /// The file is no pack, or ends too early or too late.
    #[error("this is no capsule pack: {0}")]
    NotAPack(&'static str),
    /// A byte of a pack or of the shelf is not what its hash says.
    #[error("the content {} is damaged or was changed", .0.short())]
    Damaged(BlobHash),
    /// A pack holds another capsule than was asked for.
    #[error("the pack holds capsule {}, not {}", found.short(), expected.short())]
    Unexpected {
        /// Asked for.
        expected: BlobHash,
        /// Found.
        found: BlobHash,
    },
    /// More bytes than the settings allow.
    #[error("the capsule has {bytes} bytes, more than the {most} that are allowed")]
    TooLarge {
        /// Found.
        bytes: u64,
        /// Allowed.
        most: u64,
    },
    /// There is no such capsule here.
    #[error("there is no capsule {} here", .0.short())]
    Missing(BlobHash),
}

impl Error {
    /// Names the step and the file.
    pub(crate) fn io(doing: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { doing, path, source }
    }
}
