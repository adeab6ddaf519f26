//! Which dependencies a repository's commands need, as far as its lock files say: what a capsule is made from, by which
//! commands, from which hosts, and how a run that is shown one must be told of it.
//!
//! ```text
//! Manifest ─► ingredients ─┬─ Ingredients (kind, inputs, files to lay) ─► Recipe ─► steps, hosts, environment
//!                          └─ Note (what is left out, what is not pinned)     └─ identity ─► Capsule (recipe + tree)
//! ```
//!
//! A capsule is the tree that a recipe's steps left behind. Nothing here fetches or runs; a role does, in a sandbox.
//!
//! **Invariants.** The same inputs, tools and platform give the same identity. A capsule's tree names no path outside
//! itself, and no path of it leads over one of its links. No index is taken from a repository.

pub mod baseline;
pub mod capsule;
pub mod ingredients;
pub mod kind;
pub mod note;
mod python;
pub mod recipe;
pub mod sources;

pub use baseline::{Baseline, Ending};
pub use capsule::{Capsule, CapsuleError, Content, Node, TreeEntry};
pub use ingredients::{Ingredients, Laid, ingredients};
pub use kind::Kind;
pub use note::Note;
pub use recipe::{Environment, Input, Recipe, Tool};
pub use sources::{Host, SourceError, Sources};
