//! What can go wrong around an execution; how the payload itself ended is in the report.

use std::io;

/// The world failed, or the job cannot be run as asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The sandbox cannot be built here.
    #[error("the sandbox is unavailable: {reason}; {fix}")]
    Unavailable {
        /// The step that was refused, and the system's answer.
        reason: String,
        /// What the operator can do.
        fix: &'static str,
    },
    /// The platform has no sandbox of this mode.
    #[error("this platform has no process sandbox; use another mode")]
    Unsupported,
    /// The job contradicts itself or asks for what no job may have.
    #[error("the job cannot run: {0}")]
    InvalidJob(String),
    /// The image of mode `docker` is not there; it is never fetched.
    #[error(
        "the sandbox image {image} is not on this machine and is never fetched without you; build it with \
         `edgecoder sandbox images build`, or load one you trust and name it in `sandbox.docker_image`"
    )]
    ImageMissing {
        /// As it was asked for.
        image: String,
    },
    /// The Docker daemon failed, or went away.
    #[cfg(target_os = "linux")]
    #[error("while {doing}")]
    Daemon {
        /// What we were doing.
        doing: &'static str,
        /// The cause.
        #[source]
        source: Box<bollard::errors::Error>,
    },
    /// The launcher could not be started or talked to.
    #[error("while {doing} of the sandbox launcher")]
    Launcher {
        /// What we were doing.
        doing: &'static str,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The launcher ended without saying what happened.
    #[error("the sandbox launcher ended without a report: {said}")]
    NoReport {
        /// The end of what it wrote.
        said: String,
    },
    /// The scratch copy of an unconfined run could not be made.
    #[error("while preparing a scratch copy")]
    Scratch(#[source] io::Error),
    /// The caller cancelled; every process of the execution is dead.
    #[error("the execution was cancelled")]
    Cancelled,
}

impl Error {
    /// Whether the same job may succeed later or elsewhere without being changed.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Launcher { .. } | Self::NoReport { .. } | Self::Scratch(_) => true,
            #[cfg(target_os = "linux")]
            Self::Daemon { .. } => true,
            Self::Unavailable { .. }
            | Self::Unsupported
            | Self::ImageMissing { .. }
            | Self::InvalidJob(_)
            | Self::Cancelled => false,
        }
    }
}
