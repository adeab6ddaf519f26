//! What this crate refuses, as one type.

/// Why a value from outside cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A profile file that is not one.
    #[error("reading the model profile: {0}")]
    Profile(String),
    /// A profile whose model glob cannot be compiled.
    #[error("reading the model profile: {glob:?} is not a glob: {reason}")]
    ProfileGlob {
        /// The glob as written.
        glob: String,
        /// What the compiler says.
        reason: String,
    },
    /// A journal that this agent would not have written.
    #[error("replaying the journal: entry {index} records another step than this brief leads to")]
    Diverged {
        /// Zero-based position of the first entry that differs.
        index: usize,
    },
    /// A model's answer to a split request that is not a list of functions.
    #[error("reading the split of a task: {0}")]
    Split(String),
}
