//! What is already read: leftovers of finished requests and the prompts of running ones. A request that begins like
//! one of them reads only what is new. An agent's prompt grows by its last step, and several attempts begin with
//! the same prompt; reading all of it again would cost minutes on a CPU.

use llama_cpp_2::context::LlamaContext;
use llama_cpp_2::context::session::{LlamaStateSeqFlags, SeqState};
use llama_cpp_2::token::LlamaToken;

/// Shorter beginnings are read afresh: it costs little, and it keeps short seeded requests exactly repeatable.
/// (A reused beginning was computed in batches of another shape, so its numbers may differ in the last bit.)
pub(crate) const WORTH_KEEPING_TOKENS: usize = 256;

/// The tokens whose state each free slot still holds, and what was moved out of the way of running requests: a step
/// looks at every used cell, also at those of others.
#[derive(Debug)]
pub(crate) struct PromptCache {
    kept: Vec<Leftover>,
    parked: Vec<Parked>,
    /// Most bytes of what is parked, all together.
    room_bytes: usize,
    /// Counts releases: the smallest `used` was left longest ago.
    clock: u64,
}

/// On whose behalf something was read; the node's own without a name.
pub(crate) type Owner = Option<String>;

/// Tokens of somebody: only who has the same name finds them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Held<'a> {
    pub(crate) owner: &'a Owner,
    pub(crate) tokens: &'a [LlamaToken],
}

#[derive(Debug, Default, Clone)]
struct Leftover {
    owner: Owner,
    tokens: Vec<LlamaToken>,
    used: u64,
}

impl Leftover {
    fn held(&self) -> Held<'_> {
        Held { owner: &self.owner, tokens: &self.tokens }
    }
}

/// A leftover outside the cells.
#[derive(Debug)]
struct Parked {
    left: Leftover,
    state: SeqState,
}

/// Where a request goes and what it finds there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) slot: usize,
    /// Whose state begins like the request.
    from: Option<Source>,
    /// How many tokens are the same.
    pub(crate) common: usize,
}

/// A state that begins like a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    /// In a slot, perhaps the request's own.
    Slot(usize),
    /// Parked, at this place.
    Parked(usize),
}

/// How many tokens of `prompt` are found at the head of `held`: none of somebody else's. The last is always read: its
/// numbers are the next token.
pub(crate) fn common(held: Held<'_>, prompt: Held<'_>) -> usize {
    if held.owner != prompt.owner {
        return 0;
    }
    let readable = &prompt.tokens[..prompt.tokens.len().saturating_sub(1)];
    let same = held.tokens.iter().zip(readable).take_while(|(held, token)| held == token).count();
    if same < WORTH_KEEPING_TOKENS { 0 } else { same }
}

impl PromptCache {
    pub(crate) fn new(slots: usize, room_bytes: usize) -> Self {
        Self { kept: vec![Leftover::default(); slots], parked: Vec::new(), room_bytes, clock: 0 }
    }

    /// Where `prompt` saves most. `busy` are the running slots and what of theirs is read; `free` the others.
    pub(crate) fn best<'a>(
        &self,
        free: &[usize],
        busy: impl Iterator<Item = (usize, Held<'a>)>,
        prompt: Held<'_>,
    ) -> Option<Place> {
        let left = free.iter().map(|&slot| (Source::Slot(slot), common(self.kept[slot].held(), prompt)));
        let parked = self.parked.iter().enumerate();
        let (source, same) = left
            .chain(busy.map(|(slot, held)| (Source::Slot(slot), common(held, prompt))))
            .chain(parked.map(|(at, parked)| (Source::Parked(at), common(parked.left.held(), prompt))))
            // Of equals the first: a free slot needs no copy, a copy is cheaper than what is parked.
            .min_by_key(|&(_, same)| std::cmp::Reverse(same))
            .filter(|&(_, same)| same > 0)
            .unzip();
        let common = same.unwrap_or(0);
        // Taking a leftover over costs what of it is not common; beyond half of it, it is copied and kept.
        let own = source.and_then(|source| match source {
            Source::Slot(slot) if free.contains(&slot) && continues(&self.kept[slot], common) => Some(slot),
            Source::Slot(_) | Source::Parked(_) => None,
        });
        let slot = own.or_else(|| self.least_missed(free, source))?;
        Some(Place { slot, from: source, common })
    }

