//! The vocabulary every other crate speaks: identities, hashes, keys, time, and the plain values of a
//! task (snapshot, patch, scope, verifier). Small, stable, no I/O, no clock, no randomness.

pub mod blob;
pub mod budget;
pub mod hash;
pub mod id;
pub mod key;
pub mod level;
pub mod patch;
pub mod privacy;
pub mod review;
pub mod scope;
pub mod secret;
pub mod snapshot;
pub mod time;
pub mod verifier;

pub use blob::Blobs;
pub use budget::{AttemptLimits, Usage};
pub use hash::BlobHash;
pub use id::{AttemptId, IdError, NodeId, SubtaskId, TaskId};
pub use key::{KeyError, NodeKey, PublicKey, Signature};
pub use level::Level;
pub use patch::{Change, Patch};
pub use privacy::PrivacyTier;
pub use review::{Concern, ReviewNote};
pub use scope::Scope;
pub use secret::{Private, Secret};
pub use snapshot::{FileEntry, Manifest, Omission, OmissionReason};
pub use time::{Clock, Entropy, Timestamp};
pub use verifier::Verifier;
