//! Pulls from servers that fail in every nasty way: whatever happens, a model is whole and checked or absent.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "catalog/home.rs"]
mod home;
#[path = "catalog/server.rs"]
mod server;

#[path = "catalog/bad_servers.rs"]
mod bad_servers;
#[path = "catalog/hubs.rs"]
mod hubs;
#[path = "catalog/refusals.rs"]
mod refusals;
#[path = "catalog/resume.rs"]
mod resume;
