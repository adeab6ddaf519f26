//! The origin's judgement of a candidate, on a clean copy: it applies, it keeps the scope contract, the
//! verifier passes, the hidden verifier passes. Whatever the author of the patch claims plays no part.

use edgecoder_agent::scope::{self, ScopeViolation};
use edgecoder_agent::{review, test_report};
use edgecoder_base::{BlobHash, Change, Level, Manifest, Patch, ReviewNote, Usage, Verifier};
use edgecoder_protocol::Assignment;
use edgecoder_protocol::work::{
    Confinement, HiddenVerifier, Outcome, Rejection, Report, TestCounts, Verdict,
};
use edgecoder_sandbox::{Exit, Job, JobFile, Limits};
use edgecoder_workspace::patch;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

use crate::checkout::{Checkout, fetch, keep, read_patch};
use crate::error::{Error, blocking, disk};
use crate::heartbeat::Beat;
use crate::{Config, Deps, perform};

/// Characters of the verifier's output shown with a rejection; all of it is in the log.
const DETAIL_CHARS: usize = 1_500;

pub(crate) struct Judge<'a> {
    pub(crate) config: &'a Config,
    pub(crate) deps: &'a Deps,
    pub(crate) assignment: &'a Assignment,
    pub(crate) beat: &'a Beat,
    pub(crate) stop: &'a CancellationToken,
}

/// What running the verifiers showed.
#[derive(Default)]
struct Trial {
    rejections: Vec<Rejection>,
    log: String,
    tests: Option<TestCounts>,
    confinement: Option<Confinement>,
    usage: Usage,
}

impl Judge<'_> {
    pub(crate) async fn run(&self) -> Result<Report, Error> {
        self.beat.phase("verifying");
        let checkout = Checkout::lay_out(self.deps, self.assignment, self.stop).await?;
        let candidate = match self.candidate(&checkout).await? {
            Ok(candidate) => candidate,
            Err(rejections) => return Ok(refused(rejections)),
        };
        let trial = self.try_out(&checkout, &candidate).await?;
        let shown = self.shown(&checkout, &candidate).await?;
        let log = match trial.log.is_empty() {
            true => None,
            false => Some(keep(self.deps, self.config.shared_blobs, trial.log.into_bytes()).await?),
        };
        // Without an execution nothing was confined.
        let unconfined = Confinement { level: Level::S0, degraded: Vec::new() };
        let Confinement { level, degraded } = trial.confinement.unwrap_or(unconfined);
        let verdict = Verdict {
            rejections: trial.rejections,
            tests: trial.tests,
            log,
            diff: Some(shown.diff),
            lines: shown.lines,
            level,
            degraded,
            verified_by_user: self.assignment.verifier.is_some() || self.assignment.hidden.is_some(),
            notes: shown.notes,
        };
        Ok(report(verdict, trial.usage))
    }

    /// The patch, if it is one, applies, and keeps the contract. At integration there is none of its own.
    async fn candidate(&self, checkout: &Checkout) -> Result<Result<Patch, Vec<Rejection>>, Error> {
        let Some(hash) = self.assignment.candidate else { return Ok(Ok(Patch::default())) };
        fetch(self.deps, &[hash]).await?;
        let blobs = Arc::clone(&self.deps.blobs);
        let read = blocking("reading the candidate", move || Ok(read_patch(&*blobs, &hash))).await?;
        let patch = match read {
            Ok(patch) => patch,
            Err(Error::Workspace(error)) => return Ok(Err(vec![does_not_apply(&error)])),
            Err(error) => return Err(error),
        };
        let unchanged = |change: &Change| {
            change.after.as_ref().map(|text| BlobHash::of(text.as_bytes())) == change.before
        };
        if patch.changes.iter().all(unchanged) {
            return Ok(Err(vec![Rejection::Empty]));
        }
        if let Err(error) = patch::check_against(&patch, &checkout.manifest) {
            return Ok(Err(vec![does_not_apply(&error)]));
        }
        let verifier = self.assignment.verifier.as_ref();
        match scope::check_with_verifier(&patch, &self.assignment.scope, verifier) {
            Ok(()) => Ok(Ok(patch)),
            Err(violations) => Ok(Err(violations.iter().map(rejection).collect())),
        }
    }

    async fn try_out(&self, checkout: &Checkout, patch: &Patch) -> Result<Trial, Error> {
        let mut trial = Trial::default();
        let visible = self.assignment.verifier.clone().unwrap_or_else(|| perform::syntax_check(patch));
        self.visible(checkout, patch, &visible, &mut trial).await?;
        if let (Some(hidden), true) = (&self.assignment.hidden, trial.rejections.is_empty()) {
            self.hidden(checkout, patch, hidden, &mut trial).await?;
        }
        Ok(trial)
    }

    async fn visible(
        &self,
        checkout: &Checkout,
        patch: &Patch,
        verifier: &Verifier,
        trial: &mut Trial,
    ) -> Result<(), Error> {
        let report =
            perform::run(self.deps, checkout, patch, verifier, self.assignment.min_level, self.stop).await?;
        let output = format!("{}{}", report.stdout.text(), report.stderr.text());
        let capsules = checkout.furnishing.line();
        trial.log =
            format!("{capsules}$ {}\n{output}\n[{}]\n", verifier.command, perform::exit_words(report.exit));
        trial.tests = test_report::counts(&output)
            .map(|counts| TestCounts { passed: counts.passed, failed: counts.failed });
        trial.count(&report);
        match report.exit {
            Exit::Code(0) => (),
            Exit::WallTimeout | Exit::CpuTimeout => trial.rejections.push(Rejection::VerifierTimedOut),
            exit @ (Exit::Code(_) | Exit::Signal(_) | Exit::OutputFlood | Exit::OutOfMemory) => {
                trial.rejections.push(Rejection::VerifierFailed {
                    exit: perform::exit_words(exit),
                    detail: end_of(&output),
                });
            }
        }
        Ok(())
    }

    /// The hidden part runs in a sandbox of its own; its output never leaves the origin's log.
    async fn hidden(
        &self,
        checkout: &Checkout,
        patch: &Patch,
        hidden: &HiddenVerifier,
        trial: &mut Trial,
    ) -> Result<(), Error> {
        fetch(self.deps, &[hidden.file]).await?;
        let (blobs, file) = (Arc::clone(&self.deps.blobs), hidden.file);
        let content = blocking("reading the hidden verifier", move || {
            blobs.read(&file).map_err(disk("reading the hidden verifier"))
        })
        .await?;
        let mut job = Job::new(checkout.tree.path(), hidden.verifier.command.clone());
        job.files = checkout.files(patch);
        job.files.retain(|file| file.path != hidden.path);
        job.files.push(JobFile { path: hidden.path.clone(), content: Some(content), executable: true });
        let timeout = hidden.verifier.timeout();
        job.limits = Limits { wall: timeout, cpu: timeout * 4, ..Limits::default() };
        checkout.furnishing.furnish(&mut job);
        let report = perform::execute(self.deps, job, self.assignment.min_level, self.stop).await?;
        trial.count(&report);
        match report.exit {
            Exit::Code(0) => (),
            Exit::WallTimeout | Exit::CpuTimeout => trial.rejections.push(Rejection::HiddenVerifierTimedOut),
            Exit::Code(_) | Exit::Signal(_) | Exit::OutputFlood | Exit::OutOfMemory => {
                trial.rejections.push(Rejection::HiddenVerifierFailed);
            }
        }
        Ok(())
    }

    /// The change as people see it, and what of it they must look at: against the tree it was made for, or at integration against the snapshot.
    async fn shown(&self, checkout: &Checkout, candidate: &Patch) -> Result<Shown, Error> {
        let integration = self.assignment.candidate.is_none();
        let (patch, manifest): (Patch, Arc<Manifest>) = if integration {
            (checkout.beneath.clone(), Arc::clone(&checkout.original))
        } else {
            (candidate.clone(), Arc::clone(&checkout.manifest))
        };
        let blobs = Arc::clone(&self.deps.blobs);
        let (text, lines, notes) = blocking("writing the diff", move || {
            let text = patch::unified_diff(&patch, &manifest, &*blobs)?;
            let stat = patch::diffstat(&patch, &manifest, &*blobs)?;
            let count = |lines: usize| u32::try_from(lines).unwrap_or(u32::MAX);
            let before = |change: &Change| String::from_utf8(blobs.read(&change.before?).ok()?).ok();
            Ok((text, (count(stat.added), count(stat.removed)), review::notes(&patch, before)))
        })
        .await?;
        let diff = keep(self.deps, self.config.shared_blobs, text.into_bytes()).await?;
        Ok(Shown { diff, lines, notes })
    }
}

