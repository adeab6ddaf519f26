//! What is already read: leftovers of finished requests and the prompts of running ones. A request that begins like
//! one of them reads only what is new. An agent's prompt grows by its last step, and several attempts begin with
//! the same prompt; reading all of it again would cost minutes on a CPU.

use llama_cpp_2::context::LlamaContext;
use llama_cpp_2::token::LlamaToken;

/// Shorter beginnings are read afresh: it costs little, and it keeps short seeded requests exactly repeatable.
/// (A reused beginning was computed in batches of another shape, so its numbers may differ in the last bit.)
pub(crate) const WORTH_KEEPING_TOKENS: usize = 256;

/// The tokens whose state each free slot still holds.
#[derive(Debug)]
pub(crate) struct PromptCache {
    kept: Vec<Leftover>,
    /// Counts releases: the smallest `used` was left longest ago.
    clock: u64,
}

#[derive(Debug, Default, Clone)]
struct Leftover {
    tokens: Vec<LlamaToken>,
    used: u64,
}

/// Where a request goes and what it finds there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) slot: usize,
    /// The slot whose state begins like the request; it may be `slot` itself.
    pub(crate) from: Option<usize>,
    /// How many tokens are the same.
    pub(crate) common: usize,
}

/// How many tokens of `prompt` are found at the head of `held`. The last is always read: its numbers are the
/// next token.
pub(crate) fn common(held: &[LlamaToken], prompt: &[LlamaToken]) -> usize {
    let readable = &prompt[..prompt.len().saturating_sub(1)];
    let same = held.iter().zip(readable).take_while(|(held, token)| held == token).count();
    if same < WORTH_KEEPING_TOKENS { 0 } else { same }
}

impl PromptCache {
    pub(crate) fn new(slots: usize) -> Self {
        Self { kept: vec![Leftover::default(); slots], clock: 0 }
    }

    /// Where `prompt` saves most. `busy` are the running slots and what of theirs is read; `free` the others.
    pub(crate) fn best<'a>(
        &self,
        free: &[usize],
        busy: impl Iterator<Item = (usize, &'a [LlamaToken])>,
        prompt: &[LlamaToken],
    ) -> Option<Place> {
        let left = free.iter().map(|&slot| (slot, common(&self.kept[slot].tokens, prompt)));
        let (source, same) = left
            .chain(busy.map(|(slot, held)| (slot, common(held, prompt))))
            // Of equals the first: a free slot needs no copy.
            .min_by_key(|&(_, same)| std::cmp::Reverse(same))
            .filter(|&(_, same)| same > 0)
            .unzip();
        let common = same.unwrap_or(0);
        let whole = |slot: usize| free.contains(&slot) && self.kept[slot].tokens.len() < common * 2;
        // Taking a leftover over costs what of it is not common; beyond half of it, it is copied and kept.
        let slot = source.filter(|&slot| whole(slot)).or_else(|| self.least_missed(free, source))?;
        Some(Place { slot, from: source, common })
    }

    /// An empty slot, else the one left longest ago; the source itself only where there is no other.
    fn least_missed(&self, free: &[usize], source: Option<usize>) -> Option<usize> {
        let missed = |slot: &usize| {
            let left = &self.kept[*slot];
            (Some(*slot) == source, if left.tokens.is_empty() { 0 } else { left.used })
        };
        free.iter().copied().min_by_key(missed)
    }

    /// Makes a place ready: the common beginning in its slot, nothing else there, and other leftovers dropped
    /// until they fit into `spare` cells. Answers how many tokens are there.
    pub(crate) fn claim(&mut self, context: &mut LlamaContext<'_>, place: Place, spare: u32) -> usize {
        let Place { slot, from, common } = place;
        let ready = match from {
            Some(source) if source == slot => {
                self.kept[slot].tokens.len() == common || cut(context, slot, common)
            }
            Some(source) => cut(context, slot, 0) && copy(context, source, slot, common),
            None => false,
        };
        if !ready {
            cut(context, slot, 0);
        }
        self.kept[slot].tokens.clear();
        self.drop_down_to(context, usize::try_from(spare).unwrap_or(usize::MAX));
        if ready { common } else { 0 }
    }

