//! A conversation that outgrew its window: refused, or, when the caller asked for it, shortened and told.
//!
//! **Invariant.** What a system, a person or a tool said is never dropped or changed. Only earlier answers of the
//! model give way, oldest first, each replaced by a line that says so.

use serde::{Deserialize, Serialize};

use crate::{CompletionRequest, Error, Message, Role};

/// What to do with a conversation that does not fit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Overflow {
    /// A typed error before a token is generated.
    #[default]
    Refuse,
    /// Shorten earlier answers of the model and say which; a typed error where that is not enough.
    Compact,
}

impl Overflow {
    /// Whether nothing may be shortened.
    // By reference because serde asks so.
    pub const fn is_refuse(&self) -> bool {
        matches!(self, Self::Refuse)
    }
}

/// What was shortened. Applied to the same conversation again it gives the same prompt.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compaction {
    /// Places of the shortened messages in the request, from 0, ascending.
    pub shortened: Vec<u32>,
    /// Tokens of the prompt as it was asked.
    pub tokens_before: u32,
    /// Tokens of the prompt as it was read.
    pub tokens_after: u32,
}

impl Compaction {
    /// Shortens the same messages again; places that are no answer of the model stay as they are.
    pub fn apply(&self, messages: &mut [Message]) {
        for &place in &self.shortened {
            let message = usize::try_from(place).ok().and_then(|place| messages.get_mut(place));
            if let Some(message) = message.filter(|message| is_worth_shortening(message)) {
                message.content = left_out(message.content.len());
            }
        }
    }
}

/// A shorter answer would save next to nothing.
const WORTH_BYTES: usize = 256;

fn is_worth_shortening(message: &Message) -> bool {
    message.role == Role::Assistant && message.content.len() >= WORTH_BYTES
}

fn left_out(bytes: usize) -> String {
    format!("[an earlier answer of {bytes} bytes is left out here]")
}

/// A prompt that fits, as its engine measured it.
#[derive(Debug)]
pub(crate) struct Fitted<T> {
    pub(crate) prompt_tokens: u32,
    /// What the measure made on its way, normally the tokens.
    #[cfg_attr(not(feature = "llama"), expect(dead_code, reason = "only llama.cpp goes on with the tokens"))]
    pub(crate) prompt: T,
    pub(crate) compaction: Option<Compaction>,
}

/// Makes `request` fit into a window, or says why not. `measure` answers a prompt's tokens.
pub(crate) fn fit<T>(
    request: &mut CompletionRequest,
    context_tokens: u32,
    mut measure: impl FnMut(&CompletionRequest) -> Result<(u32, T), Error>,
) -> Result<Fitted<T>, Error> {
    let max_tokens = request.max_tokens;
    let fits = |prompt_tokens: u32| prompt_tokens.saturating_add(max_tokens) <= context_tokens;
    let (tokens_before, prompt) = measure(request)?;
    if fits(tokens_before) {
        return Ok(Fitted { prompt_tokens: tokens_before, prompt, compaction: None });
    }
    let overflow = Error::ContextOverflow { prompt_tokens: tokens_before, max_tokens, context_tokens };
    let worth = worth_shortening(request);
    if request.overflow.is_refuse() || worth.is_empty() {
        return Err(overflow);
    }
    // The fewest answers that are enough, found by halving: each measure reads the whole conversation.
    let (mut least, mut most) = (1, worth.len());
    let mut found = None;
    while least <= most {
        let half = least + (most - least) / 2;
        let mut compaction = Compaction { shortened: worth[..half].to_vec(), tokens_before, tokens_after: 0 };
        let mut shorter = request.clone();
        compaction.apply(&mut shorter.messages);
        let (tokens, prompt) = measure(&shorter)?;
        if fits(tokens) {
            compaction.tokens_after = tokens;
            found = Some((shorter, prompt, compaction));
            most = half - 1;
        } else {
            least = half + 1;
        }
    }
    let (shorter, prompt, compaction) = found.ok_or(overflow)?;
    *request = shorter;
    Ok(Fitted { prompt_tokens: compaction.tokens_after, prompt, compaction: Some(compaction) })
}

fn worth_shortening(request: &CompletionRequest) -> Vec<u32> {
    let places = request.messages.iter().zip(0..).filter(|(message, _)| is_worth_shortening(message));
    places.map(|(_, place)| place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::estimate_tokens;

    fn conversation(answers: usize) -> CompletionRequest {
        let mut messages = vec![Message::system("be short")];
        for _ in 0..answers {
            messages.push(Message::user("why?"));
            messages.push(Message::assistant("because ".repeat(100)));
        }
        messages.push(Message::user("and now?"));
        CompletionRequest { overflow: Overflow::Compact, ..CompletionRequest::new(messages, 10) }
    }

    fn fit_in(request: &mut CompletionRequest, window: u32) -> Result<Fitted<()>, Error> {
        fit(request, window, |request| Ok((estimate_tokens(&request.prompt()), ())))
    }

    #[test]
    fn the_fewest_and_oldest_answers_give_way() {
        let whole = estimate_tokens(&conversation(4).prompt()) + 10;
        for (window, shortened) in [(whole, vec![]), (whole - 1, vec![1_u32]), (whole - 300, vec![1, 2])] {
            let mut request = conversation(4);
            let before = request.messages.clone();
            let fitted = fit_in(&mut request, window).unwrap();
            let places = fitted.compaction.clone().unwrap_or_default().shortened;
            assert_eq!(places, shortened.iter().map(|answer| answer * 2).collect::<Vec<_>>());
            let mut again = before;
            fitted.compaction.unwrap_or_default().apply(&mut again);
            assert_eq!(request.messages, again, "a compaction repeats itself");
            assert!(fitted.prompt_tokens + 10 <= window);
        }
    }

    #[test]
    fn what_no_answer_can_make_room_for_is_refused_unchanged() {
        let mut request = conversation(2);
        let before = request.clone();
        let Err(Error::ContextOverflow { prompt_tokens, .. }) = fit_in(&mut request, 30) else {
            panic!("it cannot fit")
        };
        assert_eq!(prompt_tokens, estimate_tokens(&before.prompt()));
        assert_eq!(request, before);

        let mut request = CompletionRequest { overflow: Overflow::Refuse, ..before };
        assert!(matches!(fit_in(&mut request, 100), Err(Error::ContextOverflow { .. })));
    }
}
