//! What can go wrong at the top, and the exit status each failure ends with.

use std::io;
use std::path::PathBuf;

use edgecoder_inference::catalog::CatalogError;

use crate::config::Problems;

/// Every failure of this crate.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The settings need correcting.
    #[error(transparent)]
    Settings(#[from] Problems),
    /// What was typed cannot be done as typed.
    #[error("{0}")]
    Usage(String),
    /// No place for data is known.
    #[error("no data directory: set EDGECODER_DATA_DIR or HOME, or pass --data-dir")]
    NoDataDir,
    /// A file or directory call failed.
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
    /// Others may read what only the owner should.
    #[error("{} is open to others (mode {mode:04o}): run `chmod {wanted:o} '{}'`", path.display(), path.display())]
    TooOpen {
        /// The file or directory.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
        /// What they should be.
        wanted: u32,
    },
    /// The identity file is damaged.
    #[error("{} is not an identity: it holds 64 hexadecimal digits; restore it, or remove it to become a new node", path.display())]
    MalformedIdentity {
        /// The file.
        path: PathBuf,
    },
    /// A token file is damaged.
    #[error("{} holds no token: remove it and start the node again to make a new one", path.display())]
    MalformedToken {
        /// The file.
        path: PathBuf,
    },
    /// Another node uses the data directory.
    #[error("{} is in use by another node{}: stop it, or give this one another --data-dir", path.display(), by.map(|pid| format!(" (process {pid})")).unwrap_or_default())]
    InUse {
        /// The directory.
        path: PathBuf,
        /// The other's process, where known.
        by: Option<u32>,
    },
    /// A door's port cannot be had.
    #[error(
        "cannot open {key} {port}{by}: choose other ports with --alt-ports or --port-offset N, or set {key}"
    )]
    Port {
        /// The setting.
        key: &'static str,
        /// The port.
        port: u16,
        /// Who has it, where known.
        by: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The database cannot be opened.
    #[error("cannot open the database: see `edgecoder doctor`")]
    Store(#[from] edgecoder_store::Error),
    /// The system has no random bytes.
    #[error("cannot draw random bytes: {0}")]
    Entropy(getrandom::Error),
    /// Nobody to talk to.
    #[error("no node is running with the data directory {}: start one with `edgecoder up`", path.display())]
    NoNode {
        /// The directory looked into.
        path: PathBuf,
    },
    /// Another node failed or refused.
    #[error(transparent)]
    Net(#[from] edgecoder_net::Error),
    /// The repository could not be frozen or changed.
    #[error(transparent)]
    Workspace(#[from] edgecoder_workspace::Error),
    /// A model could not be found, pulled, checked or chosen.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// A capsule could not be kept, read or moved.
    #[error(transparent)]
    Capsule(#[from] edgecoder_worker::capsule::ShelfError),
    /// A part of the worker failed that the command line uses itself.
    #[error(transparent)]
    Worker(#[from] edgecoder_worker::Error),
    /// A `git` command failed.
    #[error("`git {command}` failed: {detail}")]
    Git {
        /// Its arguments.
        command: String,
        /// The end of what it said.
        detail: String,
    },
    /// The ledger does not hold.
    #[error("the ledger does not verify: {0}")]
    Ledger(String),
    /// A trace cannot be read.
    #[error("line {line} of the trace is not readable: {detail}")]
    Trace {
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        detail: String,
    },
    /// The check-up found something broken.
    #[error("{0} finding(s) need attention")]
    Unhealthy(usize),
    /// This build or platform cannot do that.
    #[cfg_attr(
        feature = "llama",
        expect(dead_code, reason = "only a build without an engine lacks something")
    )]
    #[error("{0}")]
    Unsupported(&'static str),
    /// A part of the node ended although it should not.
    #[error("the node could not run: {0}")]
    Role(String),
}

impl Error {
    /// For `map_err`: which step failed on which path.
    pub(crate) fn io(doing: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { doing, path, source }
    }

    /// How the program ends.
    pub(crate) const fn exit(&self) -> Exit {
        match self {
            Self::Settings(_) | Self::Usage(_) => Exit::Usage,
            Self::Catalog(error) => catalog_exit(error),
            Self::NoNode { .. } | Self::Net(edgecoder_net::Error::Unreachable { .. }) => Exit::Unreachable,
            Self::NoDataDir
            | Self::Io { .. }
            | Self::TooOpen { .. }
            | Self::MalformedIdentity { .. }
            | Self::MalformedToken { .. }
            | Self::InUse { .. }
            | Self::Port { .. }
            | Self::Store(_)
            | Self::Entropy(_)
            | Self::Net(_)
            | Self::Workspace(_)
            | Self::Capsule(_)
            | Self::Worker(_)
            | Self::Git { .. }
            | Self::Ledger(_)
            | Self::Trace { .. }
            | Self::Unhealthy(_)
            | Self::Unsupported(_)
            | Self::Role(_) => Exit::Failed,
        }
    }
}

const fn catalog_exit(error: &CatalogError) -> Exit {
    match error {
        CatalogError::Source { .. } | CatalogError::Name { .. } => Exit::Usage,
        CatalogError::Cancelled => Exit::Cancelled,
        CatalogError::Unreachable { .. } => Exit::Unreachable,
        CatalogError::Absent { .. }
        | CatalogError::NoFit { .. }
        | CatalogError::Closed { .. }
        | CatalogError::Answer { .. }
        | CatalogError::Changing { .. }
        | CatalogError::SizeUnknown { .. }
        | CatalogError::TooLarge { .. }
        | CatalogError::NoRoom { .. }
        | CatalogError::Mismatch { .. }
        | CatalogError::Forbidden { .. }
        | CatalogError::Manifest { .. }
        | CatalogError::NotAModel { .. }
        | CatalogError::NotInstalled { .. }
        | CatalogError::Taken { .. }
        | CatalogError::InUse { .. }
        | CatalogError::Busy { .. }
        | CatalogError::Io { .. }
        | CatalogError::Index { .. } => Exit::Failed,
    }
}

/// The program's exit status: part of its contract with scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done; for a task: the patch is proven.
    Done,
    /// An error.
    Failed,
    /// Wrong arguments or settings.
    Usage,
    /// The task abstained: nothing was proven.
    Abstained,
    /// The task was cancelled or rejected.
    Cancelled,
    /// No node is running, or it cannot be reached.
    Unreachable,
}

impl Exit {
    /// The number.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Abstained => 3,
            Self::Cancelled => 4,
            Self::Unreachable => 5,
        }
    }
}

/// An error and its causes on one line, each said once.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let words = inner.to_string();
        if !text.ends_with(&words) {
            text.push_str(": ");
            text.push_str(&words);
        }
        cause = inner.source();
    }
    text
}