    fn drop_down_to(&mut self, context: &mut LlamaContext<'_>, spare: usize) {
        while self.kept_tokens() > spare {
            let full = (0..self.kept.len()).filter(|&slot| !self.kept[slot].tokens.is_empty());
            let Some(oldest) = full.min_by_key(|&slot| self.kept[slot].used) else { return };
            self.kept[oldest].tokens.clear();
            cut(context, oldest, 0);
        }
    }

    /// Takes over what a finished request has in the cache.
    pub(crate) fn keep(&mut self, context: &mut LlamaContext<'_>, slot: usize, tokens: &[LlamaToken]) {
        self.clock += 1;
        self.kept[slot].used = self.clock;
        if tokens.len() >= WORTH_KEEPING_TOKENS {
            self.kept[slot].tokens = tokens.to_vec();
        } else {
            self.kept[slot].tokens.clear();
            cut(context, slot, 0);
        }
    }

    /// Cells held by leftovers; what two of them share is counted twice.
    pub(crate) fn kept_tokens(&self) -> usize {
        self.kept.iter().map(|left| left.tokens.len()).sum()
    }

    pub(crate) fn forget_all(&mut self, context: &mut LlamaContext<'_>) {
        self.kept.iter_mut().for_each(|left| left.tokens.clear());
        context.clear_kv_cache();
    }
}

/// Removes a slot's tokens from `from` on. False where the model's memory can only be dropped whole.
pub(crate) fn cut(context: &mut LlamaContext<'_>, slot: usize, from: usize) -> bool {
    let (Ok(lane), Ok(start)) = (u32::try_from(slot), u32::try_from(from)) else { return false };
    match context.clear_kv_cache_seq(Some(lane), Some(start), None) {
        Ok(removed) => removed,
        Err(error) => {
            tracing::warn!(%error, slot, "cache of a slot was not cut");
            false
        }
    }
}

/// Lets a slot share the first `length` tokens of another; nothing is computed or moved.
fn copy(context: &mut LlamaContext<'_>, source: usize, slot: usize, length: usize) -> bool {
    let (Ok(from), Ok(to), Ok(end)) = (i32::try_from(source), i32::try_from(slot), u32::try_from(length))
    else {
        return false;
    };
    if let Err(error) = context.copy_kv_cache_seq(from, to, Some(0), Some(end)) {
        tracing::warn!(%error, source, slot, "cache of a slot was not shared");
        return false;
    }
    // A memory that cannot be shared in part (a recurrent model's) says so by where it ends.
    context.kv_cache_seq_pos_max(to) + 1 == i32::try_from(length).unwrap_or(-1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(range: std::ops::Range<i32>) -> Vec<LlamaToken> {
        range.map(LlamaToken).collect()
    }

    type Held = std::ops::Range<i32>;

    fn cache(kept: &[Held]) -> PromptCache {
        let kept = kept.iter().zip(1..).map(|(range, used)| Leftover { tokens: tokens(range.clone()), used });
        PromptCache { kept: kept.collect(), clock: 99 }
    }

    fn check<const SLOTS: usize>(
        kept: [Held; SLOTS],
        busy: &[usize],
        prompt: i32,
        expected: (usize, Option<usize>, usize),
    ) {
        let cache = cache(&kept);
        let free: Vec<_> = (0..kept.len()).filter(|slot| !busy.contains(slot)).collect();
        let running = busy.iter().map(|&slot| (slot, cache.kept[slot].tokens.as_slice()));
        let place = cache.best(&free, running, &tokens(0..prompt)).unwrap();
        assert_eq!((place.slot, place.from, place.common), expected, "{kept:?} busy {busy:?}");
    }

    #[test]
    fn a_request_goes_where_it_saves_most_and_costs_least() {
        // Nothing in common: an empty slot, then the one left longest ago.
        check([5000..5300, 0..0], &[], 400, (1, None, 0));
        check([5000..5300, 6000..6300], &[], 400, (0, None, 0));
        // The next turn of the same conversation takes its slot over.
        check([5000..5300, 0..350], &[], 400, (1, Some(1), 350));
        // A short common beginning of a long conversation is shared, and the conversation kept.
        check([0..2000, 0..0], &[], 400, (1, Some(0), 399));
        check([0..2000, 5000..5300], &[1], 400, (0, Some(0), 399));
        // Of a running request the read part is shared.
        check([0..300, 0..0], &[0], 400, (1, Some(0), 300));
        // Too little in common is not worth it.
        check([0..200, 0..0], &[0], 400, (1, None, 0));
    }
}
