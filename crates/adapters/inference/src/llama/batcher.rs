//! Continuous batching: all running sequences advance together, one decoding step at a time. Writing sequences
//! go first (one token each), prompts share what room the step has left, starting at another slot every time.

use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::time::Instant;

use llama_cpp_2::context::LlamaContext;
use llama_cpp_2::context::params::LlamaContextParams;
use llama_cpp_2::llama_batch::LlamaBatch;
use llama_cpp_2::token::LlamaToken;

use super::cache::{self, Held, PromptCache};
use super::draft::{Drafter, MOST_GUESSED, MOST_WRITING};
use super::embedder::Embedder;
use super::logprobs::logprob;
use super::model::Loaded;
use super::pace::{Pace, STEP_TOKENS};
use super::prompt::Prompter;
use super::sampling::Sampling;
use super::sequence::Sequence;
use super::trial;
use crate::capabilities::Features;
use crate::compact::fit;
use crate::frame::Tell;
use crate::{Capabilities, CompletionRequest, CountRequest, EmbedRequest, Embeddings, Error, Event, Finish};

/// Requests kept waiting; a caller with more must slow down.
const MAX_WAITING: usize = 256;

/// The running engine.
pub(crate) struct Batcher<'m> {
    loaded: &'m Loaded,
    capabilities: Capabilities,
    prompter: Prompter<'m>,
    context: LlamaContext<'m>,
    batch: LlamaBatch<'static>,
    slots: Vec<Option<Sequence>>,
    waiting: VecDeque<Sequence>,
    /// Cells of the cache; running sequences have reserved what they may need, so it never overflows.
    cells: u32,
    turn: usize,
    cache: PromptCache,
    drafter: Option<Drafter<'m>>,
    embedder: Embedder<'m>,
    pace: Pace,
}

/// A slot that gets a token from this step: from row `row`, and further ones for guesses that prove right.
struct Asking {
    slot: usize,
    row: i32,
    guesses: Vec<LlamaToken>,
}

/// What came of choosing one token.
enum Chosen {
    Token(LlamaToken),
    Over(Finish),
    Refused(Error),
}

impl<'m> Batcher<'m> {
    pub(crate) fn new(loaded: &'m Loaded) -> Result<Self, Error> {
        let mut capabilities = loaded.capabilities.clone();
        let mut context = open(loaded)?;
        // Read back: the library may round, and what it made is what counts.
        let cells = context.n_ctx();
        capabilities.context_tokens = capabilities.context_tokens.min(cells);
        if let Some(window) = &mut capabilities.window {
            window.shared_tokens = cells;
        }
        let speed = trial::run(&mut context)?;
        capabilities.speed = Some(speed);
        let prompter = Prompter::new(&loaded.model)?;
        capabilities.features = Features {
            embeddings: true,
            infill: prompter.infill_marks().is_some(),
            grammar: true,
            logprobs: true,
            compaction: true,
        };
        let slots = usize::try_from(capabilities.slots).unwrap_or(1);
        Ok(Self {
            loaded,
            prompter,
            context,
            batch: LlamaBatch::new(STEP_TOKENS, 1),
            slots: (0..slots).map(|_| None).collect(),
            waiting: VecDeque::new(),
            cells,
            turn: 0,
            cache: PromptCache::new(slots, parking_bytes(&capabilities)),
            drafter: Drafter::new(loaded, cells, capabilities.slots)?,
            embedder: Embedder::new(loaded, capabilities.context_tokens),
            pace: Pace::new(speed.prompt_us_per_token),
            capabilities,
        })
    }

