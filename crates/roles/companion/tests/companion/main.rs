//! The companion with a scripted thinker, real files, the real sandbox and real git.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test stops at the first surprise, in shared functions too"
)]

mod approvals;
mod borrowed;
mod reading;
mod remotes;
mod rig;
mod running;
mod sessions;
mod tasks;
mod writing;
