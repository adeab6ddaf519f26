//! The one way to an answer, whichever dialect asks: the router chooses the place, the place is asked, others are asked
//! when it does not answer, and what it says is read for tool calls. Owner of what the router remembers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use edgecoder_base::{Clock, Entropy, PrivacyTier, Timestamp};
use edgecoder_protocol::ErrorCode;
use edgecoder_routing::{
    Decision, Hedge, Latency, Limits, Model, Outcome, Place, PlaceId, Prefix, Refusal, Warmth, Wish, choose,
    hedge_in, may_go_on,
};
use edgecoder_worker::models::ModelsHandle;
use edgecoder_worker::{CompletionRequest, Event, EventStream, Inference, InferenceError};
use futures::stream::FuturesUnordered;
use futures::{FutureExt as _, StreamExt as _, stream};
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use super::ask::{Ask, Prompt, Turn};
use super::card::Card;
use super::places::{Candidate, Elsewhere, local};
use super::said::Answer;
use super::{calls, prompt, room};
use crate::Error;

/// An answer is handed on when its first word is there, or after this time: until then it may still come from
/// elsewhere, or be refused with a proper status.
const FIRST_WORD_WITHIN: Duration = Duration::from_secs(10);

/// What the router is told by the settings.
#[derive(Debug, Clone)]
pub(super) struct Rules {
    pub(super) node: PlaceId,
    pub(super) tier: PrivacyTier,
    pub(super) limits: Limits,
}

/// The owner.
#[derive(Debug)]
pub(super) struct Desk {
    pub(super) rules: Rules,
    pub(super) inference: Inference,
    pub(super) models: ModelsHandle,
    pub(super) elsewhere: Arc<dyn Elsewhere>,
    pub(super) clock: Clock,
    pub(super) entropy: Entropy,
    pub(super) memory: Mutex<Memory>,
}

/// What was seen of places.
#[derive(Debug, Default)]
pub(super) struct Memory {
    pub(super) latency: BTreeMap<PlaceId, Latency>,
    warmth: Warmth,
}

/// A place that began to answer.
struct Begun {
    candidate: Candidate,
    request: CompletionRequest,
    events: EventStream,
    prompt_tokens: u32,
    since: Timestamp,
}

impl Desk {
    /// Starts an answer. An error here means that nobody saw a word.
    pub(super) async fn answer(&self, ask: &Ask, closing: CancellationToken) -> Result<Answer, Error> {
        calls::possible(ask)?;
        let candidates = self.candidates().await;
        let wish = self.wish(ask);
        let decision = self.decide(&wish, &candidates)?;
        let order = in_order(&decision, candidates);
        let mut notes = Vec::new();
        let begun = self.first_word(ask, order, &mut notes).await?;
        self.remember(&begun, wish.prefix);
        let mut card = self.card(&decision, &begun);
        card.notes = notes;
        let Begun { candidate, request, events, prompt_tokens, .. } = begun;
        let place = calls::At { engine: candidate.engine, window_tokens: candidate.place.window_tokens };
        let said = calls::said(ask, request, events, place, card.clone(), self.entropy);
        Ok(Answer { card, prompt_tokens, said: until_closing(said, closing) })
    }

    /// Every engine there is, as the router sees it.
    pub(super) async fn candidates(&self) -> Vec<Candidate> {
        let own = local(&self.inference, &self.models, self.rules.node.clone()).await;
        let others = self.elsewhere.places().into_iter().map(Candidate::from);
        let mut candidates: Vec<Candidate> = others.chain([own]).collect();
        let memory = self.memory.lock();
        for candidate in &mut candidates {
            let place = &mut candidate.place;
            place.latency = memory.latency.get(&place.id).copied().unwrap_or_default();
        }
        candidates
    }

    /// Where a wish would be answered.
    pub(super) fn decide(&self, wish: &Wish, candidates: &[Candidate]) -> Result<Decision, Error> {
        let places: Vec<Place> = candidates.iter().map(|candidate| candidate.place.clone()).collect();
        choose(wish, &places, &self.memory.lock().warmth, self.rules.limits).map_err(refused)
    }

