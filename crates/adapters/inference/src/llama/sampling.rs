//! Choosing the next token: the request's wishes as a chain of llama.cpp's samplers, a grammar beside it.

use llama_cpp_2::context::LlamaContext;
use llama_cpp_2::model::LlamaModel;
use llama_cpp_2::sampling::LlamaSampler;
use llama_cpp_2::token::LlamaToken;
use llama_cpp_2::token::data::LlamaTokenData;
use llama_cpp_2::token::data_array::LlamaTokenDataArray;

use crate::{CompletionRequest, Error, Format};

/// How far back repetition is looked for, as in llama.cpp's own programs.
const PENALTY_LAST_TOKENS: usize = 64;

/// One request's way of choosing.
#[derive(Debug)]
pub(crate) struct Sampling {
    chain: LlamaSampler,
    grammar: Option<LlamaSampler>,
}

impl Sampling {
    /// Refuses a grammar or schema that llama.cpp cannot read.
    pub(crate) fn new(
        model: &LlamaModel,
        request: &CompletionRequest,
        prompt: &[LlamaToken],
    ) -> Result<Self, Error> {
        let grammar = request.format.as_ref().map(|format| grammar(model, format)).transpose()?;
        Ok(Self { chain: chain(model, request, prompt), grammar })
    }

    /// The next token from row `row` of the last step; `None` where the grammar allows nothing the model can write.
    pub(crate) fn sample(&mut self, context: &LlamaContext<'_>, row: i32) -> Option<LlamaToken> {
        let Some(grammar) = &mut self.grammar else { return Some(self.chain.sample(context, row)) };
        // Nearly always the model's own choice is allowed; looking at all tokens is for when it is not.
        let mut free = context.token_data_array_ith(row);
        self.chain.apply(&mut free);
        let mut token = free.selected_token()?;
        if !allows(grammar, token) {
            let mut held = context.token_data_array_ith(row);
            grammar.apply(&mut held);
            held.data.retain(|candidate| candidate.logit().is_finite());
            if held.data.is_empty() {
                return None;
            }
            self.chain.apply(&mut held);
            token = held.selected_token()?;
        }
        grammar.try_accept(token).ok()?;
        self.chain.accept(token);
        Some(token)
    }
}

fn allows(grammar: &mut LlamaSampler, token: LlamaToken) -> bool {
    let mut alone = LlamaTokenDataArray::new(vec![LlamaTokenData::new(token, 1.0, 1.0)], false);
    alone.apply_sampler(grammar);
    alone.data.first().is_some_and(|candidate| candidate.logit().is_finite())
}

fn grammar(model: &LlamaModel, format: &Format) -> Result<LlamaSampler, Error> {
    let text = match format {
        Format::Grammar { gbnf } => gbnf.clone(),
        Format::JsonSchema { schema } => llama_cpp_2::json_schema_to_grammar(&schema.to_string())
            .map_err(|error| Error::invalid(format!("the JSON schema cannot be kept: {error}")))?,
    };
    LlamaSampler::grammar(model, &text, "root")
        .map_err(|error| Error::invalid(format!("the grammar cannot be read: {error}")))
}

fn chain(model: &LlamaModel, request: &CompletionRequest, prompt: &[LlamaToken]) -> LlamaSampler {
    let mut chain = Vec::new();
    if request.repeat_penalty != 1.0 || request.frequency_penalty != 0.0 || request.presence_penalty != 0.0 {
        let last = i32::try_from(PENALTY_LAST_TOKENS).unwrap_or(i32::MAX);
        let (frequency, presence) = (request.frequency_penalty, request.presence_penalty);
        let repeat = request.repeat_penalty;
        let seen = &prompt[prompt.len().saturating_sub(PENALTY_LAST_TOKENS)..];
        let penalties = LlamaSampler::penalties(model.n_vocab(), last, repeat, frequency, presence);
        chain.push(penalties.with_tokens(seen));
    }
    if request.temperature <= 0.0 {
        chain.push(LlamaSampler::greedy());
        return LlamaSampler::chain_simple(chain);
    }
    if request.top_k > 0 {
        chain.push(LlamaSampler::top_k(request.top_k));
    }
    if request.top_p < 1.0 {
        chain.push(LlamaSampler::top_p(request.top_p, 1));
    }
    if request.min_p > 0.0 {
        chain.push(LlamaSampler::min_p(request.min_p, 1));
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
