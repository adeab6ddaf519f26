//! One request inside the engine: what of its prompt was read, what it wrote, what it may still write.

use std::time::Instant;

use llama_cpp_2::sampling::LlamaSampler;
use llama_cpp_2::token::LlamaToken;

use super::text::Text;
use crate::{CompletionRequest, TokenUsage};

/// A request that fits, waiting or being decoded.
#[derive(Debug)]
pub(crate) struct Sequence {
    pub(crate) id: u64,
    /// The prompt, then everything sampled.
    pub(crate) tokens: Vec<LlamaToken>,
    /// How many of `tokens` are in the cache; also the position of the next one.
    pub(crate) fed: usize,
    pub(crate) prompt_tokens: u32,
    pub(crate) output_tokens: u32,
    pub(crate) max_tokens: u32,
    pub(crate) sampler: LlamaSampler,
    pub(crate) text: Text,
    pub(crate) since: Option<Instant>,
}

impl Sequence {
    pub(crate) fn new(id: u64, request: CompletionRequest, prompt: Vec<LlamaToken>) -> Self {
        Self {
            id,
            prompt_tokens: u32::try_from(prompt.len()).unwrap_or(u32::MAX),
            tokens: prompt,
            fed: 0,
            output_tokens: 0,
            max_tokens: request.max_tokens,
            sampler: sampler(&request),
            text: Text::new(request.stop),
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

    pub(crate) fn usage(&self) -> TokenUsage {
        let model_ms =
            self.since.map_or(0, |since| u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX));
        TokenUsage { prompt_tokens: self.prompt_tokens, output_tokens: self.output_tokens, model_ms }
    }
}

fn sampler(request: &CompletionRequest) -> LlamaSampler {
    if request.temperature <= 0.0 {
        return LlamaSampler::greedy();
    }
    let mut chain = Vec::new();
    if request.top_k > 0 {
        chain.push(LlamaSampler::top_k(request.top_k));
    }
    if request.top_p < 1.0 {
        chain.push(LlamaSampler::top_p(request.top_p, 1));
    }
    chain.push(LlamaSampler::temp(request.temperature));
    chain.push(LlamaSampler::dist(fold(request.seed)));
    LlamaSampler::chain_simple(chain)
}

/// llama.cpp takes 32 bits, and reads all ones as "any seed": never pass that on.
fn fold(seed: u64) -> u32 {
    let folded = u32::try_from((seed ^ (seed >> 32)) & u64::from(u32::MAX)).unwrap_or(0);
    if folded == u32::MAX { 0 } else { folded }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_seed_becomes_the_random_one() {
        for (seed, folded) in [(7, 7), (u64::from(u32::MAX), 0), (1 << 32, 1)] {
            assert_eq!(fold(seed), folded, "{seed}");
        }
    }
}
