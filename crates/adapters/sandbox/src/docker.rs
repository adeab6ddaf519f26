//! Runs a job in a container of a Docker daemon, for machines where our own launcher cannot build its layers and for
//! tool chains that come as an image.
//!
//! ```text
//! Job ──► create body (pure) ──► dockerd ──► edgecoder-box, first process of the container ──► payload
//!     ──► launch and tree over standard input          relays output, bounds, collects
//! ```
//!
//! The node speaks the Engine API itself: a container started by a command line client outlives it. Everything goes
//! over the attached streams: the tree goes in, output and artefacts come out framed, and the end of the input is the
//! end of the run. So a node that dies takes its containers along, and no path of the host is ever mounted.
//!
//! **Invariants.** Nothing is ever fetched: an image that is not there is an error. Nothing runs by a name that may
//! move, only by the identity that the daemon resolved it to. A job that cannot have its level is refused; no other
//! mode takes its place.

mod at_hand;
mod container;
mod daemon;
mod image;
pub mod inside;
mod owner;
mod run;
mod seccomp;
mod tree;
mod wire;

pub use at_hand::{AtHand, Listener, at_hand};
pub use container::{Room, body};
pub(crate) use daemon::Docker;
pub use daemon::{Seen, look};
pub use image::IMAGES;
pub use owner::Owner;
pub(crate) use run::run;

use crate::error::Error;

/// Where the first process lies in every image.
pub const BOX: &str = "/usr/lib/edgecoder/edgecoder-box";
/// What node and box say to each other. Stands as a label on the image; another one is refused.
pub const PROTOCOL: &str = "1";

fn asking(doing: &'static str) -> impl FnOnce(bollard::errors::Error) -> Error {
    move |source| Error::Daemon { doing, source: Box::new(source) }
}
