//! Continuous batching: all running sequences advance together, one decoding step at a time. Writing sequences
//! go first (one token each), prompts share what room the step has left, starting at another slot every time.

use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::time::Instant;

use llama_cpp_2::context::LlamaContext;
use llama_cpp_2::context::params::LlamaContextParams;
use llama_cpp_2::llama_batch::LlamaBatch;

use super::cache::PromptCache;
use super::model::Loaded;
use super::prompt::Prompter;
use super::sequence::Sequence;
use crate::frame::Tell;
use crate::{CompletionRequest, CountRequest, Error, Event, Finish};

/// Tokens of one decoding step: large enough for fast prompts, small enough that a cancellation is soon seen.
const STEP_TOKENS: usize = 512;
/// Requests kept waiting; a caller with more must slow down.
const MAX_WAITING: usize = 256;
/// Cache shared by all slots never exceeds this, unless one request alone needs more.
const SHARED_CACHE_TOKENS: u32 = 16_384;

/// The running engine.
pub(crate) struct Batcher<'m> {
    loaded: &'m Loaded,
    prompter: Prompter<'m>,
    context: LlamaContext<'m>,
    batch: LlamaBatch<'static>,
    slots: Vec<Option<Sequence>>,
    waiting: VecDeque<Sequence>,
    /// Cells of the cache; running sequences have reserved what they may need, so it never overflows.
    cells: u32,
    turn: usize,
    cache: PromptCache,
}

impl<'m> Batcher<'m> {
    pub(crate) fn new(loaded: &'m Loaded) -> Result<Self, Error> {
        let capabilities = &loaded.capabilities;
        let wanted = capabilities.context_tokens.saturating_mul(capabilities.slots);
        let cells = wanted.min(SHARED_CACHE_TOKENS.max(capabilities.context_tokens));
        let step = u32::try_from(STEP_TOKENS).unwrap_or(u32::MAX);
        let params = LlamaContextParams::default()
            .with_n_ctx(NonZeroU32::new(cells))
            .with_n_batch(step)
            .with_n_ubatch(step)
            .with_n_seq_max(capabilities.slots)
            .with_kv_unified(true)
            .with_n_threads(loaded.threads)
            .with_n_threads_batch(loaded.threads);
        let context = loaded.model.new_context(loaded.backend, params).map_err(|error| {
            Error::EngineCrashed { reason: format!("no memory for a context of {cells} tokens: {error}") }
        })?;
        let slots = usize::try_from(capabilities.slots).unwrap_or(1);
        Ok(Self {
            loaded,
            prompter: Prompter::new(&loaded.model)?,
            context,
            batch: LlamaBatch::new(STEP_TOKENS, 1),
            slots: (0..slots).map(|_| None).collect(),
            waiting: VecDeque::new(),
            cells,
            turn: 0,
            cache: PromptCache::new(slots),
        })
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.slots.iter().all(Option::is_none)
    }

    pub(crate) fn count(&self, request: &CountRequest) -> Result<u32, Error> {
        self.prompter.count(request)
    }

    /// Accepts a request, or says why not. Nothing is generated here.
    pub(crate) fn submit(&mut self, id: u64, request: CompletionRequest) -> Result<Event, Error> {
        request.validate()?;
        let prompt = self.prompter.tokens(&request.messages, request.prefill.as_deref())?;
        let sequence = Sequence::new(id, request, prompt);
        let context_tokens = self.loaded.capabilities.context_tokens;
        let Sequence { prompt_tokens, max_tokens, .. } = sequence;
        if sequence.reserve() > context_tokens {
            return Err(Error::ContextOverflow { prompt_tokens, max_tokens, context_tokens });
        }
        if self.waiting.len() >= MAX_WAITING {
            return Err(Error::Overloaded);
        }
        self.waiting.push_back(sequence);
        Ok(Event::Started { prompt_tokens })
    }

    /// Ends a request at once; `None` when it is already over.
    pub(crate) fn cancel(&mut self, id: u64) -> Option<Event> {
        let running =
            self.slots.iter().position(|slot| slot.as_ref().is_some_and(|sequence| sequence.id == id));
        let sequence = match running {
            Some(slot) => self.release(slot)?,
            None => {
                let at = self.waiting.iter().position(|sequence| sequence.id == id)?;
                self.waiting.remove(at)?
            }
        };
        Some(Event::Done { finish: Finish::Cancelled, usage: sequence.usage() })
    }

