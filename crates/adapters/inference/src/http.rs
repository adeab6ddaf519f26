//! What the engines behind HTTP share: the client, errors by status, and bytes becoming events.

use std::collections::VecDeque;
use std::time::Duration;

use edgecoder_base::Secret;
use futures::stream::BoxStream;
use futures::{Stream, StreamExt};
use reqwest::{RequestBuilder, Response, Url};
use serde::de::DeserializeOwned;
use tokio_util::sync::CancellationToken;

use crate::lines::LineSplitter;
use crate::{Error, Event, EventStream, Finish, TokenUsage};

/// A server that does not take the connection by then is not there.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// How long the end of a body is waited for after the end of its answer: servers send both in one breath.
const LINGER: Duration = Duration::from_millis(20);
/// Longest body of an answer that is not a stream.
const MAX_BODY_BYTES: usize = 1024 * 1024;
/// How much of a server's error text is passed on.
const MAX_MESSAGE_CHARS: usize = 400;

/// One server: where, as whom, and how long it may be silent.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    client: reqwest::Client,
    base: String,
    token: Option<Secret<String>>,
    silence: Duration,
}

impl Server {
    pub(crate) fn new(base: &str, token: Option<Secret<String>>, silence: Duration) -> Result<Self, Error> {
        let base = base.trim_end_matches('/').to_owned();
        let url =
            Url::parse(&base).map_err(|error| Error::invalid(format!("`{base}` is no address: {error}")))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(Error::invalid(format!("`{base}` must begin with http:// or https://")));
        }
        // A redirect could carry prompts and the token to another host: never followed.
        let builder = reqwest::Client::builder()
            .connect_timeout(CONNECT_WITHIN)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("edgecoder/", env!("CARGO_PKG_VERSION")));
        // What runs on this machine is never asked through a proxy of the environment.
        let here = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
        let builder = if here { builder.no_proxy() } else { builder };
        let client = builder.build().map_err(|error| unreachable(&error))?;
        Ok(Self { client, base, token, silence })
    }

    pub(crate) fn get(&self, path: &str) -> RequestBuilder {
        self.authorised(self.client.get(format!("{}{path}", self.base)))
    }

    pub(crate) fn post(&self, path: &str) -> RequestBuilder {
        self.authorised(self.client.post(format!("{}{path}", self.base)))
    }

    pub(crate) fn delete(&self, path: &str) -> RequestBuilder {
        self.authorised(self.client.delete(format!("{}{path}", self.base)))
    }

    fn authorised(&self, request: RequestBuilder) -> RequestBuilder {
        match &self.token {
            Some(token) => request.bearer_auth(token.expose()),
            None => request,
        }
    }

    /// Sends, and waits for the head of the answer. Any status but success is an error, of `refusal`'s making.
    async fn send(
        &self,
        request: RequestBuilder,
        refusal: impl FnOnce(u16, &str) -> Error,
    ) -> Result<Response, Error> {
        let response = self.within(request.send()).await?.map_err(|error| unreachable(&error))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let body = self.body(response).await.unwrap_or_default();
        Err(refusal(status.as_u16(), &String::from_utf8_lossy(&body)))
    }

    /// Sends, and reads the whole answer as JSON.
    pub(crate) async fn json<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, Error> {
        self.json_or(request, upstream).await
    }

    /// The same, with an error status of `refusal`'s making.
    pub(crate) async fn json_or<T: DeserializeOwned>(
        &self,
        request: RequestBuilder,
        refusal: impl FnOnce(u16, &str) -> Error,
    ) -> Result<T, Error> {
        let response = self.send(request, refusal).await?;
        let body = self.body(response).await?;
        serde_json::from_slice(&body).map_err(|error| Error::protocol(format!("unexpected answer: {error}")))
    }

    /// Sends, and wants nothing but success.
    pub(crate) async fn done(
        &self,
        request: RequestBuilder,
        refusal: impl FnOnce(u16, &str) -> Error,
    ) -> Result<(), Error> {
        self.send(request, refusal).await.map(drop)
    }

    /// Sends, and answers the lines of the body as they come. Dropping them closes the connection.
    pub(crate) async fn lines(
        &self,
        request: RequestBuilder,
        refusal: impl FnOnce(u16, &str) -> Error,
    ) -> Result<BoxStream<'static, Result<String, Error>>, Error> {
        let response = self.send(request, refusal).await?;
        let silence = self.silence;
        let state = (response.bytes_stream(), LineSplitter::default(), false);
        let batches = futures::stream::unfold(state, move |(mut chunks, mut lines, over)| async move {
            if over {
                return None;
            }
            let (batch, over) = match tokio::time::timeout(silence, chunks.next()).await {
                Err(_) => (Err(silent(silence)), true),
                Ok(Some(Ok(chunk))) => (lines.push(&chunk), false),
                Ok(Some(Err(error))) => (Err(unreachable(&error)), true),
                Ok(None) => (lines.rest().map(|line| line.into_iter().collect()), true),
            };
            let over = over || batch.is_err();
            let batch = match batch {
                Ok(lines) => lines.into_iter().map(Ok).collect(),
                Err(error) => vec![Err(error)],
            };
            Some((futures::stream::iter(batch), (chunks, lines, over)))
        });
        Ok(batches.flatten().boxed())
    }

    /// Sends, and turns the body into events as it comes. Cancelling or dropping closes the connection.
    pub(crate) async fn stream(
        &self,
        request: RequestBuilder,
        refusal: impl FnOnce(u16, &str) -> Error,
        parser: impl Parser,
        cancel: CancellationToken,
    ) -> Result<EventStream, Error> {
        let response = tokio::select! {
            biased;
            () = cancel.cancelled() => return Err(Error::Cancelled),
            response = self.send(request, refusal) => response?,
        };
        let chunks = response
            .bytes_stream()
            .map(|chunk| chunk.map(|bytes| bytes.to_vec()).map_err(|e| unreachable(&e)));
        Ok(events(chunks, parser, cancel, self.silence))
    }

    async fn body(&self, mut response: Response) -> Result<Vec<u8>, Error> {
        let mut body = Vec::new();
        while let Some(chunk) = self.within(response.chunk()).await?.map_err(|error| unreachable(&error))? {
            body.extend_from_slice(&chunk);
            if body.len() > MAX_BODY_BYTES {
                return Err(Error::protocol(format!("an answer is longer than {MAX_BODY_BYTES} bytes")));
            }
        }
        Ok(body)
    }

    async fn within<T>(&self, future: impl Future<Output = T>) -> Result<T, Error> {
        tokio::time::timeout(self.silence, future).await.map_err(|_| silent(self.silence))
    }
}