    /// What was loaded, as it was read back and measured.
    pub(crate) const fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.slots.iter().all(Option::is_none)
    }

    pub(crate) fn count(&self, request: &CountRequest) -> Result<u32, Error> {
        self.prompter.count(request)
    }

    pub(crate) fn embed(&mut self, request: &EmbedRequest) -> Result<Embeddings, Error> {
        self.embedder.embed(&self.prompter, request)
    }

    /// Accepts a request, or says why not. Nothing is generated here.
    pub(crate) fn submit(&mut self, id: u64, mut request: CompletionRequest) -> Result<Vec<Event>, Error> {
        request.validate()?;
        let prompter = &self.prompter;
        let fitted = fit(&mut request, self.capabilities.context_tokens, |request| {
            let prompt = prompter.prompt(&request.prompt())?;
            Ok((u32::try_from(prompt.len()).unwrap_or(u32::MAX), prompt))
        })?;
        if self.waiting.len() >= MAX_WAITING {
            return Err(Error::Overloaded);
        }
        let sampling = Sampling::new(&self.loaded.model, &request, &fitted.prompt)?;
        self.waiting.push_back(Sequence::new(id, request, fitted.prompt, sampling));
        let compacted = fitted.compaction.map(|compaction| Event::Compacted { compaction });
        let started = Event::Started { prompt_tokens: fitted.prompt_tokens };
        Ok(compacted.into_iter().chain([started]).collect())
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
        let read = usize::try_from(self.batch.n_tokens()).unwrap_or(0);
        if read == 0 {
            return Vec::new();
        }
        let since = Instant::now();
        if let Err(error) = self.context.decode(&mut self.batch) {
            return self.fail_all(&error.to_string());
        }
        self.pace.observe(read, since.elapsed());
        asking.into_iter().flat_map(|asking| self.write(&asking)).collect()
    }

    /// First come, first served: a large request at the head is not overtaken by small ones. One that will soon
    /// find its beginning read by another lets others pass meanwhile.
    fn admit(&mut self) {
        let mut at = 0;
        while let Some(next) = self.waiting.get(at) {
            let free: Vec<_> = (0..self.slots.len()).filter(|&slot| self.slots[slot].is_none()).collect();
            let running = self.slots.iter().enumerate();
            let busy = running.filter_map(|(slot, sequence)| Some((slot, sequence.as_ref()?.held())));
            let Some(place) = self.cache.best(&free, busy, next.wanted()) else { return };
            if self.will_be_read(next.wanted()) > place.common {
                at += 1;
                continue;
            }
            let running = self.slots.iter().flatten().map(Sequence::reserve).fold(0, u32::saturating_add);
            let needed = running.saturating_add(next.reserve());
            if needed > self.cells {
                return;
            }
            let common = self.cache.claim(&mut self.context, place);
            if let Some(mut next) = self.waiting.remove(at) {
                next.fed = common;
                self.slots[place.slot] = Some(next);
            }
        }
    }

    /// How much of `prompt` a running request is about to read.
    fn will_be_read(&self, prompt: Held<'_>) -> usize {
        let reading = self.slots.iter().flatten().filter(|sequence| !sequence.is_writing());
        reading.map(|sequence| cache::common(sequence.wanted(), prompt)).max().unwrap_or(0)
    }

    /// Puts this step's tokens into the batch. Answers which slots get a token, and from which row.
    fn fill(&mut self) -> Result<Vec<Asking>, String> {
        self.batch.clear();
        let count = self.slots.len();
        self.turn = (self.turn + 1) % count;
        let turns = (0..count).map(|offset| (self.turn + offset) % count);
        let (writing, reading): (Vec<_>, Vec<_>) =
            turns.partition(|&slot| self.slots[slot].as_ref().is_some_and(Sequence::is_writing));
        let guessing = writing.len() <= MOST_WRITING;
        let mut asking = Vec::new();
        for slot in writing {
            let guesses = if guessing { self.guess(slot) } else { Vec::new() };
            if let Some(row) = self.feed(slot, &guesses)? {
                asking.push(Asking { slot, row, guesses });
            }
        }
        for slot in reading {
            if let Some(row) = self.feed(slot, &[])? {
                asking.push(Asking { slot, row, guesses: Vec::new() });
            }
        }
        Ok(asking)
    }

    /// What the draft model thinks comes next in a slot that writes.
    fn guess(&mut self, slot: usize) -> Vec<LlamaToken> {
        let (Some(drafter), Some(sequence)) = (&mut self.drafter, &self.slots[slot]) else {
            return Vec::new();
        };
        let left = sequence.max_tokens.saturating_sub(sequence.output_tokens + 1);
        let most = usize::try_from(left).unwrap_or(MOST_GUESSED).min(MOST_GUESSED);
        drafter.guess(slot, &sequence.tokens, most)
    }

    /// Adds what fits of one slot's tokens, and `guesses` after them; the row of its last own token when that is in.
    fn feed(&mut self, slot: usize, guesses: &[LlamaToken]) -> Result<Option<i32>, String> {
        let lane = i32::try_from(slot).map_err(|error| error.to_string())?;
        let used = usize::try_from(self.batch.n_tokens()).map_err(|error| error.to_string())?;
        let Some(sequence) = self.slots[slot].as_mut() else { return Ok(None) };
        let room = if sequence.is_writing() { STEP_TOKENS } else { self.pace.tokens() };
        let take = sequence.unfed().min(room.saturating_sub(used));
        if take == 0 {
            return Ok(None);
        }
        sequence.since.get_or_insert_with(Instant::now);
        let end = sequence.fed + take;
        let completes = end == sequence.tokens.len();
        for place in sequence.fed..end {
            let position = i32::try_from(place).map_err(|error| error.to_string())?;
            let asks = place + 1 == sequence.tokens.len();
            let token = sequence.tokens[place];
            self.batch.add(token, position, &[lane], asks).map_err(|error| error.to_string())?;
        }
        sequence.fed = end;
        if !completes {
            return Ok(None);
        }
        let row = self.batch.n_tokens() - 1;
        for (&guess, place) in guesses.iter().zip(end..) {
            let position = i32::try_from(place).map_err(|error| error.to_string())?;
            self.batch.add(guess, position, &[lane], true).map_err(|error| error.to_string())?;
        }
        Ok(Some(row))
    }

    /// Writes what this step gave one slot: a token, and one more for every guess that was right.
    fn write(&mut self, asking: &Asking) -> Vec<Tell> {
        let slot = asking.slot;
        let Some(id) = self.slots[slot].as_ref().map(|sequence| sequence.id) else { return Vec::new() };
        let mut tells = Vec::new();
        let mut last = Chosen::Over(Finish::Stop);
        for (row, guess) in (asking.row..).zip(asking.guesses.iter().map(Some).chain([None])) {
            last = self.choose(slot, row, &mut tells);
            let right = matches!(&last, Chosen::Token(token) if Some(token) == guess);
            if !right {
                break;
            }
            if let Some(sequence) = &mut self.slots[slot] {
                sequence.fed += 1;
            }
        }
        if !asking.guesses.is_empty()
            && let Some(fed) = self.slots[slot].as_ref().map(|sequence| sequence.fed)
        {
            cache::cut(&mut self.context, slot, fed);
        }
        match last {
            Chosen::Token(_) => {}
            Chosen::Over(finish) => {
                let usage = self.release(slot).map(|sequence| sequence.usage()).unwrap_or_default();
                tells.push(Tell::Step { id, event: Event::Done { finish, usage } });
            }
            Chosen::Refused(error) => {
                self.release(slot);
                tells.push(Tell::Refused { id: Some(id), error });
            }
        }
        tells
    }

    /// One token from `row`, and what may be shown of it.
    fn choose(&mut self, slot: usize, row: i32, tells: &mut Vec<Tell>) -> Chosen {
        let Some(sequence) = self.slots[slot].as_mut() else { return Chosen::Over(Finish::Stop) };
        let id = sequence.id;
        let Some(token) = sequence.sampling.sample(&self.context, row) else {
            return Chosen::Refused(Error::invalid("the grammar allows nothing that this model can write"));
        };
        let vocab = self.loaded.model.vocab();
        let mut text = String::new();
        let mut chosen = Chosen::Token(token);
        if vocab.is_eog(token) {
            chosen = Chosen::Over(Finish::Stop);
            text.push_str(&sequence.text.finish());
        } else {
            sequence.output_tokens += 1;
            sequence.tokens.push(token);
            if let Some(alternatives) = sequence.logprobs {
                let told = logprob(&vocab, self.context.get_logits_ith(row), token, alternatives);
                tells.push(Tell::Step { id, event: Event::Logprobs { tokens: vec![told] } });
            }
            let shown = sequence.text.push(&vocab.token_to_piece(token, false, None));
            text.push_str(&shown.text);
            if shown.stopped {
                chosen = Chosen::Over(Finish::Stop);
            } else if sequence.output_tokens >= sequence.max_tokens {
                chosen = Chosen::Over(Finish::Length);
                text.push_str(&sequence.text.finish());
            }
        }
        if !text.is_empty() {
            tells.push(Tell::Step { id, event: Event::Delta { text } });
        }
        chosen
    }

    /// Empties a slot; what it has in the cache may serve the next request.
    fn release(&mut self, slot: usize) -> Option<Sequence> {
        let sequence = self.slots[slot].take()?;
        self.cache.keep(&mut self.context, slot, sequence.held());
        if let Some(drafter) = &mut self.drafter {
            drafter.forget(slot);
        }
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

/// Memory for what finished requests left: an eighth of what is free, within bounds.
fn parking_bytes(capabilities: &Capabilities) -> usize {
    const UNKNOWN_BYTES: u64 = 256 << 20;
    const MOST_BYTES: u64 = 2 << 30;
    let free = capabilities.window.and_then(|window| window.free_bytes);
    let bytes = free.map_or(UNKNOWN_BYTES, |free| (free / 8).min(MOST_BYTES));
    usize::try_from(bytes).unwrap_or(0)
}

fn open(loaded: &Loaded) -> Result<LlamaContext<'_>, Error> {
    let capabilities = &loaded.capabilities;
    let cells = capabilities.window.map_or(capabilities.context_tokens, |window| window.shared_tokens);
    let step = u32::try_from(STEP_TOKENS).unwrap_or(u32::MAX);
    // Where every slot can have a whole window, each gets cells of its own: a step then looks at a request's own
    // cells and not at everybody's (a fifth less work with a small model). Otherwise all share one pool.
    let shared = cells < capabilities.context_tokens.saturating_mul(capabilities.slots);
    let params = LlamaContextParams::default()
        .with_n_ctx(NonZeroU32::new(cells))
        .with_n_batch(step)
        .with_n_ubatch(step)
        .with_n_seq_max(capabilities.slots)
        .with_kv_unified(shared)
        .with_n_threads(loaded.threads)
        .with_n_threads_batch(loaded.threads);
    loaded.model.new_context(loaded.backend, params).map_err(|error| Error::EngineCrashed {
        reason: format!("no memory for a context of {cells} tokens: {error}"),
    })
}

