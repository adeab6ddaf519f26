//! What reaches other nodes. Today that is HTTP: [`HttpWorkSource`] lets a worker speak to a coordinator over
//! signed requests, [`HttpDecomposer`] asks an inference door, and [`ApiClient`] and [`InferenceClient`] are what the
//! command line uses.
//!
//! **Invariants.** No answer is read without a bound. No redirect is followed, so a token never travels to a
//! host it was not meant for. A blob that does not have its hash is an error, whoever sent it.

pub mod api_client;
mod decomposer;
pub mod error;
pub mod events;
mod ide_client;
mod inference_client;
pub mod sse;
mod wire;
pub mod work_source;

pub use api_client::{ApiClient, TaskQuery, UploadProgress};
pub use decomposer::HttpDecomposer;
pub use error::Error;
pub use events::TaskEvents;
pub use ide_client::{ChatEvents, IdeClient};
pub use inference_client::InferenceClient;
pub use work_source::{HttpWorkSource, Signer};
