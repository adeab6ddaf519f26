//! Capsules on disk: made from the archive that a build leaves, kept by content, laid out as a read-only tree, and packed
//! into one file for other machines.
//!
//! ```text
//! archive (tar) ──keep──► contents (by hash) + capsules/<hash>/{card, document, tree, mark} ──Shown──► sandbox
//!                              ▲                     │
//!                              └──────import◄── pack ◄┴──export
//! ```
//!
//! **Invariants.** A capsule under its hash is whole. No link of a capsule is ever followed here. What a pack holds is
//! kept only if every byte has the hash that the document names. A mark is this machine's own and never travels.

mod archive;
mod error;
mod pack;
mod shelf;

pub use error::Error;
pub use shelf::{Card, Kept, Mark, Origin, Shelf};
