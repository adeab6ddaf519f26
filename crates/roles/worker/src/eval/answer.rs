//! Asking an engine for a function.

use std::time::Duration;

use edgecoder_agent::eval::prompt::{Draw, ask};
use edgecoder_agent::eval::{Failed, FailureClass, Problem, SampleReport, answered};
use edgecoder_inference::{CompletionRequest, Error, Finish, Reply, collect};
use tokio_util::sync::CancellationToken;

use super::{Evaluation, Sample, Source, failed};
use crate::perform;

/// Times an engine that is coming back is asked.
const TRIES: u32 = 4;
/// First pause between them; doubles.
const PAUSE: Duration = Duration::from_millis(500);

impl Evaluation {
    /// The code of an answer to `problem`.
    pub(super) async fn answer(
        &self,
        problem: &Problem,
        sample: &Sample,
        report: &mut SampleReport,
        stop: &CancellationToken,
    ) -> Result<String, Failed> {
        let source = self.source();
        if self.sources.len() > 1 {
            report.node = Some(source.name.clone());
        }
        let draw = Draw { temperature: self.config.temperature, seed: sample.seed };
        let window = source.capabilities.context_tokens;
        let Some(prompt) = ask(&problem.task, &self.profile, window, draw) else {
            return Err(failed(FailureClass::TooLong, "the prompt does not fit the window"));
        };
        let reply = asked(source, perform::request(&prompt, None), stop).await?;
        report.prompt_tokens = reply.usage.prompt_tokens;
        report.output_tokens = reply.usage.output_tokens;
        report.model_ms = reply.usage.model_ms;
        let answer = prompt.prefill.unwrap_or_default() + &reply.text;
        let code = answered(&problem.task, &answer);
        if self.config.keep_answers {
            report.answer = Some(answer);
        }
        code.map_err(|error| {
            let cut = reply.finish == Finish::Length;
            failed(if cut { FailureClass::Cut } else { FailureClass::NoCode }, error.to_string())
        })
    }
}

async fn asked(
    source: &Source,
    request: CompletionRequest,
    stop: &CancellationToken,
) -> Result<Reply, Failed> {
    let lost = |error: &dyn std::fmt::Display| failed(FailureClass::Engine, error.to_string());
    let _slot = source.slots.acquire().await.map_err(|error| lost(&error))?;
    let mut pause = PAUSE;
    for _ in 1..TRIES {
        match once(source, request.clone(), stop).await {
            Err(error) if error.is_retryable() && !stop.is_cancelled() => {
                tracing::debug!(%error, "the engine failed; asking again");
                _ = stop.run_until_cancelled(tokio::time::sleep(pause)).await;
                pause *= 2;
            }
            Err(error @ Error::ContextOverflow { .. }) => {
                return Err(failed(FailureClass::TooLong, error.to_string()));
            }
            answer => return answer.map_err(|error| lost(&error)),
        }
    }
    once(source, request, stop).await.map_err(|error| lost(&error))
}

async fn once(source: &Source, request: CompletionRequest, stop: &CancellationToken) -> Result<Reply, Error> {
    collect(source.engine.complete(request, stop.child_token()).await?).await
}
