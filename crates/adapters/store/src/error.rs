//! What can fail here, sorted by what the caller should do.

use edgecoder_base::TaskId;
use edgecoder_tasks::Refusal;

/// Why the store did not do what was asked. Nothing of a failed command is kept.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The rules said no.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// No such task.
    #[error("there is no task {0}")]
    UnknownTask(TaskId),
    /// Another task has this id.
    #[error("another task has the id {0}")]
    TaskExists(TaskId),
    /// This idempotency key was used for something else.
    #[error("this idempotency key was used for another request")]
    IdempotencyMismatch,
    /// The database or the disk is full.
    #[error("{doing}: no space left")]
    Full {
        /// What was being done.
        doing: &'static str,
    },
    /// The database is locked by somebody else, or gone for now.
    #[error("{doing}: the database is not available: {cause}")]
    Unavailable {
        /// What was being done.
        doing: &'static str,
        /// The cause, as text: one failure is told to everybody who waited for the same commit.
        cause: String,
    },
    /// Another writer got in between; the same command may succeed at once.
    #[error("{doing}: another writer got in between")]
    Conflict {
        /// What was being done.
        doing: &'static str,
    },
    /// What is stored cannot be read.
    #[error("{doing}: stored content is not readable: {cause}")]
    Corrupt {
        /// What was being done.
        doing: &'static str,
        /// The cause.
        cause: String,
    },
    /// The schema is newer than this program.
    #[error(
        "the database has schema version {found}, this program knows up to {known}: use a newer edgecoder"
    )]
    SchemaTooNew {
        /// In the database.
        found: i64,
        /// In this program.
        known: i64,
    },
    /// The store is closed.
    #[error("the store is closed")]
    Closed,
}

impl Error {
    /// Whether the same command may succeed later without any change.
    pub const fn is_retryable(&self) -> bool {
        match self {
            Self::Full { .. } | Self::Unavailable { .. } | Self::Conflict { .. } | Self::Closed => true,
            Self::Refused(_)
            | Self::UnknownTask(_)
            | Self::TaskExists(_)
            | Self::IdempotencyMismatch
            | Self::Corrupt { .. }
            | Self::SchemaTooNew { .. } => false,
        }
    }

    pub(crate) fn corrupt(doing: &'static str, cause: impl ToString) -> Self {
        Self::Corrupt { doing, cause: cause.to_string() }
    }

    pub(crate) fn from_sqlite(doing: &'static str, error: &rusqlite::Error) -> Self {
        use rusqlite::ErrorCode;
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full { doing },
            // The log's index could not grow.
            _ if error
                .sqlite_error()
                .is_some_and(|e| e.extended_code == rusqlite::ffi::SQLITE_IOERR_SHMSIZE) =>
            {
                Self::Full { doing }
            }
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::corrupt(doing, error),
            // Another process with this node's name wrote where we wanted to: its entries are there now.
            Some(ErrorCode::ConstraintViolation) => Self::Conflict { doing },
            None if is_unreadable(error) => Self::corrupt(doing, error),
            _ => Self::Unavailable { doing, cause: error.to_string() },
        }
    }

    pub(crate) fn from_postgres(doing: &'static str, error: &sqlx::Error) -> Self {
        let code = error.as_database_error().and_then(|database| database.code());
        match code.as_deref() {
            // Serialisation, deadlock, lock not available, and a row that another coordinator wrote first.
            Some("40001" | "40P01" | "55P03" | "23505") => Self::Conflict { doing },
            Some("53100") => Self::Full { doing },
            // Text that the database cannot hold (a NUL), or pages that it cannot read.
            Some(code) if code.starts_with("22") || code.starts_with("XX") => Self::corrupt(doing, error),
            _ => Self::Unavailable { doing, cause: error.to_string() },
        }
    }
}

/// A value that is not what we wrote.
const fn is_unreadable(error: &rusqlite::Error) -> bool {
    matches!(
        error,
        rusqlite::Error::FromSqlConversionFailure(..)
            | rusqlite::Error::IntegralValueOutOfRange(..)
            | rusqlite::Error::InvalidColumnType(..)
            | rusqlite::Error::Utf8Error(..)
    )
}
