//! Guessing ahead: a small model proposes tokens, the large one checks all of them in one step. What is written is
//! what the large model would have written alone; only the number of steps changes.

use std::num::NonZeroU32;

use llama_cpp_2::context::LlamaContext;
use llama_cpp_2::context::params::LlamaContextParams;
use llama_cpp_2::llama_batch::LlamaBatch;
use llama_cpp_2::model::LlamaModel;
use llama_cpp_2::token::LlamaToken;

use super::cache::cut;
use super::model::Loaded;
use super::pace::STEP_TOKENS;
use crate::Error;

/// Most tokens guessed ahead: beyond this too few are right.
pub(crate) const MOST_GUESSED: usize = 8;
/// A guess less likely than this ends the guessing, as a natural logarithm (0.6).
const SURE: f32 = -0.51;
/// With more slots writing, one step already has enough to do: checking guesses would cost more than it saves.
pub(crate) const MOST_WRITING: usize = 2;

/// The small model at work.
pub(crate) struct Drafter<'m> {
    context: LlamaContext<'m>,
    batch: LlamaBatch<'static>,
    /// What of each slot the small model has read.
    read: Vec<Vec<LlamaToken>>,
}

impl<'m> Drafter<'m> {
    /// `cells` and `slots` as the large model has them.
    pub(crate) fn new(loaded: &'m Loaded, cells: u32, slots: u32) -> Result<Option<Self>, Error> {
        let Some(model) = &loaded.draft else { return Ok(None) };
        let step = u32::try_from(STEP_TOKENS).unwrap_or(u32::MAX);
        let params = LlamaContextParams::default()
            .with_n_ctx(NonZeroU32::new(cells))
            .with_n_batch(step)
            .with_n_ubatch(step)
            .with_n_seq_max(slots)
            .with_kv_unified(true)
            .with_n_threads(loaded.threads)
            .with_n_threads_batch(loaded.threads);
        let context = model.new_context(loaded.backend, params).map_err(|error| Error::EngineCrashed {
            reason: format!("no memory for the draft model's context of {cells} tokens: {error}"),
        })?;
        let read = vec![Vec::new(); usize::try_from(slots).unwrap_or(1)];
        Ok(Some(Self { context, batch: LlamaBatch::new(STEP_TOKENS, 1), read }))
    }

    /// Up to `most` tokens that may follow `tokens`. Where the small model fails nothing is guessed.
    pub(crate) fn guess(&mut self, slot: usize, tokens: &[LlamaToken], most: usize) -> Vec<LlamaToken> {
        self.try_guess(slot, tokens, most).unwrap_or_else(|reason| {
            tracing::warn!(reason, "the draft model failed; nothing is guessed");
            self.forget(slot);
            Vec::new()
        })
    }

    /// What the slot held is gone: another request follows.
    pub(crate) fn forget(&mut self, slot: usize) {
        self.read[slot].clear();
        cut(&mut self.context, slot, 0);
    }

    fn try_guess(
        &mut self,
        slot: usize,
        tokens: &[LlamaToken],
        most: usize,
    ) -> Result<Vec<LlamaToken>, String> {
        let same = self.read[slot].iter().zip(tokens).take_while(|(read, token)| read == token).count();
        // The last token is read again: its numbers are the first guess.
        let kept = same.min(tokens.len().saturating_sub(1));
        if kept < self.read[slot].len() && !cut(&mut self.context, slot, kept) {
            return Err("its memory cannot be cut".into());
        }
        self.read[slot].truncate(kept);
        let mut guesses = Vec::new();
        let mut unread = tokens[kept..].to_vec();
        while guesses.len() < most {
            self.feed(slot, &unread)?;
            let (guess, likelihood) = likeliest(self.context.get_logits_ith(self.batch.n_tokens() - 1));
            if likelihood < SURE {
                break;
            }
            guesses.push(guess);
            unread = vec![guess];
        }
        Ok(guesses)
    }

    fn feed(&mut self, slot: usize, tokens: &[LlamaToken]) -> Result<(), String> {
        let lane = i32::try_from(slot).map_err(|error| error.to_string())?;
        for part in tokens.chunks(STEP_TOKENS) {
            self.batch.clear();
            for (offset, &token) in part.iter().enumerate() {
                let position =
                    i32::try_from(self.read[slot].len() + offset).map_err(|error| error.to_string())?;
                let last = offset + 1 == part.len();
                self.batch.add(token, position, &[lane], last).map_err(|error| error.to_string())?;
            }
            self.context.decode(&mut self.batch).map_err(|error| error.to_string())?;
            self.read[slot].extend_from_slice(part);
        }
        Ok(())
    }
}

fn likeliest(logits: &[f32]) -> (LlamaToken, f32) {
    let (best, most) =
        (0..).zip(logits).fold(
            (0, f32::NEG_INFINITY),
            |(best, most), (id, &logit)| {
                if logit > most { (id, logit) } else { (best, most) }
            },
        );
    let sum: f32 = logits.iter().map(|logit| (logit - most).exp()).sum();
    (LlamaToken(best), -sum.ln())
}

/// Whether both models mean the same by every token.
pub(crate) fn same_vocabulary(one: &LlamaModel, other: &LlamaModel) -> bool {
    let (one, other) = (one.vocab(), other.vocab());
    one.n_tokens() == other.n_tokens()
        && one.eos() == other.eos()
        && one.tokens().all(|token| one.text(token) == other.text(token))
}