/// Turns chunks of one wire format into events.
pub(crate) trait Parser: Send + 'static {
    /// Takes a chunk. Nothing is read after a `Done` or an error.
    fn push(&mut self, chunk: &[u8], out: &mut VecDeque<Result<Event, Error>>);
    /// The body ended: adds `Done` when the answer was whole, else an error.
    fn end(&mut self, out: &mut VecDeque<Result<Event, Error>>);
    /// What was used so far.
    fn usage(&self) -> TokenUsage;
}

struct Relay<P> {
    chunks: BoxStream<'static, Result<Vec<u8>, Error>>,
    parser: P,
    cancel: CancellationToken,
    silence: Duration,
    ready: VecDeque<Result<Event, Error>>,
    over: bool,
}

/// The events in `chunks`; ends after `Done` or the first error, and always with one of them.
pub(crate) fn events(
    chunks: impl Stream<Item = Result<Vec<u8>, Error>> + Send + 'static,
    parser: impl Parser,
    cancel: CancellationToken,
    silence: Duration,
) -> EventStream {
    let relay =
        Relay { chunks: chunks.boxed(), parser, cancel, silence, ready: VecDeque::new(), over: false };
    futures::stream::unfold(relay, |mut relay| async move {
        let event = relay.next().await?;
        relay.over = matches!(event, Ok(Event::Done { .. }) | Err(_));
        if relay.over && event.is_ok() && !relay.cancel.is_cancelled() {
            relay.hear_out().await;
        }
        Some((event, relay))
    })
    .boxed()
}

