//! A run of the verifier on the unchanged snapshot, with capsules, and what it says of them.

use std::path::Path;

use edgecoder_base::{BlobHash, Level, Manifest, Timestamp, Verifier};
use edgecoder_capsules::{Kept, Mark, Shelf};
use edgecoder_environment::{Baseline, Ending};
use edgecoder_sandbox::{Exit, Job, Limits, Report, Sandbox};
use tokio_util::sync::CancellationToken;

use super::{Furnishing, shelf};
use crate::error::{Error, blocking};

/// Characters of output that are kept.
const SAID_CHARS: usize = 4_000;

/// What is run, and where.
pub(super) struct Trial<'a> {
    pub(super) sandbox: &'a Sandbox,
    pub(super) manifest: &'a Manifest,
    /// The tree of the manifest.
    pub(super) tree: &'a Path,
    pub(super) verifier: &'a Verifier,
    pub(super) min_level: Level,
}

impl Trial<'_> {
    /// Runs the verifier with all of `kept`, and judges the run.
    pub(super) async fn run(
        &self,
        kept: &[Kept],
        now: Timestamp,
        stop: &CancellationToken,
    ) -> Result<Mark, Error> {
        let (command, timeout) = (self.verifier.command.clone(), self.verifier.timeout());
        let mut job = Job { min_level: self.min_level, ..Job::new(self.tree, command.clone()) };
        job.limits = Limits { wall: timeout, cpu: timeout * 4, ..Limits::default() };
        Furnishing::of(kept).furnish(&mut job);
        let report = match self.sandbox.run(job, stop.child_token()).await {
            Err(edgecoder_sandbox::Error::Cancelled) => return Err(Error::Stopped),
            ran => ran?,
        };
        let baseline = Some(Baseline::of(ending(report.exit), &text(&report), self.manifest));
        Ok(Mark { baseline, verifier: command, said: said(&report), allowed: false, at: now })
    }
}

/// Writes down what was found of each.
pub(super) async fn write_down(on: &Shelf, kept: &[Kept], mark: &Mark) -> Result<(), Error> {
    let names: Vec<BlobHash> = kept.iter().map(|kept| kept.hash).collect();
    let (on, mark) = (on.clone(), mark.clone());
    blocking("marking capsules", move || {
        names.iter().try_for_each(|name| on.mark(name, &mark)).map_err(shelf("marking capsules"))
    })
    .await
}

/// The end of both streams.
pub(super) fn said(report: &Report) -> String {
    let text = text(report);
    let skip = text.chars().count().saturating_sub(SAID_CHARS);
    text.chars().skip(skip).collect()
}

fn text(report: &Report) -> String {
    format!("{}{}", report.stdout.text(), report.stderr.text())
}

fn ending(exit: Exit) -> Ending {
    match exit {
        Exit::Code(code) => Ending::Code(code),
        Exit::Signal(_) | Exit::WallTimeout | Exit::CpuTimeout | Exit::OutputFlood | Exit::OutOfMemory => {
            Ending::Cut
        }
    }
}
