//! The seam: every engine is asked the same four things.

use std::fmt;

use futures::future::BoxFuture;
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt};
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
