//! How many tokens an answer may have: what the client asks for is a maximum, so it is cut to what the window leaves,
//! visibly (`max_tokens` of the card). A prompt that leaves nothing is refused before anything is generated.

use edgecoder_worker::{CompletionRequest, Engine, InferenceError};

use super::fault::Fault;
use super::prompt::most_tokens;

/// Where the client says nothing: most answers are shorter, and an engine keeps this much of its memory free for each.
const USUAL_TOKENS: u32 = 2048;

/// How many tokens a client named as `name`: an answer of none is no answer.
pub(super) fn named(name: &str, tokens: Option<u32>) -> Result<Option<u32>, Fault> {
    match tokens {
        Some(0) => Err(Fault::of(name, format!("`{name}`: must be at least 1"))),
        Some(_) | None => Ok(tokens),
    }
}

/// Sets `max_tokens` of the request. Counts the prompt only where it might not fit.
pub(super) async fn make(
    engine: &dyn Engine,
    window_tokens: u32,
    asked: Option<u32>,
    request: &mut CompletionRequest,
) -> Result<(), InferenceError> {
    let wanted = asked.unwrap_or(USUAL_TOKENS);
    request.max_tokens = wanted;
    if most_tokens(request).saturating_add(wanted) <= window_tokens {
        return Ok(());
    }
    let prompt_tokens = engine.count_tokens(request.prompt()).await?;
    let left = window_tokens.saturating_sub(prompt_tokens);
    if left == 0 {
        let (max_tokens, context_tokens) = (1, window_tokens);
        return Err(InferenceError::ContextOverflow { prompt_tokens, max_tokens, context_tokens });
    }
    request.max_tokens = wanted.min(left);
    Ok(())
}
