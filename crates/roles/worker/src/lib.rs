//! The worker: owner of compute. It is two things that share an engine: the [`Inference`] role, which
//! completes, splits and escalates for this node, and the pull–run–report loop ([`Worker`]), which turns leased
//! attempts into candidates and verdicts.

mod inference;

pub use edgecoder_inference::codec;
pub use edgecoder_inference::{CompletionRequest, Engine, Error as InferenceError, EngineState};
pub use inference::{CountRequest, Inference};
