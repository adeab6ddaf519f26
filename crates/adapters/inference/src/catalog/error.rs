//! What can go wrong between a model's name and its file on this disk. Apart from the engines' [`crate::Error`]:
//! that one travels between processes, this one is shown to the person who asked, with what to do.

use std::io;
use std::path::PathBuf;

use super::digest::Digest;

/// Why a model could not be found, pulled, checked, chosen or removed.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// What was typed names no source.
    #[error("`{text}` names no model source: {reason}")]
    Source {
        /// What was typed, shortened.
        text: String,
        /// What a source looks like.
        reason: &'static str,
    },
    /// A name that no model can have.
    #[error(
        "`{text}` cannot be a model's name: 1 to 100 letters, digits, `.`, `_`, `-` or `:`, a letter or digit first"
    )]
    Name {
        /// What was typed, shortened.
        text: String,
    },
    /// There is no such file, repository, tag or revision.
    #[error("{what} does not exist")]
    Absent {
        /// What was asked for.
        what: String,
    },
    /// The repository holds several files and none was named, or nothing fits.
    #[error("{repo} has no {wanted}; it offers: {offered}")]
    NoFit {
        /// The repository.
        repo: String,
        /// What was asked for.
        wanted: String,
        /// What can be asked for.
        offered: String,
    },
    /// The server wants to know who asks, or does not let this one in.
    #[error("{url} is closed to us ({status}): {fix}")]
    Closed {
        /// Where.
        url: String,
        /// HTTP status.
        status: u16,
        /// What the person can do.
        fix: &'static str,
    },
    /// The server cannot be reached, or the connection broke too often.
    #[error("cannot reach {host}: {reason}")]
    Unreachable {
        /// Which server.
        host: String,
        /// What the network said.
        reason: String,
    },
    /// The server answered with something else than was asked for.
    #[error("{host} answered unexpectedly: {reason}")]
    Answer {
        /// Which server.
        host: String,
        /// What was seen.
        reason: String,
    },
    /// What the server offers changed again and again while it was being downloaded.
    #[error("{url} changes while it is being downloaded")]
    Changing {
        /// Where.
        url: String,
    },
    /// The server does not say how large the file is, so nobody can say whether it fits.
    #[error("{url} does not tell its size, so it cannot be checked against the disk")]
    SizeUnknown {
        /// Where.
        url: String,
    },
    /// The file is larger than any file may be, or than was promised.
    #[error("the file has {found} bytes, {allowed} were expected at most")]
    TooLarge {
        /// Its size, bytes.
        found: u64,
        /// The bound, bytes.
        allowed: u64,
    },
    /// The disk is too full. What was downloaded before stays for later.
    #[error("not enough room in {}: {needed} bytes are needed with a margin, {free} are free", path.display())]
    NoRoom {
        /// Where models are kept.
        path: PathBuf,
        /// What is missing from the file, and a margin, bytes.
        needed: u64,
        /// What is there, bytes.
        free: u64,
    },
    /// The content is not what was promised; it was thrown away.
    #[error("the content has SHA-256 {found}, expected {expected}: it was damaged or exchanged")]
    Mismatch {
        /// As promised.
        expected: Digest,
        /// As computed.
        found: Digest,
    },
    /// The operator's rules do not allow it.
    #[error("the operator's manifest does not allow this: {reason}")]
    Forbidden {
        /// Which rule.
        reason: String,
    },
    /// The operator's manifest cannot be trusted, so nothing may be pulled.
    #[error("the operator's manifest cannot be trusted: {reason}")]
    Manifest {
        /// What is wrong with it.
        reason: String,
    },
    /// It is no model file, or a damaged one.
    #[error("{what} is not a usable GGUF file: {reason}")]
    NotAModel {
        /// The file or address.
        what: String,
        /// What is wrong with it.
        reason: String,
    },
    /// No installed model has this name.
    #[error("no model `{name}` is installed here")]
    NotInstalled {
        /// The name.
        name: String,
    },
    /// Another model has this name already.
    #[error("another model is installed as `{name}`: choose a name, or remove that one first")]
    Taken {
        /// The name.
        name: String,
    },
    /// The model is the one in use.
    #[error("`{name}` is in use: choose another model first, or force it")]
    InUse {
        /// The name.
        name: String,
    },
    /// Another process downloads the same file.
    #[error("{what} is being downloaded by another process")]
    Busy {
        /// Which one.
        what: String,
    },
    /// The person or the node stopped it; the next pull goes on from here.
    #[error("stopped; the same pull goes on from here")]
    Cancelled,
    /// A file call failed.
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
    /// The list of installed models is damaged.
    #[error("{} is damaged: {reason}; remove it, and pull the models again (their files are kept)", path.display())]
    Index {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

impl CatalogError {
    /// For `map_err`: which step failed on which path.
    pub(crate) fn io(doing: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { doing, path, source }
    }

    /// Whether there was no way to ask: what is known without the network can still be shown.
    pub const fn is_offline(&self) -> bool {
        matches!(self, Self::Unreachable { .. })
    }
}

/// The start of what somebody typed, harmless in a message.
pub(crate) fn quoted(text: &str) -> String {
    const LONGEST: usize = 120;
    text.chars().take(LONGEST).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// Names that somebody else chose, harmless in a message.
pub(crate) fn quoted_list(names: &[&str]) -> String {
    names.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(", ")
}
