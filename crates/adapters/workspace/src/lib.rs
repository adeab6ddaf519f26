//! Repositories on disk: freeze one into a snapshot, lay a snapshot out as a tree, read its symbols, and
//! apply a patch. Everything below a root is reached without following links, and nothing a repository
//! brings along (hooks, filters, configuration) is ever executed.
//!
//! ```text
//! live directory ──freeze──► Manifest + blobs ──Trees::materialise──► read-only tree for the sandbox
//!        ▲                        │  ▲
//!        └──apply_to_directory────┤  └──apply_to_manifest── Patch
//!                                 └──symbols, RepoMap── what a prompt may show
//! ```

mod beneath;
mod error;
mod git_index;
pub mod patch;
pub mod project;
pub mod repo_map;
pub mod secrets;
pub mod snapshot;
pub mod symbols;
pub mod tree;
mod walk;

pub use error::Error;
pub use project::Project;
pub use repo_map::RepoMap;
pub use snapshot::{FreezeOptions, Frozen, Progress, freeze};
pub use tree::{Tree, Trees};
