//! Why an attempt could not be made although nothing is wrong with the work.

use edgecoder_protocol::work::SandboxRefusal;
use edgecoder_protocol::{ErrorCode, WorkError};

/// A failure around the work.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The engine.
    #[error("the engine failed: {0}")]
    Engine(#[from] edgecoder_inference::Error),
    /// The sandbox.
    #[error("the sandbox failed: {0}")]
    Sandbox(#[from] edgecoder_sandbox::Error),
    /// The repository's copy.
    #[error("the working copy failed: {0}")]
    Workspace(#[from] edgecoder_workspace::Error),
    /// The coordinator.
    #[error(transparent)]
    Work(#[from] WorkError),
    /// The journal or a blob on this machine's disk.
    #[error("{doing}: {source}")]
    Disk {
        /// What was being done.
        doing: &'static str,
        /// Why it failed.
        #[source]
        source: std::io::Error,
    },
    /// The assignment contradicts itself.
    #[error("the assignment is not usable: {0}")]
    Assignment(&'static str),
    /// The confinement measured is weaker than the task demands.
    #[error("the sandbox reached level {has}, the task needs {needed}")]
    TooWeak {
        /// Measured.
        has: edgecoder_base::Level,
        /// Demanded.
        needed: edgecoder_base::Level,
    },
    /// The evaluation cannot be made as asked.
    #[error("the evaluation cannot be made: {0}")]
    Evaluation(&'static str),
    /// The attempt was stopped.
    #[error("the attempt was stopped")]
    Stopped,
    /// A part of the worker panicked.
    #[error("the worker failed unexpectedly while {0}")]
    Bug(&'static str),
}

impl Error {
    /// The code reported to the coordinator.
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Engine(edgecoder_inference::Error::ContextOverflow { .. }) => ErrorCode::ContextOverflow,
            Self::Engine(_) => ErrorCode::ModelUnavailable,
            Self::Sandbox(_) | Self::TooWeak { .. } => ErrorCode::SandboxUnavailable,
            Self::Workspace(_) | Self::Assignment(_) => ErrorCode::UnsafeSnapshot,
            Self::Evaluation(_) => ErrorCode::InvalidRequest,
            Self::Work(WorkError::Refused { code, .. }) => *code,
            Self::Work(WorkError::Unreachable(_) | WorkError::Protocol(_)) => ErrorCode::Timeout,
            Self::Disk { source, .. } if source.kind() == std::io::ErrorKind::StorageFull => {
                ErrorCode::StorageFull
            }
            Self::Disk { .. } | Self::Stopped | Self::Bug(_) => ErrorCode::Internal,
        }
    }

    /// Why the sandbox ran nothing, where that is what failed.
    pub(crate) fn refused(&self) -> Option<SandboxRefusal> {
        use edgecoder_sandbox::Error as Sandbox;
        match self {
            Self::TooWeak { .. } => Some(SandboxRefusal::Unavailable),
            Self::Sandbox(error) => Some(match error {
                Sandbox::ImageMissing { .. } => SandboxRefusal::ImageMissing,
                Sandbox::InvalidJob(_) => SandboxRefusal::InvalidJob,
                Sandbox::Launcher { .. } | Sandbox::NoReport { .. } | Sandbox::Scratch(_) => {
                    SandboxRefusal::Launcher
                }
                #[cfg(target_os = "linux")]
                Sandbox::Daemon { .. } => SandboxRefusal::Daemon,
                Sandbox::Unavailable { .. } | Sandbox::Unsupported => SandboxRefusal::Unavailable,
                // Nobody was refused anything.
                Sandbox::Cancelled => return None,
            }),
            Self::Engine(_)
            | Self::Workspace(_)
            | Self::Work(_)
            | Self::Disk { .. }
            | Self::Assignment(_)
            | Self::Evaluation(_)
            | Self::Stopped
            | Self::Bug(_) => None,
        }
    }

    /// Whether another try, here or elsewhere, may succeed.
    pub fn is_retryable(&self) -> bool {
        match self {
            // An engine that is being restarted, or another worker's, may do.
            Self::Engine(error) => !matches!(error, edgecoder_inference::Error::ContextOverflow { .. }),
            Self::Sandbox(_) | Self::TooWeak { .. } | Self::Disk { .. } | Self::Stopped | Self::Bug(_) => {
                true
            }
            Self::Workspace(error) => error.is_retryable(),
            Self::Work(error) => error.is_retryable(),
            Self::Assignment(_) | Self::Evaluation(_) => false,
        }
    }
}

/// Adds what was being done to an error of the disk.
pub(crate) fn disk(doing: &'static str) -> impl FnOnce(std::io::Error) -> Error {
    move |source| Error::Disk { doing, source }
}

/// Runs blocking work off the async threads.
pub(crate) async fn blocking<T: Send + 'static>(
    doing: &'static str,
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(_panicked) => Err(Error::Bug(doing)),
    }
}
