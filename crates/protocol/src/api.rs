//! Requests and views of the doors, by audience. Separate from the rules' types on purpose.

pub mod agents;
pub mod error;
pub mod inference;
pub mod ledger;
pub mod snapshots;
pub mod status;
pub mod tasks;
