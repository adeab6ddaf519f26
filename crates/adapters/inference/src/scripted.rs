//! An engine that says what the test wrote down, and remembers what it was asked. Tests of the agent, of the
//! doors and of the worker use it; none of them needs a model.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use futures::stream::{self, StreamExt};
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use crate::capabilities::Features;
use crate::compact::fit;
use crate::engine::estimate_tokens;
use crate::{
    Capabilities, CompletionRequest, CountRequest, Engine, Error, Event, EventStream, Finish, TokenUsage,
};

/// Characters of a delta: small, so that readers meet cut words.
const DELTA_CHARS: usize = 7;

type Answer = dyn Fn(&CompletionRequest) -> Result<String, Error> + Send + Sync;

enum Line {
    Text(String, Finish),
    Fail(Error),
    /// Some text, then an error inside the stream.
    Break(String, Error),
    /// Some text, then nothing until cancelled.
    Hang(String),
    With(Arc<Answer>),
}

struct Script {
    lines: VecDeque<Line>,
    otherwise: Option<Arc<Answer>>,
    asked: Vec<CompletionRequest>,
    capabilities: Capabilities,
}

/// Cheap to clone; clones share the script.
#[derive(Clone)]
pub struct ScriptedEngine {
    script: Arc<Mutex<Script>>,
}

impl Default for ScriptedEngine {
    fn default() -> Self {
        Self::new()
    }
}

impl ScriptedEngine {
    /// An engine with nothing to say yet, and room for 8,192 tokens.
    pub fn new() -> Self {
        let capabilities = Capabilities {
            features: Features { compaction: true, ..Features::default() },
            ..Capabilities::new("scripted", "scripted", 8192, 4)
        };
        let script = Script { lines: VecDeque::new(), otherwise: None, asked: Vec::new(), capabilities };
        Self { script: Arc::new(Mutex::new(script)) }
    }

    /// Says that it runs `model`, whose profile then applies.
    pub fn named(self, model: impl Into<String>) -> Self {
        self.script.lock().capabilities.model = model.into();
        self
    }

    /// With another context.
    pub fn with_context(self, tokens: u32) -> Self {
        self.script.lock().capabilities.context_tokens = tokens;
        self
    }

    /// The next answer.
    pub fn reply(self, text: impl Into<String>) -> Self {
        self.line(Line::Text(text.into(), Finish::Stop))
    }

    /// The next answer, ended by the token limit.
    pub fn reply_cut(self, text: impl Into<String>) -> Self {
        self.line(Line::Text(text.into(), Finish::Length))
    }

    /// The next answer, made from the request.
    pub fn reply_with(
        self,
        answer: impl Fn(&CompletionRequest) -> Result<String, Error> + Send + Sync + 'static,
    ) -> Self {
        self.line(Line::With(Arc::new(answer)))
    }

    /// The next request is refused.
    pub fn fail(self, error: Error) -> Self {
        self.line(Line::Fail(error))
    }

    /// The next answer breaks after `text`.
    pub fn break_after(self, text: impl Into<String>, error: Error) -> Self {
        self.line(Line::Break(text.into(), error))
    }

    /// The next answer says `text` and then nothing until it is cancelled.
    pub fn hang_after(self, text: impl Into<String>) -> Self {
        self.line(Line::Hang(text.into()))
    }

    /// Every answer after the scripted ones.
    pub fn otherwise(
        self,
        answer: impl Fn(&CompletionRequest) -> Result<String, Error> + Send + Sync + 'static,
    ) -> Self {
        self.script.lock().otherwise = Some(Arc::new(answer));
        self
    }

    /// All requests so far, oldest first.
    pub fn requests(&self) -> Vec<CompletionRequest> {
        self.script.lock().asked.clone()
    }

    /// Answers not yet given.
    pub fn remaining(&self) -> usize {
        self.script.lock().lines.len()
    }

    fn line(self, line: Line) -> Self {
        self.script.lock().lines.push_back(line);
        self
    }

