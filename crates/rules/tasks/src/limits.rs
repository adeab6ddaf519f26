//! Every bound of this crate in one place, each with its reason.

use std::time::Duration;

/// A lease lasts this long unless renewed: long enough to survive a pause of a laptop's lid, short enough that
/// a lost worker is replaced while the person still waits.
pub const LEASE: Duration = Duration::from_secs(30);

/// Samples of one round: beyond this the success rate of small models hardly grows.
pub const MAX_SAMPLES: u8 = 32;

/// Rounds of attempts on one rung before the subtask is escalated; the second has twice the samples.
pub const ROUNDS: u32 = 2;

/// Leases of one attempt that may fail for reasons other than the work before it is a dead letter.
pub const MAX_TRIES: u32 = 6;

/// First pause after such a failure; doubles each time.
pub const BACKOFF: Duration = Duration::from_millis(250);

/// Longest pause between tries.
pub const MAX_BACKOFF: Duration = Duration::from_secs(30);

/// Subtasks of one plan.
pub const MAX_SUBTASKS: usize = 10;

/// Characters of a request.
pub const MAX_REQUEST_CHARS: usize = 20_000;

/// Characters of a detail kept with an attempt; the whole text is in its log.
pub const MAX_DETAIL_CHARS: usize = 2_000;

/// Review notes kept with a verdict: three for each file of the largest patch that a scope allows by default.
pub const MAX_NOTES: usize = 96;

/// Weaknesses of a confinement kept with an attempt: more than there are layers.
pub const MAX_DEGRADED: usize = 16;

/// Inline output of an answer, bytes; longer ones are cut visibly.
pub const MAX_OUTPUT_BYTES: usize = 256 * 1024;
