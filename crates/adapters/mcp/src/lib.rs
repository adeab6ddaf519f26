//! Other people's MCP servers, as a client meets them: over two streams, with a limit on everything they say.
//!
//! ```text
//! reader ─► Metered (bytes a call) ─► lines (length) ─► Connection ─► tools: checked, clipped, escaped
//! writer ◄──────────────────────────────────────────────┘      └─► call: time, size, escaped text
//! ```
//!
//! Who starts the server, and in which sandbox, is not asked here: streams are all there is.
//!
//! **Invariants.** A server can be slow, silent, dead, or lie; the caller gets an error within its time. What a server
//! wrote steers no terminal and hides nothing from a reader: control characters, marks of direction and invisible
//! letters are replaced. A server that says more than its share is not listened to any more.

mod connection;
mod error;
mod limits;
mod metered;
mod offer;
mod words;

pub use connection::Connection;
pub use error::Error;
pub use limits::Limits;
pub use offer::{Offer, Offered};
pub use words::harmless;