impl<P: Parser> Relay<P> {
    /// Hears the body to its end: only then may the next request have the connection.
    async fn hear_out(&mut self) {
        let rest = async { while self.chunks.next().await.is_some_and(|chunk| chunk.is_ok()) {} };
        let _talks_on = tokio::time::timeout(LINGER, rest).await;
    }

    async fn next(&mut self) -> Option<Result<Event, Error>> {
        while !self.over {
            if self.cancel.is_cancelled() {
                return Some(Ok(Event::Done { finish: Finish::Cancelled, usage: self.parser.usage() }));
            }
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            let chunk = tokio::select! {
                biased;
                () = self.cancel.cancelled() => continue,
                chunk = tokio::time::timeout(self.silence, self.chunks.next()) => chunk,
            };
            match chunk {
                Err(_) => return Some(Err(silent(self.silence))),
                Ok(Some(Err(error))) => return Some(Err(error)),
                Ok(Some(Ok(chunk))) => self.parser.push(&chunk, &mut self.ready),
                Ok(None) => {
                    self.parser.end(&mut self.ready);
                    if self.ready.is_empty() {
                        return Some(Err(cut_short()));
                    }
                }
            }
        }
        None
    }
}

pub(crate) fn cut_short() -> Error {
    Error::Unreachable { reason: "the connection ended inside the answer".into() }
}

/// An error status with the server's own words.
pub(crate) fn upstream(status: u16, message: &str) -> Error {
    Error::Upstream { status, message: short(message) }
}

fn short(message: &str) -> String {
    message.trim().chars().take(MAX_MESSAGE_CHARS).collect()
}

fn silent(bound: Duration) -> Error {
    Error::Timeout { after_ms: u64::try_from(bound.as_millis()).unwrap_or(u64::MAX) }
}

/// reqwest's own text names only the address; the cause below it says what happened.
fn unreachable(error: &reqwest::Error) -> Error {
    let mut cause: &dyn std::error::Error = error;
    while let Some(below) = cause.source() {
        cause = below;
    }
    Error::Unreachable { reason: cause.to_string() }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    /// Any chunk is a whole answer.
    struct AtOnce;

    impl Parser for AtOnce {
        fn push(&mut self, _: &[u8], out: &mut VecDeque<Result<Event, Error>>) {
            out.push_back(Ok(Event::Done { finish: Finish::Stop, usage: TokenUsage::default() }));
        }

        fn end(&mut self, _: &mut VecDeque<Result<Event, Error>>) {}

        fn usage(&self) -> TokenUsage {
            TokenUsage::default()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn after_the_answer_the_body_is_heard_to_its_end_but_not_for_ever() {
        let heard = Arc::new(AtomicBool::new(false));
        let end = Arc::clone(&heard);
        let end = futures::stream::once(async move {
            end.store(true, Ordering::Relaxed);
            Ok(Vec::new())
        });
        let body = futures::stream::iter([Ok(b"answer".to_vec())]).chain(end);
        let silence = Duration::from_secs(60);
        let mut answer = events(body, AtOnce, CancellationToken::new(), silence);
        assert!(matches!(answer.next().await, Some(Ok(Event::Done { .. }))));
        assert!(heard.load(Ordering::Relaxed), "the connection cannot serve the next request");
        let talks_on = futures::stream::iter([Ok(Vec::new())]).chain(futures::stream::pending());
        let mut answer = events(talks_on, AtOnce, CancellationToken::new(), silence);
        let began = tokio::time::Instant::now();
        assert!(matches!(answer.next().await, Some(Ok(Event::Done { .. }))));
        assert!(began.elapsed() <= LINGER + Duration::from_millis(1));
    }
}
