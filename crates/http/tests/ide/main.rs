//! The IDE door over a scripted engine: dialects, router, guard and cancellation, without a model.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test stops at the first surprise, in shared functions too"
)]

mod anthropic;
mod chat;
mod companion;
mod hang_up;
mod mcp;
mod mutations;
mod ollama;
mod responses;
mod rig;
mod routing;
mod sampling;
mod tables;
mod tools;