struct Shown {
    diff: BlobHash,
    lines: (u32, u32),
    notes: Vec<ReviewNote>,
}

impl Trial {
    fn count(&mut self, report: &edgecoder_sandbox::Report) {
        self.usage.executions += 1;
        self.usage.sandbox_ms += u64::try_from(report.wall.as_millis()).unwrap_or(u64::MAX);
        self.confinement = Some(perform::confinement(report).after(self.confinement.take()));
    }
}

fn does_not_apply(error: &edgecoder_workspace::Error) -> Rejection {
    use std::error::Error as _;
    let cause = error.source().map(|source| format!(": {source}")).unwrap_or_default();
    Rejection::DoesNotApply { detail: format!("{error}{cause}") }
}

fn rejection(violation: &ScopeViolation) -> Rejection {
    match violation {
        ScopeViolation::TestFile { path } => Rejection::TestsEdited { path: path.clone() },
        ScopeViolation::UnsafePath { path }
        | ScopeViolation::NotAllowed { path }
        | ScopeViolation::Dependencies { path }
        | ScopeViolation::Automation { path }
        | ScopeViolation::Verifier { path } => {
            Rejection::OutOfScope { path: path.clone(), detail: violation.to_string() }
        }
        ScopeViolation::TooManyFiles { .. } | ScopeViolation::BadGlob { .. } => {
            Rejection::OutOfScope { path: String::new(), detail: violation.to_string() }
        }
    }
}

fn refused(rejections: Vec<Rejection>) -> Report {
    let verdict = Verdict {
        rejections,
        tests: None,
        log: None,
        diff: None,
        lines: (0, 0),
        // Nothing was run.
        level: Level::S0,
        degraded: Vec::new(),
        verified_by_user: false,
        notes: Vec::new(),
    };
    report(verdict, Usage::default())
}

fn report(verdict: Verdict, usage: Usage) -> Report {
    let (level, degraded) = (Some(verdict.level), verdict.degraded.clone());
    Report { usage, level, degraded, ..Report::of(Outcome::Judged { verdict }) }
}

fn end_of(text: &str) -> String {
    let skip = text.chars().count().saturating_sub(DETAIL_CHARS);
    text.chars().skip(skip).collect()
}
