//! The ordering ledger as pure rules: each coordinator appends to its own hash chain, signs the head of every
//! batch it commits, and anyone can check both without asking.
//!
//! A hash chain alone does not show a cut tail or a chain rewritten by its owner; signed checkpoints that
//! others keep do. Entries are chained by SHA-256 over the published fields in their published order.

pub mod chain;
pub mod verify;

pub use chain::{Draft, GENESIS, Head};
pub use verify::{Fault, Verifier};
