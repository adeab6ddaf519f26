//! What an answer consists of, for whichever dialect it is told in: the one stream of events that all are made of.

use std::fmt;

use edgecoder_worker::{TokenLogprob, TokenUsage};
use futures::stream::BoxStream;

use super::card::Card;
use crate::Error;

/// One step of an answer: any number of texts, likelihoods and calls, then one `Done`.
#[derive(Clone, PartialEq)]
pub(super) enum Said {
    /// More text.
    Text(String),
    /// How likely the tokens were.
    Logprobs(Vec<TokenLogprob>),
    /// A whole call.
    Call(Called),
    /// The end.
    Done(End),
}

/// A function the model wants called.
#[derive(Clone, PartialEq)]
pub(super) struct Called {
    /// Names the call in the conversation.
    pub(super) id: String,
    /// The function.
    pub(super) name: String,
    /// Its arguments, a JSON object as text.
    pub(super) arguments: String,
}

/// How an answer ended.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct End {
    /// Why.
    pub(super) why: Ending,
    /// What it cost, all tries together.
    pub(super) usage: TokenUsage,
    /// Where it was made in the end, and what had to be mended.
    pub(super) card: Card,
}

/// Why an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// The model was done.
    Stop,
    /// There was no more room.
    Length,
    /// It called functions.
    Calls,
}

/// An answer on its way: where it is made, and what it says. Dropping it cancels it and frees its slot.
pub(super) struct Answer {
    pub(super) card: Card,
    /// Tokens of the prompt; 0 where the engine tells only at the end.
    pub(super) prompt_tokens: u32,
    pub(super) said: BoxStream<'static, Result<Said, Error>>,
}

impl fmt::Debug for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "Text({} bytes)", text.len()),
            Self::Logprobs(tokens) => write!(f, "Logprobs({} tokens)", tokens.len()),
            Self::Call(called) => write!(f, "Call({})", called.name),
            Self::Done(end) => write!(f, "Done({:?})", end.why),
        }
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Answer({:?})", self.card)
    }
}

/// A whole answer, for clients that do not want a stream.
#[derive(Clone, PartialEq)]
pub(super) struct Whole {
    pub(super) text: String,
    pub(super) logprobs: Vec<TokenLogprob>,
    pub(super) calls: Vec<Called>,
    pub(super) end: End,
}

impl Answer {
    /// Reads it to its end.
    pub(super) async fn whole(mut self) -> Result<Whole, Error> {
        use futures::StreamExt as _;
        let (mut text, mut logprobs, mut calls) = (String::new(), Vec::new(), Vec::new());
        while let Some(said) = self.said.next().await {
            match said? {
                Said::Text(more) if text.is_empty() => text = more,
                Said::Text(more) => text.push_str(&more),
                Said::Logprobs(more) => logprobs.extend(more),
                Said::Call(called) => calls.push(called),
                Said::Done(end) => return Ok(Whole { text, logprobs, calls, end }),
            }
        }
        Err(super::desk::broken_off())
    }
}
