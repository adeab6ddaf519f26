//! What a model said, as a client is told it: text as soon as it is text for certain, calls when they are whole. A call
//! that nobody can read is asked for again, visibly, and is an error at last; it is never shown as prose.

use std::sync::Arc;

use edgecoder_agent::tool_call::{Call, Course, Next, Reading, Repair, Scanner, Tool};
use edgecoder_base::Entropy;
use edgecoder_protocol::ErrorCode;
use edgecoder_worker::{CompletionRequest, Engine, Event, EventStream, Finish, Message, TokenUsage};
use futures::channel::mpsc::{Receiver, Sender, channel};
use futures::stream::BoxStream;
use futures::{FutureExt as _, SinkExt as _, StreamExt as _, stream};
use tokio_util::sync::CancellationToken;

use super::ask::Ask;
use super::card::Card;
use super::said::{Called, End, Ending, Said};
use super::{desk, room};
use crate::Error;

/// Events between the reader and the client's connection: the reader waits for a client that does not keep up.
const IN_FLIGHT: usize = 8;

/// The place that answers.
pub(super) struct At {
    pub(super) engine: Arc<dyn Engine>,
    pub(super) window_tokens: u32,
}

type Told = Result<Said, Error>;

/// Refuses what cannot be kept together.
pub(super) fn possible(ask: &Ask) -> Result<(), Error> {
    let refused = |words: &str| Err(Error::new(ErrorCode::InvalidRequest, words));
    if ask.must_call() && ask.offered().is_empty() {
        return refused("tool_choice: a call is required, but there are no tools");
    }
    if let super::ask::ToolChoice::Named(name) = &ask.choice
        && !ask.tools.iter().any(|tool| &tool.name == name)
    {
        return refused("tool_choice: there is no tool of that name");
    }
    if ask.offered().is_empty() {
        return Ok(());
    }
    if ask.schema.is_some() {
        return refused("an answer cannot both follow a schema and call tools: leave one out");
    }
    if ask.logprobs.is_some() {
        return refused("likelihoods of tokens are not told for answers that may call tools: leave one out");
    }
    Ok(())
}

/// The events of an answer, from those of the engine.
pub(super) fn said(
    ask: &Ask,
    request: CompletionRequest,
    events: EventStream,
    at: At,
    card: Card,
    entropy: Entropy,
) -> BoxStream<'static, Told> {
    if ask.offered().is_empty() {
        return events
            .filter_map(move |event| std::future::ready(plain(event.map_err(Error::from), &card)))
            .boxed();
    }
    let reader = Reader {
        tools: ask.offered().to_vec(),
        must_call: ask.must_call(),
        several: ask.several_calls,
        asked_tokens: ask.max_tokens,
        at,
        card,
        entropy,
        usage: TokenUsage::default(),
    };
    let (out, inbox): (Sender<Told>, Receiver<Told>) = channel(IN_FLIGHT);
    // The reader lives in the stream: whoever drops the stream drops both, and the engine's slot is free.
    let work = reader.run(request, events, out).into_stream().filter_map(|()| std::future::ready(None));
    stream::select(inbox, work).boxed()
}

/// Without tools everything is text.
fn plain(event: Result<Event, Error>, card: &Card) -> Option<Told> {
    Some(Ok(match event {
        Ok(Event::Started { .. } | Event::Compacted { .. }) => return None,
        Ok(Event::Delta { text }) => Said::Text(text),
        Ok(Event::Logprobs { tokens }) => Said::Logprobs(tokens),
        Ok(Event::Done { finish, usage }) => match ending(finish) {
            Some(why) => Said::Done(End { why, usage, card: card.clone() }),
            None => return Some(Err(stopped())),
        },
        Err(error) => return Some(Err(error)),
    }))
}

const fn ending(finish: Finish) -> Option<Ending> {
    match finish {
        Finish::Stop => Some(Ending::Stop),
        Finish::Length => Some(Ending::Length),
        Finish::Cancelled => None,
    }
}

fn stopped() -> Error {
    Error::new(ErrorCode::ShuttingDown, "the engine is stopping")
}

struct Reader {
    tools: Vec<Tool>,
    must_call: bool,
    several: bool,
    asked_tokens: Option<u32>,
    at: At,
    card: Card,
    entropy: Entropy,
    usage: TokenUsage,
}

/// One try of the model, read.
struct Read {
    reading: Reading,
    /// What was not shown yet, to be shown if it is prose.
    rest: String,
    text: String,
    finish: Ending,
}

/// Nobody listens any more.
struct Gone;

impl Reader {
    async fn run(mut self, request: CompletionRequest, events: EventStream, mut out: Sender<Told>) {
        if let Err(error) = self.tell(request, events, &mut out).await {
            // Whoever hung up needs no error.
            drop(out.send(Err(error)).await);
        }
    }

