//! Every bound on what a server may take.

use std::time::Duration;

/// Longest line read: one answer of a tool that speaks at length.
pub(crate) const MAX_LINE_BYTES: usize = 1024 * 1024;
/// Most bytes listened to for one request, everything in between included: an answer and many notifications.
pub(crate) const MAX_BYTES_A_REQUEST: u64 = 4 * 1024 * 1024;
/// Most tools taken from one server: all of them stand in every prompt.
pub(crate) const MAX_TOOLS: usize = 32;
/// Most pages of a list of tools: a list need not end.
pub(crate) const MAX_PAGES: usize = 8;
/// Longest name of a tool; with the server's name before it, one that every engine takes.
pub(crate) const MAX_NAME_BYTES: usize = 40;
/// Longest description of a tool.
pub(crate) const MAX_DESCRIPTION_CHARS: usize = 600;
/// Longest schema of a tool, as JSON.
pub(crate) const MAX_SCHEMA_BYTES: usize = 8 * 1024;
/// Deepest schema of a tool.
pub(crate) const MAX_SCHEMA_DEPTH: usize = 12;
/// Longest text of a call's outcome; who asks clips it further, to what its window holds.
pub(crate) const MAX_TEXT_CHARS: usize = 64 * 1024;

/// Bounds that the settings choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Until a server has greeted and listed its tools.
    pub open: Duration,
    /// Until a call has its outcome.
    pub call: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        // Interpreters with many packages take seconds to start; tools that search or compute, a minute.
        Self { open: Duration::from_secs(20), call: Duration::from_secs(60) }
    }
}
