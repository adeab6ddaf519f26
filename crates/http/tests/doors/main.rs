//! The doors in process: real routers over a real coordinator on real SQLite in a temporary directory.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test stops at the first surprise, in shared functions too"
)]

mod authorisation;
mod bad_input;
mod clients;
mod documents;
mod holes;
mod inference;
mod routes;
mod serving;
mod support;
