//! The HTTP clients against a small real server that behaves, refuses and misbehaves.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise, in shared functions too")]

mod api_client;
mod decomposer;
mod door;
mod work_source;
