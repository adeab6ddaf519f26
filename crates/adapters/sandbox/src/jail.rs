//! The launcher of confined runs: single-threaded, no sockets but the one it was given, no allocation limits
//! to fear. Three processes take part:
//!
//! - the **supervisor** (this program): sets up cgroups and id maps, waits, kills, tells the outcome;
//! - the **first process** of the new namespaces: builds the root, then only reaps;
//! - the **payload**: lays the files, gives up everything it holds, becomes the command.
//!
//! What goes wrong before the command starts is told over a pipe that the command never has, so no payload
//! can fake a failed set-up, nor its own status.

use std::io::{self, Write};

use crate::launch::{Failure, Outcome, Stage};

mod cgroup;
pub(crate) mod collect;
pub(crate) mod files;
pub(crate) mod filter;
mod first;
mod ids;
mod lower;
mod news;
pub(crate) mod payload;
mod root;
mod supervisor;
pub(crate) mod sys;
mod watch;

pub(crate) use cgroup::sweep;

/// Reads a launch from standard input, runs it, and answers on the same socket. Gives the status to end with.
pub fn main() -> i32 {
    // A node that is gone is seen as an error and cleaned up after.
    sys::ignore_broken_pipes();
    match supervisor::run() {
        Ok((mut control, outcome, artefacts)) => match answer(&mut control, &outcome, &artefacts) {
            Ok(()) => 0,
            // Nobody listens any more, and everything is dead.
            Err(_gone) => 1,
        },
        Err(error) => {
            // The node shows this as the reason why there is no report.
            let _unheard = writeln!(io::stderr(), "edgecoder-jail: {error}");
            1
        }
    }
}

fn answer(control: &mut impl Write, outcome: &Outcome, artefacts: &[Vec<u8>]) -> io::Result<()> {
    let header = serde_json::to_vec(outcome)?;
    control.write_all(&u32::try_from(header.len()).map_err(io::Error::other)?.to_le_bytes())?;
    control.write_all(&header)?;
    artefacts.iter().try_for_each(|bytes| control.write_all(bytes))
}

/// Names the step that an error belongs to.
pub(crate) trait During<T> {
    fn during(self, doing: impl Into<String>) -> Result<T, Failure>;
    fn during_job(self, doing: impl Into<String>) -> Result<T, Failure>;
}

impl<T, E: std::fmt::Display> During<T> for Result<T, E> {
    fn during(self, doing: impl Into<String>) -> Result<T, Failure> {
        self.map_err(|cause| Failure { stage: Stage::Host, doing: doing.into(), cause: cause.to_string() })
    }

    fn during_job(self, doing: impl Into<String>) -> Result<T, Failure> {
        self.map_err(|cause| Failure { stage: Stage::Job, doing: doing.into(), cause: cause.to_string() })
    }
}
