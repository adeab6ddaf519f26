//! One request inside the engine: what of its prompt was read, what it wrote, what it may still write.

use std::time::Instant;

use llama_cpp_2::token::LlamaToken;

use super::cache::{Held, Owner};
use super::sampling::Sampling;
use super::text::Text;
use crate::{CompletionRequest, TokenUsage};

/// A request that fits, waiting or being decoded.
#[derive(Debug)]
pub(crate) struct Sequence {
    pub(crate) id: u64,
    /// On whose behalf; nobody else finds in the cache what it read.
    pub(crate) owner: Owner,
    /// The prompt, then everything sampled.
    pub(crate) tokens: Vec<LlamaToken>,
    /// How many of `tokens` are in the cache; also the position of the next one.
    pub(crate) fed: usize,
    pub(crate) prompt_tokens: u32,
    pub(crate) output_tokens: u32,
    pub(crate) max_tokens: u32,
    pub(crate) sampling: Sampling,
    pub(crate) text: Text,
    /// Alternatives to tell of every token, where likelihoods were asked for.
    pub(crate) logprobs: Option<u32>,
    pub(crate) since: Option<Instant>,
}

impl Sequence {
    pub(crate) fn new(
        id: u64,
        request: CompletionRequest,
        prompt: Vec<LlamaToken>,
        sampling: Sampling,
    ) -> Self {
        Self {
            id,
            owner: request.owner,
            prompt_tokens: u32::try_from(prompt.len()).unwrap_or(u32::MAX),
            tokens: prompt,
            fed: 0,
            output_tokens: 0,
            max_tokens: request.max_tokens,
            sampling,
            text: Text::new(request.stop),
            logprobs: request.logprobs,
            since: None,
        }
    }

    /// Cache cells it may come to need.
    pub(crate) const fn reserve(&self) -> u32 {
        self.prompt_tokens.saturating_add(self.max_tokens)
    }

    pub(crate) fn unfed(&self) -> usize {
        self.tokens.len() - self.fed
    }

    /// Whether its prompt is read and it writes.
    pub(crate) const fn is_writing(&self) -> bool {
        self.output_tokens > 0
    }

    /// What is in the cache.
    pub(crate) fn read(&self) -> &[LlamaToken] {
        &self.tokens[..self.fed]
    }

    /// The same, with its owner.
    pub(crate) fn held(&self) -> Held<'_> {
        Held { owner: &self.owner, tokens: self.read() }
    }

    /// What it asks for, with its owner.
    pub(crate) fn wanted(&self) -> Held<'_> {
        Held { owner: &self.owner, tokens: &self.tokens }
    }

    pub(crate) fn usage(&self) -> TokenUsage {
        let model_ms =
            self.since.map_or(0, |since| u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX));
        TokenUsage { prompt_tokens: self.prompt_tokens, output_tokens: self.output_tokens, model_ms }
    }
}
