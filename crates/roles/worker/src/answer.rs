//! An answer: one completion of a prompt that has no repository.

use edgecoder_agent::{Message, Observation, Prompt, Role};
use edgecoder_base::Usage;
use edgecoder_protocol::Assignment;
use edgecoder_protocol::work::{Outcome, Report};
use tokio_util::sync::CancellationToken;

use crate::error::Error;
use crate::heartbeat::Beat;
use crate::{Deps, perform};

/// Tokens of an answer at most; the window may allow fewer.
const MAX_TOKENS: u32 = 1_024;

pub(crate) async fn run(
    deps: &Deps,
    assignment: &Assignment,
    beat: &Beat,
    stop: &CancellationToken,
) -> Result<Report, Error> {
    beat.phase("coding");
    let engine = deps.engine.capabilities().await?;
    let prompt = Prompt {
        messages: vec![Message::new(Role::User, &assignment.request)],
        prefill: None,
        temperature: 0.0,
        seed: assignment.seed,
        max_tokens: MAX_TOKENS.min(engine.context_tokens / 2).min(assignment.limits.max_output_tokens),
        stop: Vec::new(),
    };
    let observed =
        perform::complete(deps, &assignment.task, &prompt, assignment.model.clone(), beat, stop).await?;
    let (outcome, usage) = match observed {
        Observation::Completion { text, usage, .. } => {
            let usage = Usage {
                completions: 1,
                prompt_tokens: u64::from(usage.prompt_tokens),
                output_tokens: u64::from(usage.output_tokens),
                model_ms: usage.model_ms,
                ..Usage::default()
            };
            (Outcome::Answer { ok: true, output: text }, usage)
        }
        Observation::CompletionFailed(failure) => {
            let output = format!("the model did not answer: {failure:?}");
            (Outcome::Answer { ok: false, output }, Usage::default())
        }
        Observation::Started(_)
        | Observation::Files { .. }
        | Observation::TestReport(_)
        | Observation::Interrupted(_) => return Err(Error::Bug("asking the engine")),
    };
    Ok(Report { usage, model: Some(engine.model), ..Report::of(outcome) })
}