    /// One decoding step for everybody who runs.
    pub(crate) fn step(&mut self) -> Vec<Tell> {
        self.admit();
        let asking = match self.fill() {
            Ok(asking) => asking,
            Err(reason) => return self.fail_all(&reason),
        };
        if self.batch.n_tokens() == 0 {
            return Vec::new();
        }
        if let Err(error) = self.context.decode(&mut self.batch) {
            return self.fail_all(&error.to_string());
        }
        asking.into_iter().flat_map(|(slot, row)| self.sample(slot, row)).collect()
    }

    /// First come, first served: a large request at the head is not overtaken by small ones.
    fn admit(&mut self) {
        while let Some(next) = self.waiting.front() {
            let running = self.slots.iter().flatten().map(Sequence::reserve).fold(0, u32::saturating_add);
            let needed = running.saturating_add(next.reserve());
            let free = (0..self.slots.len()).filter(|&slot| self.slots[slot].is_none());
            let Some((slot, common)) = self.cache.best(free, &next.tokens) else { return };
            if needed > self.cells {
                return;
            }
            let common = self.cache.claim(&mut self.context, slot, common, self.cells - needed);
            if let Some(mut next) = self.waiting.pop_front() {
                next.fed = common;
                self.slots[slot] = Some(next);
            }
        }
    }

    /// Puts this step's tokens into the batch. Answers which slots get a token, and from which row.
    fn fill(&mut self) -> Result<Vec<(usize, i32)>, String> {
        self.batch.clear();
        let count = self.slots.len();
        self.turn = (self.turn + 1) % count;
        let turns = (0..count).map(|offset| (self.turn + offset) % count);
        let (writing, reading): (Vec<_>, Vec<_>) = turns
            .partition(|&slot| self.slots[slot].as_ref().is_some_and(|sequence| sequence.output_tokens > 0));
        let mut asking = Vec::new();
        for slot in writing.into_iter().chain(reading) {
            if self.feed(slot)? {
                asking.push((slot, self.batch.n_tokens() - 1));
            }
        }
        Ok(asking)
    }

    /// Adds what fits of one slot's tokens; true when its last one is in, so that a token can be sampled.
    fn feed(&mut self, slot: usize) -> Result<bool, String> {
        let lane = i32::try_from(slot).map_err(|error| error.to_string())?;
        let used = usize::try_from(self.batch.n_tokens()).map_err(|error| error.to_string())?;
        let Some(sequence) = self.slots[slot].as_mut() else { return Ok(false) };
        let take = sequence.unfed().min(STEP_TOKENS - used);
        if take == 0 {
            return Ok(false);
        }
        sequence.since.get_or_insert_with(Instant::now);
        let completes = take == sequence.unfed();
        for _ in 0..take {
            let token = sequence.tokens[sequence.fed];
            let position = i32::try_from(sequence.fed).map_err(|error| error.to_string())?;
            sequence.fed += 1;
            let wants_logits = sequence.unfed() == 0;
            self.batch.add(token, position, &[lane], wants_logits).map_err(|error| error.to_string())?;
        }
        Ok(completes)
    }

    fn sample(&mut self, slot: usize, row: i32) -> Vec<Tell> {
        let Some(sequence) = self.slots[slot].as_mut() else { return Vec::new() };
        let id = sequence.id;
        let token = sequence.sampler.sample(&self.context, row);
        let vocab = self.loaded.model.vocab();
        let mut delta = String::new();
        let mut finish = None;
        if vocab.is_eog(token) {
            finish = Some(Finish::Stop);
            delta.push_str(&sequence.text.finish());
        } else {
            sequence.output_tokens += 1;
            sequence.tokens.push(token);
            let shown = sequence.text.push(&vocab.token_to_piece(token, false, None));
            delta.push_str(&shown.text);
            if shown.stopped {
                finish = Some(Finish::Stop);
            } else if sequence.output_tokens >= sequence.max_tokens {
                finish = Some(Finish::Length);
                delta.push_str(&sequence.text.finish());
            }
        }
        let mut tells = Vec::new();
        if !delta.is_empty() {
            tells.push(Tell::Step { id, event: Event::Delta { text: delta } });
        }
        if let Some(finish) = finish
            && let Some(sequence) = self.release(slot)
        {
            tells.push(Tell::Step { id, event: Event::Done { finish, usage: sequence.usage() } });
        }
        tells
    }

    /// Empties a slot; what it has in the cache may serve the next request.
    fn release(&mut self, slot: usize) -> Option<Sequence> {
        let sequence = self.slots[slot].take()?;
        self.cache.keep(&mut self.context, slot, &sequence.tokens[..sequence.fed]);
        Some(sequence)
    }

