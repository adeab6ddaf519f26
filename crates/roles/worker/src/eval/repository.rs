//! A change in a repository: the agent drives the model as in any attempt, and its candidate is judged on a
//! clean copy.

use std::sync::Arc;

use edgecoder_agent::eval::{Failed, FailureClass, Problem, SampleReport, Task};
use edgecoder_agent::scope;
use edgecoder_agent::{Agent, Brief, CompletionFailure, Observation, Prompt, Step, failure};
use edgecoder_base::{AttemptLimits, Patch, Scope, Verifier};
use edgecoder_inference::{Finish, collect};
use edgecoder_sandbox::{Job, Limits};
use edgecoder_workspace::snapshot::{FreezeOptions, freeze};
use tokio_util::sync::CancellationToken;

use super::{Evaluation, Sample, Source, failed};
use crate::capsule::Furnishing;
use crate::checkout::Checkout;
use crate::error::{Error, blocking};
use crate::perform;

/// Characters of the failure kept in the report.
const SHOWN_CHARS: usize = 200;

impl Evaluation {
    /// Lets the agent make the change and judges it.
    pub(super) async fn change(
        &self,
        problem: &Problem,
        sample: &Sample,
        report: &mut SampleReport,
        stop: &CancellationToken,
    ) -> Result<(), Failed> {
        let Task::Repository { repo, request, verify } = &problem.task else {
            return Err(failed(FailureClass::Sandbox, "it is no repository"));
        };
        let lost = |error: Error| failed(FailureClass::Sandbox, error.to_string());
        let verifier = Verifier {
            command: verify.clone(),
            timeout_ms: u64::try_from(self.config.verify_limit.as_millis()).unwrap_or(u64::MAX),
        };
        let source = self.source();
        if self.sources.len() > 1 {
            report.node = Some(source.name.clone());
        }
        let checkout = self.lay_out(repo).await.map_err(lost)?;
        let brief = Brief {
            request: request.clone(),
            verifier: Some(verifier.clone()),
            scope: Scope::default(),
            sample: sample.index,
            seed: sample.seed,
            limits: AttemptLimits::default(),
            context_tokens: source.capabilities.context_tokens,
            profile: self.profile.clone(),
        };
        let view = perform::view(&checkout, request).await.map_err(lost)?;
        let mut agent = Agent::new(brief);
        let mut step = agent.next(Observation::Started(view));
        let patch = loop {
            let seen = match &step {
                Step::Read { paths } => perform::read(&checkout, paths.clone()).await.map_err(lost)?,
                Step::Complete(prompt) => self.complete(source, prompt, report, stop).await?,
                Step::Verify { patch } => {
                    let ran = self.verify(&checkout, patch, &verifier, report, stop).await?;
                    Observation::TestReport(ran)
                }
                Step::Submit { patch, .. } => break patch.clone(),
                Step::GiveUp { detail, .. } => return Err(failed(FailureClass::NoCandidate, detail)),
            };
            if stop.is_cancelled() {
                return Err(failed(FailureClass::NoCandidate, "it was stopped"));
            }
            step = agent.next(seen);
        };
        if let Err(violations) = scope::check_with_verifier(&patch, &Scope::default(), Some(&verifier)) {
            let first = violations.first().map(ToString::to_string).unwrap_or_default();
            return Err(failed(FailureClass::Refuted, first));
        }
        let ran = self.verify(&checkout, &patch, &verifier, report, stop).await?;
        if ran.passed {
            return Ok(());
        }
        let class = if ran.timed_out { FailureClass::TimeOut } else { FailureClass::Refuted };
        Err(failed(class, failure::summarise(&ran, None, SHOWN_CHARS).headline))
    }

    /// The repository frozen and laid out, read-only.
    async fn lay_out(&self, repo: &str) -> Result<Checkout, Error> {
        let (root, blobs, trees) =
            (self.deps.repositories.join(repo), Arc::clone(&self.deps.blobs), self.deps.trees.clone());
        blocking("freezing the repository", move || {
            let frozen = freeze(&root, &FreezeOptions::default(), &*blobs)?;
            let tree = Arc::new(trees.materialise(&frozen.manifest, &*blobs)?);
            let manifest = Arc::new(frozen.manifest);
            Ok(Checkout {
                tree,
                manifest: Arc::clone(&manifest),
                original: manifest,
                beneath: Patch::default(),
                furnishing: Furnishing::default(),
            })
        })
        .await
    }

    async fn complete(
        &self,
        source: &Source,
        prompt: &Prompt,
        report: &mut SampleReport,
        stop: &CancellationToken,
    ) -> Result<Observation, Failed> {
        let lost = |error: &dyn std::fmt::Display| failed(FailureClass::Engine, error.to_string());
        let _slot = source.slots.acquire().await.map_err(|error| lost(&error))?;
        let events = source.engine.complete(perform::request(prompt, None), stop.child_token()).await;
        let reply = match events {
            Ok(events) => collect(events).await,
            Err(error) => Err(error),
        };
        match reply {
            Ok(reply) => {
                report.prompt_tokens = report.prompt_tokens.saturating_add(reply.usage.prompt_tokens);
                report.output_tokens = report.output_tokens.saturating_add(reply.usage.output_tokens);
                report.model_ms = report.model_ms.saturating_add(reply.usage.model_ms);
                if reply.finish == Finish::Cancelled {
                    return Err(failed(FailureClass::NoCandidate, "it was stopped"));
                }
                Ok(perform::observed(reply))
            }
            Err(edgecoder_inference::Error::ContextOverflow { prompt_tokens, context_tokens, .. }) => {
                let failure = CompletionFailure::ContextOverflow { prompt_tokens, context_tokens };
                Ok(Observation::CompletionFailed(failure))
            }
            Err(error) => Err(lost(&error)),
        }
    }

    async fn verify(
        &self,
        checkout: &Checkout,
        patch: &Patch,
        verifier: &Verifier,
        report: &mut SampleReport,
        stop: &CancellationToken,
    ) -> Result<edgecoder_agent::TestReport, Failed> {
        let job = Job {
            files: checkout.files(patch),
            limits: Limits { wall: verifier.timeout(), cpu: verifier.timeout() * 4, ..Limits::default() },
            min_level: self.config.min_level,
            ..Job::new(checkout.tree.path(), verifier.command.clone())
        };
        let ran = self.confined(job, report, stop).await?;
        Ok(perform::test_report(&ran))
    }
}
