//! Where a container stops an attempt by another answer than our own launcher does.

use edgecoder_sandbox::Exit;

use crate::cases::Attempt;
use crate::cases::Ending::{self, Ended, Held};

/// The daemon mounts it, Landlock or its owner keeps it closed; where there is no Landlock these are open for reading.
const CLOSED: &[Ending] = &[Held("EACCES"), Held("ENOENT"), Held("ENXIO"), Held("EPERM"), Held("EROFS")];
/// A file of nothing lies over it.
const COVERED: &[Ending] = &[Held("ENOENT"), Held("EACCES"), Held("empty")];

/// What comes of these attempts in a container.
pub(crate) const OTHERWISE: &[(&str, &[Ending])] = &[
    // The kernel's settings are there to be read.
    ("B09", CLOSED),
    ("B10", CLOSED),
    ("B11", CLOSED),
    ("B12", COVERED),
    ("B13", COVERED),
    ("B14", CLOSED),
    ("B15", CLOSED),
    // Devices of a terminal.
    ("B34", CLOSED),
    ("B35", CLOSED),
    // The daemon's library counts these numbers as another architecture, whose entry kills.
    ("C39", &[Held("ENOSYS"), Ended(Exit::Signal(libc::SIGSYS))]),
];

/// `attempt` as it ends in a container.
pub(crate) fn expected(attempt: &Attempt) -> Attempt {
    let otherwise = OTHERWISE.iter().find(|(id, _)| *id == attempt.id);
    Attempt { endings: otherwise.map_or(attempt.endings, |(_, endings)| endings), ..*attempt }
}
