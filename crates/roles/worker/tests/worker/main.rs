//! The worker against a real coordinator, a real database and the real sandbox; only the model is scripted.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that fails here fails")]

mod capsules;
mod forged;
mod hostile;
mod loops;
mod rig;
