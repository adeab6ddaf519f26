//! What finished requests left in the cache: the next turn of the same conversation reads only what is new.
//! An agent's prompt grows by its last step; reading all of it again would cost minutes on a CPU.

use std::cmp::Reverse;

use llama_cpp_2::context::LlamaContext;
use llama_cpp_2::token::LlamaToken;

/// Shorter beginnings are read afresh: it costs little, and it keeps short seeded requests exactly repeatable.
/// (A reused beginning was computed in batches of another shape, so its numbers may differ in the last bit.)
const WORTH_KEEPING_TOKENS: usize = 256;

/// The tokens whose state each free slot still holds.
#[derive(Debug)]
pub(crate) struct PromptCache {
    kept: Vec<Vec<LlamaToken>>,
}

impl PromptCache {
    pub(crate) fn new(slots: usize) -> Self {
        Self { kept: vec![Vec::new(); slots] }
    }

    /// The free slot that saves most of `prompt`, and how many of its tokens; else the one that loses least.
    pub(crate) fn best(
        &self,
        free: impl Iterator<Item = usize>,
        prompt: &[LlamaToken],
    ) -> Option<(usize, usize)> {
        // The last token is always read: its numbers are the next token.
        let readable = &prompt[..prompt.len().saturating_sub(1)];
        let saved = |slot: usize| {
            let common =
                self.kept[slot].iter().zip(readable).take_while(|(kept, token)| kept == token).count();
            if common < WORTH_KEEPING_TOKENS { 0 } else { common }
        };
        free.map(|slot| (slot, saved(slot)))
            .max_by_key(|&(slot, saved)| (saved, Reverse(self.kept[slot].len())))
    }

    /// Hands a slot over with at most its first `common` tokens in the cache; answers how many remain. Other
    /// slots' leftovers are dropped until they fit into `spare` cells.
    pub(crate) fn claim(
        &mut self,
        context: &mut LlamaContext<'_>,
        slot: usize,
        common: usize,
        spare: u32,
    ) -> usize {
        let spare = usize::try_from(spare).unwrap_or(usize::MAX);
        let whole = self.kept[slot].len() == common;
        let remains = if whole || (common > 0 && cut(context, slot, common)) { common } else { 0 };
        if remains == 0 && !whole {
            cut(context, slot, 0);
        }
        self.kept[slot].clear();
        while self.kept_tokens() > spare {
            let Some(largest) = (0..self.kept.len()).max_by_key(|&slot| self.kept[slot].len()) else { break };
            self.kept[largest].clear();
            cut(context, largest, 0);
        }
        remains
    }

    /// Takes over what a finished request has in the cache.
    pub(crate) fn keep(&mut self, context: &mut LlamaContext<'_>, slot: usize, tokens: &[LlamaToken]) {
        if tokens.len() >= WORTH_KEEPING_TOKENS {
            self.kept[slot] = tokens.to_vec();
        } else {
            self.kept[slot].clear();
            cut(context, slot, 0);
        }
    }

    /// Cells held by leftovers.
    pub(crate) fn kept_tokens(&self) -> usize {
        self.kept.iter().map(Vec::len).sum()
    }

    pub(crate) fn forget_all(&mut self, context: &mut LlamaContext<'_>) {
        self.kept.iter_mut().for_each(Vec::clear);
        context.clear_kv_cache();
    }
}

/// Removes a slot's tokens from `from` on. False where the model's memory can only be dropped whole.
fn cut(context: &mut LlamaContext<'_>, slot: usize, from: usize) -> bool {
    let (Ok(lane), Ok(start)) = (u32::try_from(slot), u32::try_from(from)) else { return false };
    match context.clear_kv_cache_seq(Some(lane), Some(start), None) {
        Ok(removed) => removed,
        Err(error) => {
            tracing::warn!(%error, slot, "cache of a slot was not cut");
            false
        }
    }
}
