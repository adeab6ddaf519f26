//! What a person should know of a recipe before it is made, or of a repository that has none.

use serde::{Deserialize, Serialize};

/// One remark.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "note")]
pub enum Note {
    /// No version, or a range of them: another day gives another tree.
    Unpinned {
        /// The file.
        path: String,
        /// The requirement, or the kind of it.
        what: String,
    },
    /// The project itself is not installed: runs see it in its own tree.
    ProjectLeftOut {
        /// The file.
        path: String,
        /// The line.
        what: String,
    },
    /// An index or registry that the repository names; only the settings do.
    IndexLeftOut {
        /// The file.
        path: String,
        /// The line.
        what: String,
    },
    /// A source other than an index; it is refused unless its host is among the hosts of the settings.
    OtherSource {
        /// The file.
        path: String,
        /// The address.
        what: String,
    },
    /// A file that another one names is not in the snapshot.
    Missing {
        /// The file that is named.
        path: String,
    },
    /// A lock file that stands deeper than the one taken, or that cannot be read.
    NotCovered {
        /// The file.
        path: String,
        /// Why not.
        why: String,
    },
}

impl Note {
    /// Whether the same recipe may come out otherwise another day.
    pub const fn is_unpinned(&self) -> bool {
        matches!(self, Self::Unpinned { .. })
    }
}

impl std::fmt::Display for Note {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unpinned { path, what } => {
                write!(f, "{path}: {what} is not pinned, so the capsule is not reproducible")
            }
            Self::ProjectLeftOut { path, what } => {
                write!(f, "{path}: {what:?} is left out; the project is seen in its own tree")
            }
            Self::IndexLeftOut { path, what } => {
                write!(f, "{path}: {what:?} is left out; only the settings name an index")
            }
            Self::OtherSource { path, what } => {
                write!(f, "{path}: {what} is no index; its host is refused unless `capsule.hosts` names it")
            }
            Self::Missing { path } => write!(f, "{path} is named, but not in the snapshot"),
            Self::NotCovered { path, why } => write!(f, "{path} is not covered: {why}"),
        }
    }
}
