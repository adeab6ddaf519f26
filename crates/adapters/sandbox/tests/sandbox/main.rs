//! The sandbox as a whole, with the real launcher. The same tests hold for root (level S3 where cgroups
//! allow) and for an ordinary user (level S2).
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test that cannot go on has failed; it finds its tool chains and awaits its own tasks"
)]

mod confinement;
mod conversation;
mod degraded;
mod files;
mod lifetime;
mod limits;
mod modes;
mod rig;
mod workshop;
