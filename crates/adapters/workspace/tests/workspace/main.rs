//! Behaviour of the workspace adapter against real directories and hostile repositories.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failing fixture fails the test")]

mod freeze;
mod hostile;
mod patches;
mod project;
mod repo_map;
mod support;
mod symbols;
mod trees;
