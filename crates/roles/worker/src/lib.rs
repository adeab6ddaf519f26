//! The worker: owner of compute. It is two things that share an engine: the [`Inference`] role, which
//! completes, splits and escalates for this node, and the pull–run–report loop ([`Worker`]), which turns leased
//! attempts into candidates and verdicts.
//!
//! ```text
//! pull ─► attempt ─┬─ code:   agent decides ─► perform (read │ complete │ verify) ─► candidate
//!                  ├─ verify: clean copy + patch ─► scope ─► verifier ─► hidden verifier ─► verdict
//!                  └─ answer: one completion
//!         heartbeat ◄─ leases ─► stop
//! ```
//!
//! What a code attempt did is written to its journal before the next step is taken, so that after a crash the
//! same node goes on where it was. The journal is also the trace.

mod answer;
mod attempt;
pub mod capsule;
mod checkout;
mod code;
mod config;
mod error;
pub mod eval;
mod heartbeat;
mod inference;
mod journal;
mod judge;
pub mod models;
mod perform;
pub mod trace;
mod worker;

pub use config::{Config, Deps};
pub use edgecoder_inference::codec;
pub use edgecoder_inference::embed::MAX_INPUTS;
pub use edgecoder_inference::{
    Capabilities, CompletionRequest, EmbedRequest, Embeddings, Engine, EngineState, Error as InferenceError,
    Event, EventStream, Finish, Format, Message, Role, TextPrompt, TokenLogprob, TokenUsage,
};
pub use error::Error;
pub use inference::{CountRequest, Inference, Larger, Routed};
pub use worker::Worker;