    fn start(&self, mut request: CompletionRequest, cancel: CancellationToken) -> Result<EventStream, Error> {
        request.validate()?;
        if cancel.is_cancelled() {
            return Err(Error::Cancelled);
        }
        let (line, fitted) = {
            let mut script = self.script.lock();
            script.asked.push(request.clone());
            let context_tokens = script.capabilities.context_tokens;
            let measure = |request: &CompletionRequest| Ok((estimate_tokens(&request.prompt()), ()));
            let fitted = fit(&mut request, context_tokens, measure)?;
            let otherwise = script.otherwise.clone();
            (script.lines.pop_front().or_else(|| otherwise.map(Line::With)), fitted)
        };
        let prompt_tokens = fitted.prompt_tokens;
        let events = match line.ok_or_else(|| Error::protocol("the script has no more answers"))? {
            Line::Text(text, finish) => told(prompt_tokens, &text, End::Done(finish), cancel),
            Line::With(answer) => told(prompt_tokens, &answer(&request)?, End::Done(Finish::Stop), cancel),
            Line::Fail(error) => return Err(error),
            Line::Break(text, error) => told(prompt_tokens, &text, End::Break(error), cancel),
            Line::Hang(text) => told(prompt_tokens, &text, End::Hang, cancel),
        };
        let compacted = fitted.compaction.map(|compaction| Ok(Event::Compacted { compaction }));
        Ok(stream::iter(compacted).chain(events).boxed())
    }
}

enum End {
    Done(Finish),
    Break(Error),
    Hang,
}

fn told(prompt_tokens: u32, text: &str, end: End, cancel: CancellationToken) -> EventStream {
    let letters: Vec<char> = text.chars().collect();
    let deltas: Vec<_> =
        letters.chunks(DELTA_CHARS).map(|part| Event::Delta { text: part.iter().collect() }).collect();
    let output_tokens = u32::try_from(deltas.len()).unwrap_or(u32::MAX);
    let usage = TokenUsage { prompt_tokens, output_tokens, model_ms: 1 };
    let last = async move {
        match end {
            End::Done(finish) => Ok(Event::Done { finish, usage }),
            End::Break(error) => Err(error),
            End::Hang => {
                cancel.cancelled().await;
                Ok(Event::Done { finish: Finish::Cancelled, usage })
            }
        }
    };
    stream::iter([Event::Started { prompt_tokens }])
        .chain(stream::iter(deltas))
        .map(Ok)
        .chain(last.into_stream())
        .boxed()
}

impl fmt::Debug for ScriptedEngine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let script = self.script.lock();
        write!(f, "ScriptedEngine({} asked, {} to say)", script.asked.len(), script.lines.len())
    }
}

impl Engine for ScriptedEngine {
    fn capabilities(&self) -> BoxFuture<'_, Result<Capabilities, Error>> {
        let capabilities = self.script.lock().capabilities.clone();
        futures::future::ready(Ok(capabilities)).boxed()
    }

    fn complete(
        &self,
        request: CompletionRequest,
        cancel: CancellationToken,
    ) -> BoxFuture<'_, Result<EventStream, Error>> {
        async move { self.start(request, cancel) }.boxed()
    }

    fn count_tokens(&self, request: CountRequest) -> BoxFuture<'_, Result<u32, Error>> {
        futures::future::ok(estimate_tokens(&request)).boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Message, collect};

    fn ask(text: &str) -> CompletionRequest {
        CompletionRequest::new(vec![Message::user(text)], 16)
    }

    #[tokio::test]
    async fn it_says_its_lines_in_order_and_remembers() {
        let engine = ScriptedEngine::new()
            .reply("hello there, reader")
            .fail(Error::Overloaded)
            .break_after("half", Error::EngineCrashed { reason: "x".into() })
            .hang_after("wait")
            .otherwise(|request| Ok(request.messages[0].content.clone()));
        let run = async |text: &str, cancel: CancellationToken| {
            collect(engine.complete(ask(text), cancel).await?).await
        };
        let never = CancellationToken::new;
        assert_eq!(run("1", never()).await.unwrap().text, "hello there, reader");
        assert_eq!(run("2", never()).await, Err(Error::Overloaded));
        assert!(matches!(run("3", never()).await, Err(Error::EngineCrashed { .. })));
        let cancel = CancellationToken::new();
        let hanging = engine.complete(ask("4"), cancel.clone()).await.unwrap();
        cancel.cancel();
        assert_eq!(collect(hanging).await.unwrap().finish, Finish::Cancelled);
        assert_eq!(run("echo", never()).await.unwrap().text, "echo");
        assert_eq!(engine.requests().len(), 5);
    }

    #[tokio::test]
    async fn it_refuses_what_does_not_fit_and_what_was_not_scripted() {
        let engine = ScriptedEngine::new().with_context(20);
        let refused = engine.complete(ask("a long question, too long"), CancellationToken::new()).await;
        assert!(matches!(refused.err(), Some(Error::ContextOverflow { context_tokens: 20, .. })));
        let engine = ScriptedEngine::new();
        assert!(matches!(
            engine.complete(ask("?"), CancellationToken::new()).await.err(),
            Some(Error::Protocol { .. })
        ));
    }
}
