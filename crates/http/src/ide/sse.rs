//! Server-sent events and lines of JSON: the two ways in which answers are streamed. One value is one write.

use std::convert::Infallible;

use axum::body::{Body, Bytes};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};
use futures::{Stream, StreamExt as _};
use serde::Serialize;

/// The end of a stream, for OpenAI's clients.
pub(super) const DONE: Bytes = Bytes::from_static(b"data: [DONE]\n\n");

/// `data: …`, in the form that OpenAI's clients read.
pub(super) fn event(value: &impl Serialize) -> Bytes {
    let mut bytes = b"data: ".to_vec();
    write(&mut bytes, value);
    bytes.extend_from_slice(b"\n\n");
    bytes.into()
}

/// `event: …` and `data: …`.
pub(super) fn named_event(name: &str, value: &impl Serialize) -> Bytes {
    let mut bytes = format!("event: {name}\ndata: ").into_bytes();
    write(&mut bytes, value);
    bytes.extend_from_slice(b"\n\n");
    bytes.into()
}

/// A value on a line of its own.
pub(super) fn line(value: &impl Serialize) -> Bytes {
    let mut bytes = Vec::new();
    write(&mut bytes, value);
    bytes.push(b'\n');
    bytes.into()
}

fn write(bytes: &mut Vec<u8>, value: &impl Serialize) {
    // Our own plain values always have a form as JSON.
    if let Err(error) = serde_json::to_writer(bytes, value) {
        tracing::error!(%error, "an event could not be written");
    }
}

/// The answer to whoever wants events.
pub(super) fn events(headers: HeaderMap, events: impl Stream<Item = Bytes> + Send + 'static) -> Response {
    streamed("text/event-stream", headers, events)
}

/// The answer to whoever wants lines.
pub(super) fn lines(headers: HeaderMap, lines: impl Stream<Item = Bytes> + Send + 'static) -> Response {
    streamed("application/x-ndjson", headers, lines)
}

fn streamed(
    kind: &'static str,
    headers: HeaderMap,
    parts: impl Stream<Item = Bytes> + Send + 'static,
) -> Response {
    let body = Body::from_stream(parts.map(Ok::<_, Infallible>));
    let mut response = body.into_response();
    response.headers_mut().extend(headers);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}
