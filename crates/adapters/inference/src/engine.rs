//! The seam: every engine is asked the same four things.

use std::fmt;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::{
    Capabilities, CompletionRequest, CountRequest, EmbedRequest, Embeddings, Error, Event, Finish,
    TextPrompt, TokenUsage,
};

/// The events of one answer. Ends after `Done` or after the first error. Dropping it cancels the request.
pub type EventStream = BoxStream<'static, Result<Event, Error>>;

/// Something that turns messages into text.
pub trait Engine: Send + Sync + fmt::Debug {
    /// What this engine is. Waits, within a bound, for an engine that is starting.
    fn capabilities(&self) -> BoxFuture<'_, Result<Capabilities, Error>>;

    /// Starts an answer. An error here means that nothing was generated.
    fn complete(
        &self,
        request: CompletionRequest,
        cancel: CancellationToken,
    ) -> BoxFuture<'_, Result<EventStream, Error>>;

    /// Tokens of the prompt these messages make. An estimate (rounded up) where the server cannot count.
    fn count_tokens(&self, request: CountRequest) -> BoxFuture<'_, Result<u32, Error>>;

    /// Texts as vectors. Engines that cannot say so; [`crate::capabilities::Features`] tells beforehand.
    fn embed(&self, request: EmbedRequest) -> BoxFuture<'_, Result<Embeddings, Error>> {
        drop(request);
        futures::future::err(Error::unsupported("embeddings", "this engine has none")).boxed()
    }
}

/// A whole answer.
#[derive(Clone, PartialEq, Eq)]
pub struct Reply {
    /// All the text.
    pub text: String,
    /// Why it ended.
    pub finish: Finish,
    /// What it cost.
    pub usage: TokenUsage,
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reply({} bytes, {:?}, {:?})", self.text.len(), self.finish, self.usage)
    }
}

/// Reads a stream to its end. A stream that stops without `Done` is a protocol violation, not a short answer.
pub async fn collect(mut events: EventStream) -> Result<Reply, Error> {
    let mut text = String::new();
    while let Some(event) = events.next().await {
        match event? {
            Event::Started { .. } | Event::Compacted { .. } | Event::Logprobs { .. } => {}
            Event::Delta { text: more } => text.push_str(&more),
            Event::Done { finish, usage } => return Ok(Reply { text, finish, usage }),
        }
    }
    Err(Error::protocol("the answer stopped without an end"))
}

/// Bytes a token may stand for: the longest of today's vocabularies is half of it.
const MAX_TOKEN_BYTES: usize = 512;
/// Events that come besides those of tokens.
const OTHER_EVENTS: usize = 16;

/// `events`, with an end whatever the engine does: one that writes more than `max_tokens` can be, or longer than
/// `within`, is broken or hostile, and its answer is none.
pub fn capped(events: EventStream, max_tokens: u32, within: Duration) -> EventStream {
    let tokens = usize::try_from(max_tokens).unwrap_or(usize::MAX);
    let most_bytes = tokens.saturating_mul(MAX_TOKEN_BYTES);
    // A token is told as text and as a likelihood; a server may tell it in halves.
    let most_events = tokens.saturating_mul(4).saturating_add(OTHER_EVENTS);
    let deadline = Instant::now() + within;
    let over = |what: &str| Some(Err(Error::protocol(format!("the answer is over its limit of {what}"))));
    let next = move |(mut events, seen, bytes): (EventStream, usize, usize)| async move {
        let next = tokio::time::timeout_at(deadline, events.next()).await;
        let Ok(next) = next else { return over("time").map(|error| (error, (ended(), 0, 0))) };
        let event = next?;
        let more = if let Ok(Event::Delta { text }) = &event { text.len() } else { 0 };
        let (seen, bytes) = (seen.saturating_add(1), bytes.saturating_add(more));
        let what = if bytes > most_bytes {
            "bytes"
        } else if seen > most_events {
            "tokens"
        } else {
            ""
        };
        match what {
            "" => Some((event, (events, seen, bytes))),
            what => over(what).map(|error| (error, (ended(), 0, 0))),
        }
    };
    futures::stream::unfold((events, 0, 0), next).boxed()
}

fn ended() -> EventStream {
    futures::stream::empty().boxed()
}

/// A token count for servers that cannot count: three bytes a token is more than code in practice needs.
pub(crate) fn estimate_tokens(request: &CountRequest) -> u32 {
    const BYTES_PER_TOKEN: usize = 3;
    /// Role markers and line ends of a template.
    const TOKENS_PER_MESSAGE: usize = 6;
    let bytes: usize = request.messages.iter().map(|message| message.content.len()).sum();
    let prefill = request.prefill.as_ref().map_or(0, String::len);
    let text = match &request.text {
        Some(TextPrompt::Continue { text }) => text.len(),
        Some(TextPrompt::Infill { prefix, suffix }) => prefix.len() + suffix.len(),
        None => 0,
    };
    let tokens = (bytes + prefill + text).div_ceil(BYTES_PER_TOKEN)
        + (request.messages.len() + 1) * TOKENS_PER_MESSAGE;
    u32::try_from(tokens).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An engine that was asked for `max_tokens` and writes `texts` of each `bytes` bytes, a second apart.
    async fn written(max_tokens: u32, texts: usize, bytes: usize) -> Result<usize, Error> {
        let delta = move |_| async move {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Ok(Event::Delta { text: "x".repeat(bytes) })
        };
        let usage = TokenUsage { prompt_tokens: 1, output_tokens: 1, model_ms: 1 };
        let done = futures::stream::once(async move { Ok(Event::Done { finish: Finish::Stop, usage }) });
        let events = futures::stream::iter(0..texts).then(delta).chain(done).boxed();
        Ok(collect(capped(events, max_tokens, Duration::from_secs(100))).await?.text.len())
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_ends_at_its_bounds_of_tokens_bytes_and_time() {
        let over = |what: &str| Err(Error::protocol(format!("the answer is over its limit of {what}")));
        assert_eq!(written(8, 8, 5).await, Ok(40));
        assert_eq!(written(8, 60, 5).await, over("tokens"));
        assert_eq!(written(8, 8, 600).await, over("bytes"));
        assert_eq!(written(1_000, 1_000, 1).await, over("time"));
        // One that would never end, and one event that is enormous.
        assert_eq!(written(1_000_000, usize::MAX, 1).await, over("time"));
        assert_eq!(written(1, 1, 1 << 20).await, over("bytes"));
    }
}
