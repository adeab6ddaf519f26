//! Mode `docker`: the create request as a whole, and runs on a real daemon.
//!
//! What needs a daemon runs where `EDGECODER_TEST_DOCKER` names its socket and the images are built (`make
//! test-docker`); elsewhere those tests say so and pass.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test that cannot go on has failed; it says what it skipped"
)]

mod create;
mod ends;
mod refusals;
mod rig;
mod runs;
