//! The inference door's own wire form, plain bytes on both sides: answers are JSON of `Result<T, Error>`,
//! event streams one such JSON a line (`application/x-ndjson`). The status is 200 whenever an engine spoke.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;

use futures::stream::BoxStream;
use futures::{Stream, StreamExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio_util::sync::CancellationToken;

use crate::http::{self, Parser, cut_short};
use crate::lines::LineSplitter;
use crate::{Error, Event, EventStream, TokenUsage};

/// Media type of an event stream.
pub const NDJSON: &str = "application/x-ndjson";

/// One answer as JSON.
pub fn encode_answer<T: Serialize>(answer: &Result<T, Error>) -> String {
    serde_json::to_string(answer).unwrap_or_else(|error| {
        // Only a type of ours that cannot be JSON gets here; the words hold nothing to escape.
        format!("{{\"Err\":{{\"kind\":\"protocol\",\"reason\":\"cannot encode: {:?}\"}}}}", error.classify())
    })
}

/// One answer back from JSON.
pub fn decode_answer<T: DeserializeOwned>(text: &str) -> Result<T, Error> {
    serde_json::from_str::<Result<T, Error>>(text)
        .map_err(|error| Error::protocol(format!("unexpected answer at column {}", error.column())))?
}

/// One event as a line, its end included.
pub fn encode_event(event: &Result<Event, Error>) -> String {
    encode_answer(event) + "\n"
}

/// What `complete` gave, as the body of a response. A refusal becomes a stream of one error.
pub fn encode_stream(start: Result<EventStream, Error>) -> BoxStream<'static, Result<String, Infallible>> {
    let events = match start {
        Ok(events) => events,
        Err(error) => futures::stream::once(async move { Err(error) }).boxed(),
    };
    events.map(|event| Ok(encode_event(&event))).boxed()
}

/// Events back from a body's chunks, however they were cut. Ends like every stream: `Done` or an error.
pub fn decode_stream(
    chunks: impl Stream<Item = Result<Vec<u8>, Error>> + Send + 'static,
    cancel: CancellationToken,
    silence: Duration,
) -> EventStream {
    http::events(chunks, NdjsonParser::default(), cancel, silence)
}

/// Lines of `Result<Event, Error>`.
#[derive(Debug, Default)]
pub(crate) struct NdjsonParser {
    lines: LineSplitter,
    seen: TokenUsage,
}

impl Parser for NdjsonParser {
    fn push(&mut self, chunk: &[u8], out: &mut VecDeque<Result<Event, Error>>) {
        match self.lines.push(chunk) {
            Ok(lines) => {
                out.extend(lines.iter().filter(|line| !line.is_empty()).map(|line| decode_answer(line)))
            }
            Err(error) => out.push_back(Err(error)),
        }
        for event in out.iter().flatten() {
            match event {
                Event::Started { prompt_tokens } => self.seen.prompt_tokens = *prompt_tokens,
                Event::Compacted { .. } | Event::Logprobs { .. } => {}
                Event::Delta { .. } => self.seen.output_tokens += 1,
                Event::Done { usage, .. } => self.seen = *usage,
            }
        }
    }

    fn end(&mut self, out: &mut VecDeque<Result<Event, Error>>) {
        // Half a line is no event; a whole `Done` would have ended the stream before.
        out.push_back(Err(cut_short()));
    }

    fn usage(&self) -> TokenUsage {
        self.seen
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Finish, collect};

    const SILENCE: Duration = Duration::from_secs(60);

    fn events() -> Vec<Result<Event, Error>> {
        vec![
            Ok(Event::Started { prompt_tokens: 5 }),
            Ok(Event::Delta { text: "a\n\u{1F600}".into() }),
            Ok(Event::Done {
                finish: Finish::Stop,
                usage: TokenUsage { output_tokens: 2, ..TokenUsage::default() },
            }),
        ]
    }

    async fn read(body: &[u8], cut: usize) -> Vec<Result<Event, Error>> {
        let chunks = [Ok(body[..cut].to_vec()), Ok(body[cut..].to_vec())];
        decode_stream(futures::stream::iter(chunks), CancellationToken::new(), SILENCE).collect().await
    }

    #[tokio::test]
    async fn what_was_encoded_reads_back_at_every_cut() {
        let stream = futures::stream::iter(events()).boxed();
        let lines: Vec<_> = encode_stream(Ok(stream)).map(|line| line.unwrap()).collect().await;
        let body = lines.concat();
        for cut in 0..=body.len() {
            assert_eq!(read(body.as_bytes(), cut).await, events(), "cut at {cut}");
        }
    }

    #[tokio::test]
    async fn a_refusal_is_a_stream_of_one_error() {
        let error = Error::ContextOverflow { prompt_tokens: 1, max_tokens: 2, context_tokens: 2 };
        let lines: Vec<_> = encode_stream(Err(error.clone())).map(|line| line.unwrap()).collect().await;
        assert_eq!(read(lines.concat().as_bytes(), 3).await, [Err(error)]);
    }

    #[tokio::test]
    async fn a_body_cut_short_or_senseless_is_an_error() {
        let body = encode_event(&events()[0]) + &encode_event(&events()[1]);
        for length in [0, 10, body.len()] {
            let last = read(&body.as_bytes()[..length], 0).await.pop().unwrap();
            assert!(matches!(last, Err(Error::Unreachable { .. })), "{length}: {last:?}");
        }
        let last = read(b"<html>\n", 2).await.pop().unwrap();
        assert!(matches!(last, Err(Error::Protocol { .. })), "{last:?}");
    }

    #[tokio::test]
    async fn cancelling_ends_a_silent_stream() {
        let cancel = CancellationToken::new();
        let stream = decode_stream(futures::stream::pending(), cancel.clone(), SILENCE);
        cancel.cancel();
        assert_eq!(collect(stream).await.unwrap().finish, Finish::Cancelled);
    }
}
