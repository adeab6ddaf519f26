//! The coordinator: owner of a queue. It lets the rules decide and the store remember, and keeps nothing in
//! memory that could be lost: what it does keep (who was seen when, who waits for news) are hints.
//!
//! [`Coordinator::build`] → [`Coordinator::handle`] → [`Coordinator::run`].

mod audit;
mod config;
mod dispatch;
mod enrolment;
mod error;
mod handle;
mod intake;
mod local;
mod reaper;
mod receipts;
mod sessions;
mod snapshots;
mod tasks;
pub mod view;

pub use audit::verify as verify_chains;
pub use config::{Config, Deps};
pub use enrolment::{Caller, Trust};
pub use error::Error;
pub use handle::{Coordinator, Handle};
pub use local::LocalWorkSource;
pub use sessions::Progress;