    /// Tries until the answer is readable, as the rules for tool calls say.
    async fn tell(
        &mut self,
        mut request: CompletionRequest,
        mut events: EventStream,
        out: &mut Sender<Told>,
    ) -> Result<(), Error> {
        let mut course = Course::default();
        loop {
            let Ok(read) = self.read(events, out).await? else { return Ok(()) };
            let cut = matches!(read.reading, Reading::Malformed { .. }) && read.finish == Ending::Length;
            if cut {
                self.note("a tool call was cut off where the answer had to end");
                return self.end(Ending::Length, out).await;
            }
            match course.next(read.reading, &self.tools) {
                Next::Prose if self.must_call => return Err(unreadable("the model did not call a tool")),
                Next::Prose => {
                    if !read.rest.is_empty() {
                        drop(out.send(Ok(Said::Text(read.rest))).await);
                    }
                    return self.end(read.finish, out).await;
                }
                Next::Perform(calls) => return self.perform(calls, out).await,
                Next::GiveUp(reason) => return Err(unreadable(&reason.to_string())),
                Next::AskAgain { message, reason, .. } => {
                    self.note(&format!("a tool call could not be read and was asked for again: {reason}"));
                    request.messages.push(Message::assistant(read.text));
                    request.messages.push(Message::user(message));
                    events = self.again(&mut request).await?;
                }
            }
        }
    }

    async fn again(&self, request: &mut CompletionRequest) -> Result<EventStream, Error> {
        let At { engine, window_tokens } = &self.at;
        room::make(&**engine, *window_tokens, self.asked_tokens, request).await?;
        Ok(engine.complete(request.clone(), CancellationToken::new()).await?)
    }

    /// Reads one try, and shows what is certain of it.
    async fn read(
        &mut self,
        mut events: EventStream,
        out: &mut Sender<Told>,
    ) -> Result<Result<Read, Gone>, Error> {
        let mut scanner = Scanner::new(&self.tools);
        while let Some(event) = events.next().await {
            match event? {
                Event::Started { .. } | Event::Compacted { .. } | Event::Logprobs { .. } => {}
                Event::Delta { text } => {
                    let certain = scanner.push(&text);
                    if !certain.is_empty() && out.send(Ok(Said::Text(certain.to_owned()))).await.is_err() {
                        return Ok(Err(Gone));
                    }
                }
                Event::Done { finish, usage } => {
                    let finish = ending(finish).ok_or_else(stopped)?;
                    let text = scanner.text().to_owned();
                    let (reading, rest) = scanner.finish();
                    self.usage.prompt_tokens = self.usage.prompt_tokens.saturating_add(usage.prompt_tokens);
                    self.usage.output_tokens = self.usage.output_tokens.saturating_add(usage.output_tokens);
                    self.usage.model_ms = self.usage.model_ms.saturating_add(usage.model_ms);
                    return Ok(Ok(Read { reading, rest, text, finish }));
                }
            }
        }
        Err(desk::broken_off())
    }

    async fn perform(&mut self, mut calls: Vec<Call>, out: &mut Sender<Told>) -> Result<(), Error> {
        if !self.several && calls.len() > 1 {
            calls.truncate(1);
            self.note("the model called several tools at once; the first is told, as was asked");
        }
        for Call { name, arguments, repairs } in calls {
            if !repairs.is_empty() {
                let repairs: Vec<String> = repairs.iter().map(named).collect();
                self.note(&format!("the call of {name} was mended: {}", repairs.join(", ")));
            }
            let id = format!("call_{:024x}", (self.entropy)() >> 32);
            let arguments = serde_json::Value::Object(arguments).to_string();
            drop(out.send(Ok(Said::Call(Called { id, name, arguments }))).await);
        }
        self.end(Ending::Calls, out).await
    }

    fn note(&mut self, words: &str) {
        self.card.notes.push(words.to_owned());
    }

    async fn end(&mut self, why: Ending, out: &mut Sender<Told>) -> Result<(), Error> {
        let end = End { why, usage: self.usage, card: self.card.clone() };
        drop(out.send(Ok(Said::Done(end))).await);
        Ok(())
    }
}

/// The published name of a mending.
fn named(repair: &Repair) -> String {
    let text = serde_json::to_value(repair).ok();
    text.as_ref().and_then(serde_json::Value::as_str).map_or_else(|| format!("{repair:?}"), str::to_owned)
}

fn unreadable(reason: &str) -> Error {
    Error::new(ErrorCode::ToolCallUnreadable, format!("the model's tool call cannot be read: {reason}"))
}
