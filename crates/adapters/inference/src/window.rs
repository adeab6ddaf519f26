//! How large a context is: a rule over what the model allows, what was asked and what memory is free.

use crate::capabilities::{Bound, Window};

/// Unless asked otherwise no request gets more: prompts this long take minutes on most machines.
const USUAL_CONTEXT_TOKENS: u32 = 32_768;
/// All slots together get no more than this, unless one request alone needs more.
const SHARED_TOKENS: u32 = 16_384;
/// Less is no use to anybody; it is tried even where memory seems too short, and fails with a reason if it is.
const LEAST_CONTEXT_TOKENS: u32 = 512;
/// Of the free memory the context takes at most one part in this many: the repository's own builds and tests
/// run on the same machine.
const MEMORY_SHARE: u64 = 2;

/// What the choice is made from.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Wish {
    /// 0 where the model's file does not say.
    pub(crate) trained_tokens: u32,
    pub(crate) asked_tokens: Option<u32>,
    pub(crate) slots: u32,
    pub(crate) token_bytes: u64,
    /// Apart from the weights.
    pub(crate) free_bytes: Option<u64>,
}

/// The tokens of one request, and how it came to that.
pub(crate) fn choose(wish: Wish) -> (u32, Window) {
    let trained = if wish.trained_tokens == 0 { u32::MAX } else { wish.trained_tokens };
    let affordable = wish.free_bytes.map_or(u32::MAX, |free| {
        let tokens = free / MEMORY_SHARE / wish.token_bytes.max(1);
        u32::try_from(tokens).unwrap_or(u32::MAX).max(LEAST_CONTEXT_TOKENS)
    });
    let candidates = match wish.asked_tokens {
        // Who asks for a number knows the machine's memory better than a momentary reading.
        Some(asked) => vec![(trained, Bound::Trained), (asked.max(1), Bound::Asked)],
        None => {
            vec![(trained, Bound::Trained), (USUAL_CONTEXT_TOKENS, Bound::Usual), (affordable, Bound::Memory)]
        }
    };
    let (context, bound) = candidates
        .into_iter()
        .min_by_key(|&(tokens, _)| tokens)
        .unwrap_or((LEAST_CONTEXT_TOKENS, Bound::Usual));
    let shared = context.saturating_mul(wish.slots.max(1)).min(SHARED_TOKENS.min(affordable).max(context));
    let window = Window {
        trained_tokens: wish.trained_tokens,
        shared_tokens: shared,
        token_bytes: wish.token_bytes,
        free_bytes: wish.free_bytes,
        bound,
    };
    (context, window)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tightest_bound_decides() {
        const GIB: u64 = 1 << 30;
        let wish = Wish {
            trained_tokens: 131_072,
            asked_tokens: None,
            slots: 4,
            token_bytes: 57_344,
            free_bytes: Some(16 * GIB),
        };
        for (wish, context, shared, bound) in [
            (wish, 32_768, 32_768, Bound::Usual),
            (Wish { free_bytes: None, ..wish }, 32_768, 32_768, Bound::Usual),
            (Wish { trained_tokens: 512, ..wish }, 512, 2_048, Bound::Trained),
            (Wish { trained_tokens: 4_096, slots: 8, ..wish }, 4_096, 16_384, Bound::Trained),
            (Wish { free_bytes: Some(GIB), ..wish }, 9_362, 9_362, Bound::Memory),
            (Wish { free_bytes: Some(0), ..wish }, 512, 512, Bound::Memory),
            (Wish { asked_tokens: Some(65_536), ..wish }, 65_536, 65_536, Bound::Asked),
            (
                Wish { asked_tokens: Some(65_536), free_bytes: Some(GIB), ..wish },
                65_536,
                65_536,
                Bound::Asked,
            ),
            (Wish { asked_tokens: Some(1 << 20), ..wish }, 131_072, 131_072, Bound::Trained),
            (Wish { asked_tokens: Some(0), trained_tokens: 0, ..wish }, 1, 4, Bound::Asked),
        ] {
            let (tokens, window) = choose(wish);
            assert_eq!((tokens, window.shared_tokens, window.bound), (context, shared, bound), "{wish:?}");
        }
    }
}
