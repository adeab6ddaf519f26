//! The five doors of a node. A handler is *extract → one handle call → view*; who may enter is written in its
//! signature as an extractor type; what every answer has in common (request id, error body, time limit,
//! metrics) is one layer, [`request`](crate::Metrics).
//!
//! ```text
//! serve ─► connection (limits) ─► request layer ─► routes ─► extractor ─► role's handle
//! ```
//!
//! [`coordinator`] and [`inference`] carry work, [`ide`] speaks with editors, and [`mcp`] through it with agents;
//! [`control`] and [`portal`] only say that they are alive until their roles exist.

mod auth;
mod body;
pub mod control;
pub mod coordinator;
mod documents;
mod door;
mod error;
mod extract;
pub mod ide;
pub mod inference;
pub mod mcp;
mod metrics;
mod patience;
pub mod portal;
mod request;
mod server;
mod token;

pub use documents::{errors_page, openapi_documents};
pub use error::Error;
pub use metrics::Metrics;
pub use server::serve;

/// Tells the engine's state as last seen; never asks the engine.
pub type EngineWatch =
    std::sync::Arc<dyn Fn() -> edgecoder_protocol::api::status::EngineHealth + Send + Sync>;
