//! What a node must not forget: tasks, their queue, the ledger, known workers, and blobs.
//!
//! Writes go through one [`writer`] per process: commands that arrive while a commit is under way share the
//! next one, so durability costs one `fsync` for many. Each command loads the few rows it needs, lets the
//! rules decide, and writes rows **and ledger entries** together. Nothing is answered before the commit.
//! Reads never wait for writes. SQLite and PostgreSQL are written out twice under the same names
//! ([`sqlite`], [`postgres`]) behind [`backend::Backend`] and [`reads::Reads`]; one conformance suite keeps the
//! twins equal.

pub mod backend;
mod bell;
pub mod blobs;
mod class;
mod command;
mod error;
mod known;
mod migrate;
mod nonces;
pub mod postgres;
pub mod reads;
mod records;
pub mod sqlite;
mod store;
#[cfg(feature = "test-support")]
pub mod test_support;
mod unit;
mod writer;

pub use bell::{Doorbell, Pulse};
pub use blobs::BlobDir;
pub use error::Error;
pub use reads::{Counts, TaskFilter};
pub use records::{IdempotencyKey, Leased, NodeRecord};
pub use store::{Config, Deps, Location, Store};