    /// An empty slot, else the one left longest ago; the source itself only where there is no other.
    fn least_missed(&self, free: &[usize], source: Option<Source>) -> Option<usize> {
        let missed = |slot: &usize| {
            let left = &self.kept[*slot];
            (Some(Source::Slot(*slot)) == source, if left.tokens.is_empty() { 0 } else { left.used })
        };
        free.iter().copied().min_by_key(missed)
    }

    /// Makes a place ready: the common beginning in its slot, nothing else there, and every leftover out of the
    /// cells. Answers how many tokens are there.
    pub(crate) fn claim(&mut self, context: &mut LlamaContext<'_>, place: Place) -> usize {
        let Place { slot, from, common } = place;
        let own = from == Some(Source::Slot(slot));
        if own && !continues(&self.kept[slot], common) {
            self.park(context, slot);
        }
        // Taken out before others are parked and places move.
        let parked = match from {
            Some(Source::Parked(at)) => Some(self.parked.remove(at)),
            Some(Source::Slot(_)) | None => None,
        };
        if !own {
            self.clear(context, slot);
        }
        let ready = match from {
            Some(Source::Slot(_)) if own => {
                self.kept[slot].tokens.len() == common || cut(context, slot, common)
            }
            Some(Source::Slot(source)) => copy(context, source, slot, common),
            Some(Source::Parked(_)) => {
                self.clear_all_but(context, slot);
                parked.as_ref().is_some_and(|parked| restore(context, &parked.state, slot))
                    && cut(context, slot, common)
            }
            None => false,
        };
        if !ready {
            cut(context, slot, 0);
        }
        self.kept[slot].tokens.clear();
        self.clear_all_but(context, slot);
        if let Some(parked) = parked.filter(|parked| !ready || !continues(&parked.left, common)) {
            self.add(parked);
        }
        if ready { common } else { 0 }
    }

    fn clear_all_but(&mut self, context: &mut LlamaContext<'_>, slot: usize) {
        (0..self.kept.len()).filter(|&other| other != slot).for_each(|other| self.clear(context, other));
    }

    /// Moves a slot's leftover out of the cells.
    fn clear(&mut self, context: &mut LlamaContext<'_>, slot: usize) {
        if !self.kept[slot].tokens.is_empty() {
            self.park(context, slot);
            self.kept[slot].tokens.clear();
            cut(context, slot, 0);
        }
    }

    /// Copies a slot's leftover to where it is in nobody's way; those left longest ago make room.
    fn park(&mut self, context: &LlamaContext<'_>, slot: usize) {
        let left = self.kept[slot].clone();
        let (Ok(lane), false) = (i32::try_from(slot), self.room_bytes == 0) else { return };
        let state = match context.state_seq_get(lane, LlamaStateSeqFlags::empty()) {
            Ok(state) => state,
            Err(error) => return tracing::warn!(%error, slot, "a leftover was not parked"),
        };
        let longer =
            |parked: &Parked| left.owner == parked.left.owner && left.tokens.starts_with(&parked.left.tokens);
        self.parked.retain(|parked| !longer(parked));
        self.add(Parked { left, state });
    }

    fn add(&mut self, parked: Parked) {
        self.parked.push(parked);
        self.parked.sort_by_key(|parked| parked.left.used);
        while self.parked_bytes() > self.room_bytes {
            self.parked.remove(0);
        }
    }

    fn parked_bytes(&self) -> usize {
        self.parked.iter().map(|parked| parked.state.byte_len()).sum()
    }

    /// Takes over what a finished request has in the cache.
    pub(crate) fn keep(&mut self, context: &mut LlamaContext<'_>, slot: usize, held: Held<'_>) {
        self.clock += 1;
        self.kept[slot].used = self.clock;
        self.kept[slot].owner.clone_from(held.owner);
        if held.tokens.len() >= WORTH_KEEPING_TOKENS {
            self.kept[slot].tokens = held.tokens.to_vec();
        } else {
            self.kept[slot].tokens.clear();
            cut(context, slot, 0);
        }
    }