    /// A step that failed failed for everybody in it; the waiting ones are tried afresh.
    fn fail_all(&mut self, reason: &str) -> Vec<Tell> {
        let error = Error::EngineCrashed { reason: format!("decoding failed: {reason}") };
        let running: Vec<_> = self.slots.iter_mut().filter_map(Option::take).collect();
        self.cache.forget_all(&mut self.context);
        running
            .into_iter()
            .map(|sequence| Tell::Refused { id: Some(sequence.id), error: error.clone() })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::Message;
    use crate::serve::ServeConfig;

    fn tiny(slots: u32) -> Loaded {
        let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../models/tiny/edgecoder-tiny.gguf");
        Loaded::open(&ServeConfig { model, context: None, threads: Some(1), slots: Some(slots) }).unwrap()
    }

    fn add() -> CompletionRequest {
        CompletionRequest::new(
            vec![
                Message::system("You write Python code."),
                Message::user("Write a function `add(a, b)` that returns the sum of a and b."),
            ],
            100,
        )
    }

    /// Steps until nobody runs; the text of `id`. Nobody may fail.
    fn text_of(batcher: &mut Batcher<'_>, id: u64) -> String {
        let mut text = String::new();
        while !batcher.is_idle() {
            for tell in batcher.step() {
                match tell {
                    Tell::Step { id: of, event: Event::Delta { text: more } } if of == id => {
                        text.push_str(&more)
                    }
                    Tell::Step { .. } => {}
                    Tell::Refused { .. }
                    | Tell::Counted { .. }
                    | Tell::Ready { .. }
                    | Tell::Failed { .. } => {
                        panic!("{tell:?}")
                    }
                }
            }
        }
        text
    }

    #[test]
    fn cancelling_frees_the_slot_before_the_next_token() {
        let loaded = tiny(1);
        let mut batcher = Batcher::new(&loaded).unwrap();
        batcher.submit(1, add()).unwrap();
        batcher.step();
        batcher.submit(2, add()).unwrap();
        batcher.step();
        let Some(Event::Done { finish: Finish::Cancelled, usage }) = batcher.cancel(1) else {
            panic!("not cancelled")
        };
        assert_eq!(usage.output_tokens, 2);
        assert_eq!(batcher.cancel(1), None);
        batcher.step();
        assert_eq!(batcher.slots[0].as_ref().map(|sequence| sequence.id), Some(2));
        assert!(text_of(&mut batcher, 2).contains("def add("));
    }

    #[test]
    fn neighbours_do_not_change_an_answer() {
        let loaded = tiny(4);
        let mut batcher = Batcher::new(&loaded).unwrap();
        batcher.submit(1, add()).unwrap();
        let alone = text_of(&mut batcher, 1);
        for id in 2..10 {
            batcher.submit(id, add()).unwrap();
        }
        assert_eq!(text_of(&mut batcher, 9), alone);
    }

    #[test]
    fn a_longer_turn_of_a_conversation_reads_only_what_is_new() {
        let loaded = tiny(2);
        let mut request = add();
        request.messages.insert(1, Message::user("x = 1\n".repeat(80)));
        request.max_tokens = 40;
        let mut fresh = Batcher::new(&loaded).unwrap();
        fresh.submit(1, request.clone()).unwrap();
        let expected = text_of(&mut fresh, 1);

        let mut batcher = Batcher::new(&loaded).unwrap();
        let mut first = request.clone();
        first.messages.truncate(2);
        first.max_tokens = 3;
        batcher.submit(1, first).unwrap();
        text_of(&mut batcher, 1);
        batcher.submit(2, request).unwrap();
        batcher.admit();
        let running = batcher.slots.iter().flatten().next().unwrap();
        assert!(running.fed >= 256 && running.unfed() > 0, "{} of {}", running.fed, running.tokens.len());
        assert_eq!(text_of(&mut batcher, 2), expected);
    }

    #[test]
    fn leftovers_never_crowd_out_requests() {
        let loaded = tiny(2);
        let mut batcher = Batcher::new(&loaded).unwrap();
        for id in 0..12_u64 {
            let mut request = add();
            request.messages.insert(1, Message::user(format!("x = {id}\n").repeat(60)));
            request.max_tokens = 60;
            batcher.submit(id, request).unwrap();
            if id % 3 == 0 {
                text_of(&mut batcher, id);
            }
        }
        text_of(&mut batcher, 11);
        let kept: usize = batcher.cache.kept_tokens();
        assert!(kept <= usize::try_from(batcher.cells).unwrap() && kept > 0, "{kept}");
    }

    #[test]
    fn waiting_is_bounded() {
        let loaded = tiny(1);
        let mut batcher = Batcher::new(&loaded).unwrap();
        for id in 0..MAX_WAITING {
            batcher.submit(u64::try_from(id).unwrap(), add()).unwrap();
        }
        assert_eq!(batcher.submit(9999, add()), Err(Error::Overloaded));
    }
}