    fn wish(&self, ask: &Ask) -> Wish {
        let mut wish = Wish::new(Model::of(&ask.model), self.rules.tier);
        wish.needs = ask.needs();
        wish.prefix = prefix(ask);
        wish
    }

    /// Asks one place after another, or beside another that is late, until one says its first word.
    async fn first_word(
        &self,
        ask: &Ask,
        order: Vec<Candidate>,
        notes: &mut Vec<String>,
    ) -> Result<Begun, Error> {
        let mut left = order.into_iter();
        let mut asked = FuturesUnordered::new();
        let mut hedge = Hedge::Never;
        let mut next = left.next();
        loop {
            if let Some(candidate) = next.take() {
                hedge = hedge_in(candidate.place.latency, true, left.len());
                let id = candidate.place.id.clone();
                asked.push(self.begin(ask, candidate).map(move |begun| (id, begun)));
            }
            let late = async {
                match hedge {
                    Hedge::In(usual) => tokio::time::sleep(usual).await,
                    Hedge::Never => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                Some((id, begun)) = asked.next() => match begun {
                    Ok(begun) => return Ok(begun),
                    Err(error) => {
                        let outcome = if passes(&error) { Outcome::Trouble } else { Outcome::Refused };
                        let go_on = may_go_on(outcome, false, left.len());
                        if !go_on && asked.is_empty() {
                            return Err(error.into());
                        }
                        notes.push(format!("{id} did not answer: {}", crate::error::outer_words(&error)));
                        next = if go_on { left.next() } else { None };
                        if next.is_none() {
                            hedge = Hedge::Never;
                        }
                    }
                },
                () = late => {
                    notes.push("the first word was late; another machine was asked too".to_owned());
                    next = left.next();
                }
            }
        }
    }

    /// Asks one place, and waits for its first word.
    async fn begin(&self, ask: &Ask, candidate: Candidate) -> Result<Begun, InferenceError> {
        let since = (self.clock)();
        let Candidate { place, engine, .. } = &candidate;
        let mut request = prompt::request(ask, place.offers.grammar, self.seed(), 1);
        let larger = self.inference.larger().filter(|larger| *larger == ask.model);
        request.model = larger.map(str::to_owned);
        room::make(&**engine, place.window_tokens, ask.max_tokens, &mut request).await?;
        let events = engine.complete(request.clone(), CancellationToken::new()).await?;
        let (events, prompt_tokens) = spoken(events).await?;
        Ok(Begun { candidate, request, events, prompt_tokens, since })
    }

    /// Half of the entropy is plenty for a seed.
    fn seed(&self) -> u64 {
        u64::try_from((self.entropy)() >> 64).unwrap_or_default()
    }

    fn remember(&self, begun: &Begun, prefix: Option<Prefix>) {
        let now = (self.clock)();
        let took = u32::try_from(now.since(begun.since).as_millis()).unwrap_or(u32::MAX);
        let id = &begun.candidate.place.id;
        let mut memory = self.memory.lock();
        let latency = memory.latency.entry(id.clone()).or_default();
        *latency = latency.with(took);
        if let Some(prefix) = prefix {
            memory.warmth.read(prefix, id.clone(), now);
        }
    }

    fn card(&self, decision: &Decision, begun: &Begun) -> Card {
        let Candidate { place, model_hash, .. } = &begun.candidate;
        let latency = self.memory.lock().latency.get(&place.id).copied().unwrap_or_default();
        let named = begun.request.model.as_ref().or_else(|| place.models.first());
        let mut card = Card {
            route: place.reach.as_str(),
            node: place.id.to_string(),
            model: named.cloned().unwrap_or_default(),
            model_hash: *model_hash,
            window: place.window_tokens,
            max_tokens: begun.request.max_tokens,
            ..Card::of(decision, self.rules.tier, latency)
        };
        if place.id != decision.chosen {
            card.reason = "the machine that was chosen first did not answer".to_owned();
        }
        card
    }
}

/// The chosen candidate first, then its alternates; the others are left out.
fn in_order(decision: &Decision, mut candidates: Vec<Candidate>) -> Vec<Candidate> {
    let mut take = |id: &PlaceId| {
        let at = candidates.iter().position(|candidate| &candidate.place.id == id)?;
        Some(candidates.swap_remove(at))
    };
    [&decision.chosen].into_iter().chain(&decision.otherwise).filter_map(&mut take).collect()
}

/// What stays the same in a conversation from turn to turn: the frame and the first word of the person.
fn prefix(ask: &Ask) -> Option<Prefix> {
    let Prompt::Chat(turns) = &ask.prompt else { return None };
    let mut bytes = Vec::new();
    for turn in turns {
        match turn {
            Turn::System(text) => bytes.extend_from_slice(text.as_bytes()),
            Turn::User(text) => {
                bytes.extend_from_slice(text.as_bytes());
                return Some(Prefix::of(&bytes));
            }
            Turn::Assistant(..) | Turn::Tool(_) => {}
        }
    }
    None
}

/// Waits for the first word, at most so long, and puts what came before it back. Also tells the tokens of the prompt.
async fn spoken(mut events: EventStream) -> Result<(EventStream, u32), InferenceError> {
    let (mut before, mut prompt) = (Vec::new(), 0);
    let listen = async {
        while let Some(event) = events.next().await {
            let event = event?;
            if let Event::Started { prompt_tokens } = event {
                prompt = prompt_tokens;
            }
            let word = matches!(event, Event::Delta { .. } | Event::Done { .. });
            before.push(Ok(event));
            if word {
                break;
            }
        }
        Ok::<(), InferenceError>(())
    };
    match tokio::time::timeout(FIRST_WORD_WITHIN, listen).await {
        Ok(heard) => heard?,
        Err(_still_reading) => {}
    }
    Ok((stream::iter(before).chain(events).boxed(), prompt))
}

/// Whether another place, or the same one later, may do better.
fn passes(error: &InferenceError) -> bool {
    error.is_retryable()
        || matches!(
            error,
            InferenceError::EngineStopped
                | InferenceError::EngineMissing { .. }
                | InferenceError::ModelMissing { .. }
                | InferenceError::ModelUnreadable { .. }
                | InferenceError::Protocol { .. }
                | InferenceError::Upstream { .. }
        )
}

fn refused(refusal: Refusal) -> Error {
    let code = match &refusal {
        Refusal::UnknownModel(_) => ErrorCode::ModelNotFound,
        Refusal::NobodyElse | Refusal::BeyondTier => ErrorCode::NoPlace,
        Refusal::Lacks(_) => ErrorCode::NotImplementedHere,
        Refusal::TooLong { .. } => ErrorCode::ContextOverflow,
        Refusal::Trouble(_) => ErrorCode::ModelUnavailable,
    };
    Error::new(code, refusal.to_string())
}

/// The engine said nothing more, and not that it was done.
pub(super) fn broken_off() -> Error {
    Error::new(ErrorCode::InferenceServiceUnavailable, "the answer broke off")
}

/// Ends with `Done`, or with an error: of its own, because it broke off, or because the door closes.
fn until_closing(
    said: stream::BoxStream<'static, Result<super::said::Said, Error>>,
    closing: CancellationToken,
) -> stream::BoxStream<'static, Result<super::said::Said, Error>> {
    use super::said::Said;
    let step = async |(said, closing): (Option<stream::BoxStream<'static, _>>, CancellationToken)| {
        let mut said = said?;
        let next = tokio::select! {
            biased;
            next = said.next() => next.unwrap_or_else(|| Err(broken_off())),
            () = closing.cancelled() => Err(Error::new(ErrorCode::ShuttingDown, "the node is stopping")),
        };
        let over = matches!(next, Ok(Said::Done(_)) | Err(_));
        Some((next, ((!over).then_some(said), closing)))
    };
    stream::unfold((Some(said), closing), step).boxed()
}
