//! Every message that leaves a process, and the conversations themselves as traits. Shapes here are a
//! contract with clients: fields are added, never renamed.

pub mod api;
pub mod error_code;
pub mod inference_signing;
pub mod ledger;
pub mod signing;
pub mod work;

pub use error_code::ErrorCode;
pub use work::{Assignment, Decomposer, WorkError, WorkSource};
