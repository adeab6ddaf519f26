//! The inference door of another node of mine as an engine: `POST {url}/complete`, `/count_tokens` and
//! `/embed`, `GET {url}/capabilities`, in the form of [`crate::codec`].

use std::time::Duration;

use edgecoder_base::Secret;
use futures::FutureExt;
use futures::future::BoxFuture;
use tokio_util::sync::CancellationToken;

use crate::codec::NdjsonParser;
use crate::http::{Server, upstream};
use crate::{
    Capabilities, CompletionRequest, CountRequest, EmbedRequest, Embeddings, Engine, Error, EventStream,
};

/// Where the door is.
#[derive(Debug, Clone)]
pub struct RemoteConfig {
    /// Up to but without `/complete`.
    pub url: String,
    /// Bearer token the door asks for.
    pub token: Option<Secret<String>>,
    /// Longest silence, also while a prompt is being read.
    pub silence: Duration,
}

impl RemoteConfig {
    /// The usual bounds.
    pub fn new(url: impl Into<String>, token: Option<Secret<String>>) -> Self {
        Self { url: url.into(), token, silence: Duration::from_secs(300) }
    }
}

/// The client of a door.
#[derive(Debug, Clone)]
pub struct RemoteEngine {
    server: Server,
}

impl RemoteEngine {
    /// Refuses an address that cannot be one. Nothing is contacted yet.
    pub fn new(config: RemoteConfig) -> Result<Self, Error> {
        Ok(Self { server: Server::new(&config.url, config.token, config.silence)? })
    }
}

impl Engine for RemoteEngine {
    fn capabilities(&self) -> BoxFuture<'_, Result<Capabilities, Error>> {
        async move { self.server.json::<Result<Capabilities, Error>>(self.server.get("/capabilities")).await? }.boxed()
    }

    fn complete(
        &self,
        request: CompletionRequest,
        cancel: CancellationToken,
    ) -> BoxFuture<'_, Result<EventStream, Error>> {
        async move {
            request.validate()?;
            let post = self.server.post("/complete").json(&request);
            let events = self.server.stream(post, upstream, NdjsonParser::default(), cancel).await?;
            refused_first(events).await
        }
        .boxed()
    }

    fn count_tokens(&self, request: CountRequest) -> BoxFuture<'_, Result<u32, Error>> {
        async move {
            let post = self.server.post("/count_tokens").json(&request);
            self.server.json::<Result<u32, Error>>(post).await?
        }
        .boxed()
    }

    fn embed(&self, request: EmbedRequest) -> BoxFuture<'_, Result<Embeddings, Error>> {
        async move {
            request.validate()?;
            let post = self.server.post("/embed").json(&request);
            self.server.json::<Result<Embeddings, Error>>(post).await?
        }
        .boxed()
    }
}

/// An error that comes before anything else belongs to the call, not to the stream.
async fn refused_first(mut events: EventStream) -> Result<EventStream, Error> {
    use futures::StreamExt;
    match events.next().await {
        Some(Err(error)) => Err(error),
        Some(first) => Ok(futures::stream::once(async move { first }).chain(events).boxed()),
        None => Err(Error::protocol("an empty answer")),
    }
}