#[cfg(test)]
impl Batcher<'_> {
    /// The prompt of the request that waits.
    pub(crate) fn waiting_prompt(&self) -> Vec<LlamaToken> {
        self.waiting.front().unwrap().tokens.clone()
    }

    /// What tokens say, control tokens included.
    pub(crate) fn text_of(&self, tokens: &[LlamaToken]) -> String {
        let vocab = self.loaded.model.vocab();
        let bytes = tokens.iter().flat_map(|&token| vocab.token_to_piece(token, true, None)).collect();
        String::from_utf8(bytes).unwrap()
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
        let config = ServeConfig { model, threads: Some(1), slots: Some(slots), ..ServeConfig::default() };
        Loaded::open(&config).unwrap()
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
    fn answer_of(batcher: &mut Batcher<'_>, id: u64) -> String {
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
                    | Tell::Embedded { .. }
                    | Tell::Alive
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
        assert!(answer_of(&mut batcher, 2).contains("def add("));
    }

    #[test]
    fn neighbours_do_not_change_an_answer() {
        let loaded = tiny(4);
        let mut batcher = Batcher::new(&loaded).unwrap();
        batcher.submit(1, add()).unwrap();
        let alone = answer_of(&mut batcher, 1);
        for id in 2..10 {
            batcher.submit(id, add()).unwrap();
        }
        assert_eq!(answer_of(&mut batcher, 9), alone);
    }

    #[test]
    fn a_longer_turn_of_a_conversation_reads_only_what_is_new() {
        let loaded = tiny(2);
        let mut request = add();
        request.messages.insert(1, Message::user("x = 1\n".repeat(80)));
        request.max_tokens = 40;
        let mut fresh = Batcher::new(&loaded).unwrap();
        fresh.submit(1, request.clone()).unwrap();
        let expected = answer_of(&mut fresh, 1);

        let mut batcher = Batcher::new(&loaded).unwrap();
        let mut first = request.clone();
        first.messages.truncate(2);
        first.max_tokens = 3;
        batcher.submit(1, first).unwrap();
        answer_of(&mut batcher, 1);
        batcher.submit(2, request).unwrap();
        batcher.admit();
        let running = batcher.slots.iter().flatten().next().unwrap();
        assert!(running.fed >= 256 && running.unfed() > 0, "{} of {}", running.fed, running.tokens.len());
        assert_eq!(answer_of(&mut batcher, 2), expected);
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
                answer_of(&mut batcher, id);
            }
        }
        answer_of(&mut batcher, 11);
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

    #[test]
    fn attempts_of_one_prompt_read_it_once() {
        let loaded = tiny(4);
        let mut request = add();
        request.messages.insert(1, Message::user("x = 1\n".repeat(80)));
        request.max_tokens = 20;
        let mut batcher = Batcher::new(&loaded).unwrap();
        batcher.submit(1, request.clone()).unwrap();
        let alone = answer_of(&mut batcher, 1);
        let mut batcher = Batcher::new(&loaded).unwrap();
        for id in 2..6 {
            batcher.submit(id, request.clone()).unwrap();
        }
        batcher.step();
        let reading = batcher.slots.iter().flatten().count();
        assert_eq!(reading, 1, "the others wait for what the first reads");
        let mut read = Vec::new();
        while !batcher.is_idle() {
            batcher.admit();
            read.extend(batcher.slots.iter().flatten().filter(|it| !it.is_writing()).map(Sequence::unfed));
            if batcher.slots.iter().flatten().any(|it| it.id == 5) {
                break;
            }
            batcher.step();
        }
        assert!(read.iter().all(|&unfed| unfed < 256), "{read:?}");
        assert_eq!(answer_of(&mut batcher, 5), alone);
    }

    #[test]
    fn a_conversation_survives_another_with_the_same_beginning() {
        let loaded = tiny(2);
        let mut batcher = Batcher::new(&loaded).unwrap();
        let mut run = |id: u64, last: &str| {
            let mut request = add();
            request.messages.insert(1, Message::user("x = 1\n".repeat(70)));
            request.messages.push(Message::user(last));
            request.max_tokens = 8;
            batcher.submit(id, request).unwrap();
            batcher.admit();
            let unfed = batcher.slots.iter().flatten().next().unwrap().unfed();
            answer_of(&mut batcher, id);
            unfed
        };
        let first = run(1, "one");
        assert!(first > 256);
        assert!(run(2, "two") < 64, "the beginning is shared");
        assert!(run(3, "one") < 64, "and is still there for the first");
    }

    #[test]
    fn what_finished_is_out_of_the_way_and_comes_back() {
        let loaded = tiny(2);
        let mut batcher = Batcher::new(&loaded).unwrap();
        let mut run = |id: u64, subject: &str| {
            let mut request = add();
            request.messages.insert(0, Message::user(format!("{subject} = 1\n").repeat(70)));
            request.max_tokens = 8;
            batcher.submit(id, request).unwrap();
            batcher.admit();
            assert_eq!(batcher.cache.kept_tokens(), 0, "running requests have the cells for themselves");
            let unfed = batcher.slots.iter().flatten().next().unwrap().unfed();
            (unfed, answer_of(&mut batcher, id))
        };
        let (unfed, first) = run(1, "x");
        assert!(unfed > 256);
        for (id, subject) in [(2, "y"), (3, "z"), (4, "w")] {
            assert!(run(id, subject).0 > 256, "{subject} is new");
        }
        assert_eq!(run(5, "x"), (1, first), "more conversations are kept than there are slots");
    }

    #[test]
    fn right_guesses_save_steps() {
        let steps = |draft: bool| {
            let mut loaded = tiny(1);
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../models/tiny/edgecoder-tiny.gguf");
            let with = ServeConfig {
                model: path.clone(),
                draft: Some(path),
                threads: Some(1),
                ..ServeConfig::default()
            };
            if draft {
                loaded.draft = Loaded::open(&with).unwrap().draft;
            }
            let mut batcher = Batcher::new(&loaded).unwrap();
            batcher.submit(1, add()).unwrap();
            let mut steps = 0;
            while !batcher.is_idle() {
                batcher.step();
                steps += 1;
            }
            steps
        };
        let (alone, helped) = (steps(false), steps(true));
        assert!(helped * 2 < alone, "{helped} steps instead of {alone}");
    }
}