    /// Cells held by leftovers.
    #[cfg(test)]
    pub(crate) fn kept_tokens(&self) -> usize {
        self.kept.iter().map(|left| left.tokens.len()).sum()
    }

    pub(crate) fn forget_all(&mut self, context: &mut LlamaContext<'_>) {
        self.kept.iter_mut().for_each(|left| left.tokens.clear());
        self.parked.clear();
        context.clear_kv_cache();
    }
}

/// Whether a request with so much in common goes on where the leftover ended, more or less.
fn continues(left: &Leftover, common: usize) -> bool {
    left.tokens.len() < common * 2
}

fn restore(context: &mut LlamaContext<'_>, state: &SeqState, slot: usize) -> bool {
    let Ok(lane) = i32::try_from(slot) else { return false };
    match context.state_seq_set(state, lane) {
        Ok(()) => true,
        // It may be longer than there are free cells; then the prompt is read afresh.
        Err(error) => {
            tracing::debug!(%error, slot, "a parked leftover did not come back");
            false
        }
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

/// Gives a slot the first `length` tokens of another; nothing is computed.
fn copy(context: &mut LlamaContext<'_>, source: usize, slot: usize, length: usize) -> bool {
    let (Ok(from), Ok(to)) = (i32::try_from(source), i32::try_from(slot)) else { return false };
    // All of it, and then less: slots with cells of their own can only be copied whole.
    if let Err(error) = context.copy_kv_cache_seq(from, to, None, None) {
        tracing::warn!(%error, source, slot, "cache of a slot was not shared");
        return false;
    }
    cut(context, slot, length);
    // A memory that cannot be shared in part (a recurrent model's) says so by where it ends.
    context.kv_cache_seq_pos_max(to) + 1 == i32::try_from(length).unwrap_or(-1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(range: std::ops::Range<i32>) -> Vec<LlamaToken> {
        range.map(LlamaToken).collect()
    }

    type Tokens = std::ops::Range<i32>;

    fn cache(kept: &[Tokens]) -> PromptCache {
        let kept = kept.iter().zip(1..).map(|(range, used)| Leftover {
            owner: None,
            tokens: tokens(range.clone()),
            used,
        });
        PromptCache { kept: kept.collect(), parked: Vec::new(), room_bytes: 0, clock: 99 }
    }

    fn check<const SLOTS: usize>(
        kept: [Tokens; SLOTS],
        busy: &[usize],
        prompt: i32,
        expected: (usize, Option<usize>, usize),
    ) {
        let cache = cache(&kept);
        let free: Vec<_> = (0..kept.len()).filter(|slot| !busy.contains(slot)).collect();
        let running = busy.iter().map(|&slot| (slot, cache.kept[slot].held()));
        let place = cache.best(&free, running, Held { owner: &None, tokens: &tokens(0..prompt) }).unwrap();
        let (slot, from, common) = expected;
        assert_eq!(place, Place { slot, from: from.map(Source::Slot), common }, "{kept:?} busy {busy:?}");
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

    #[test]
    fn what_was_read_for_one_is_never_reused_for_another() {
        let (ada, bob) = (Some("ada".to_owned()), Some("bob".to_owned()));
        let mut cache = cache(&[0..350, 5000..5300]);
        cache.kept[0].owner.clone_from(&ada);
        let prompt = tokens(0..400);
        let place = |owner: &Owner, busy: bool| {
            let running = busy.then(|| (0, cache.kept[0].held()));
            let free: &[usize] = if busy { &[1] } else { &[0, 1] };
            cache.best(free, running.into_iter(), Held { owner, tokens: &prompt }).unwrap()
        };
        for busy in [false, true] {
            assert_eq!(place(&ada, busy).common, 350, "her own");
            for other in [&bob, &None] {
                let place = place(other, busy);
                assert_eq!((place.from, place.common), (None, 0), "{other:?}");
            }
        }
    }
}
