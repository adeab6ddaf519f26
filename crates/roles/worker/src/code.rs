//! A code attempt: the agent decides, we perform, and every turn is journalled before the next step.

use std::borrow::Cow;
use std::path::PathBuf;
use std::time::Duration;

use edgecoder_agent::test_report::{self, Counts};
use edgecoder_agent::{Agent, Brief, Entry, Interruption, Observation, Phase, Profile, Standing, Step};
use edgecoder_base::Usage;
use edgecoder_inference::Capabilities;
use edgecoder_protocol::Assignment;
use edgecoder_protocol::work::{Confinement, Outcome, Report};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::checkout::{Checkout, keep};
use crate::error::{Error, blocking};
use crate::heartbeat::Beat;
use crate::journal::Journal;
use crate::trace::Start;
use crate::{Config, Deps, perform};

/// One code attempt under way.
pub(crate) struct CodeAttempt<'a> {
    pub(crate) config: &'a Config,
    pub(crate) deps: &'a Deps,
    pub(crate) assignment: &'a Assignment,
    pub(crate) beat: &'a Beat,
    pub(crate) stop: &'a CancellationToken,
}

impl CodeAttempt<'_> {
    pub(crate) async fn run(&self) -> Result<Report, Error> {
        self.beat.phase("preparing");
        let engine = self.deps.engine.capabilities().await?;
        let brief = self.brief(&engine);
        let checkout = Checkout::lay_out(self.deps, self.assignment, self.stop).await?;
        let (mut agent, mut journal, pending) = self.open(&brief, &engine, &checkout).await?;
        let deadline = Instant::now() + Duration::from_millis(self.assignment.limits.wall_ms);
        let mut sandbox = Usage::default();
        let mut confinement = None;
        let mut step = match pending {
            Some(step) => step,
            None => {
                let seen = Observation::Started(perform::view(&checkout, &self.assignment.request).await?);
                self.turn(&mut agent, &mut journal, seen).await?
            }
        };
        let mut tested = None;
        loop {
            self.beat.phase(&phase(&agent, tested.as_ref()));
            let Assignment { attempt, epoch, .. } = self.assignment;
            tracing::debug!(%attempt, epoch, turn = journal.turns(), "taking a step");
            let performed = self.perform(&checkout, &step, &mut sandbox, &mut confinement);
            let observation = tokio::select! {
                biased;
                () = self.stop.cancelled() => return Err(Error::Stopped),
                () = tokio::time::sleep_until(deadline) => Observation::Interrupted(Interruption::TimeUp),
                performed = performed => match performed? {
                    Some(observation) => observation,
                    None => break,
                },
            };
            if let Observation::TestReport(report) = &observation {
                tested = test_report::counts(&format!("{}\n{}", report.stdout_tail, report.stderr_tail));
            }
            step = self.turn(&mut agent, &mut journal, observation).await?;
        }
        let mut usage = agent.usage();
        usage.executions = usage.executions.max(sandbox.executions);
        usage.sandbox_ms = usage.sandbox_ms.max(sandbox.sandbox_ms);
        let trace = keep(self.deps, self.config.shared_blobs, journal.text()?).await?;
        let outcome = self.outcome(step).await?;
        let (level, degraded) = confinement.map(|Confinement { level, degraded }| (level, degraded)).unzip();
        let degraded = degraded.unwrap_or_default();
        let model = Some(engine.model);
        Ok(Report { usage, model, trace: Some(trace), level, degraded, ..Report::of(outcome) })
    }

    /// What the agent is told: the assignment in its words, and how to speak to this model.
    fn brief(&self, engine: &Capabilities) -> Brief {
        Brief {
            request: self.assignment.request.clone(),
            verifier: self.assignment.verifier.clone(),
            scope: self.assignment.scope.clone(),
            sample: self.assignment.sample,
            seed: self.assignment.seed,
            limits: self.assignment.limits,
            context_tokens: engine.context_tokens,
            profile: Profile::for_model(self.assignment.model.as_deref().unwrap_or(&engine.model)),
        }
    }

    /// The agent where it stands: taken up again, or new.
    async fn open(
        &self,
        brief: &Brief,
        engine: &Capabilities,
        checkout: &Checkout,
    ) -> Result<(Agent, Journal, Option<Step>), Error> {
        let (folder, brief, now) = (self.config.journals.clone(), brief.clone(), (self.deps.clock)());
        let start = Start {
            at: now,
            task: self.assignment.task.clone(),
            attempt: self.assignment.attempt.clone(),
            epoch: self.assignment.epoch,
            snapshot: self.assignment.snapshot,
            base: self.assignment.base.clone(),
            model: engine.model.clone(),
            model_hash: engine.model_hash,
            engine: engine.engine.clone(),
            capsules: checkout.furnishing.capsules.clone(),
            brief: brief.clone(),
        };
        let epoch = self.assignment.epoch;
        blocking("opening the journal", move || open_journal(folder, start, brief, epoch)).await
    }

    /// Feeds the agent, journals the turn, and gives the step to take.
    async fn turn(&self, agent: &mut Agent, journal: &mut Journal, seen: Observation) -> Result<Step, Error> {
        let step = agent.next(seen.clone());
        let events = agent.events();
        for event in &events {
            tracing::debug!(attempt = %self.assignment.attempt, ?event, "agent");
        }
        let entry = Entry { observation: seen, step: Some(step.clone()) };
        // Short and local: a line and one flush.
        tokio::task::block_in_place(|| journal.turn((self.deps.clock)(), entry, events))?;
        Ok(step)
    }

    /// Performs a step; none when it is the last.
    async fn perform(
        &self,
        checkout: &Checkout,
        step: &Step,
        used: &mut Usage,
        confinement: &mut Option<Confinement>,
    ) -> Result<Option<Observation>, Error> {
        let observation = match step {
            Step::Read { paths } => perform::read(checkout, paths.clone()).await?,
            Step::Complete(prompt) => {
                let model = self.assignment.model.clone();
                perform::complete(self.deps, &self.assignment.task, prompt, model, self.beat, self.stop)
                    .await?
            }
            Step::Verify { patch } => {
                let verifier =
                    self.assignment.verifier.clone().unwrap_or_else(|| perform::syntax_check(patch));
                let min_level = self.assignment.min_level;
                let report =
                    perform::run(self.deps, checkout, patch, &verifier, min_level, self.stop).await?;
                used.executions += 1;
                used.sandbox_ms += u64::try_from(report.wall.as_millis()).unwrap_or(u64::MAX);
                *confinement = Some(perform::confinement(&report).after(confinement.take()));
                Observation::TestReport(perform::test_report(&report))
            }
            Step::Submit { .. } | Step::GiveUp { .. } => return Ok(None),
        };
        Ok(Some(observation))
    }

    async fn outcome(&self, step: Step) -> Result<Outcome, Error> {
        match step {
            Step::Submit { patch, summary, standing } => {
                let patch = keep(self.deps, self.config.shared_blobs, patch.to_bytes()).await?;
                Ok(Outcome::Candidate { patch, summary, claimed_pass: standing != Standing::Failing })
            }
            Step::GiveUp { detail, .. } => Ok(Outcome::NoCandidate { detail }),
            Step::Read { .. } | Step::Complete(_) | Step::Verify { .. } => {
                Err(Error::Bug("ending an attempt before its last step"))
            }
        }
    }
}

fn open_journal(
    folder: PathBuf,
    start: Start,
    brief: Brief,
    epoch: u64,
) -> Result<(Agent, Journal, Option<Step>), Error> {
    if let Some(resumed) = Journal::resume(&folder, &start.attempt, &brief, epoch, start.at)? {
        tracing::info!(attempt = %start.attempt, epoch, "taking up the attempt where it was left");
        return Ok((resumed.agent, resumed.journal, resumed.step));
    }
    let journal = Journal::start(&folder, start)?;
    Ok((Agent::new(brief), journal, None))
}

/// What the agent is doing, for people; with what the last run of the tests said while it mends their failures.
fn phase(agent: &Agent, tested: Option<&Counts>) -> Cow<'static, str> {
    let word = match agent.phase() {
        Phase::Reading => "reading",
        Phase::Planning => "planning",
        Phase::Coding => "coding",
        Phase::Repairing => "repairing",
        Phase::Testing => "testing",
        Phase::Done => "done",
    };
    match tested {
        Some(Counts { passed, failed, .. }) if *failed > 0 => {
            Cow::Owned(format!("{word} ({failed} of {} tests failed)", passed.saturating_add(*failed)))
        }
        _ => Cow::Borrowed(word),
    }
}
