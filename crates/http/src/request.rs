//! What every request has in common, on every door: an id, a span, a time limit, a caught panic, an error body
//! and a line in the metrics.

use std::hash::{BuildHasher as _, RandomState};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use edgecoder_protocol::ErrorCode;
use futures::FutureExt as _;
use tracing::Instrument as _;

use crate::{Error, Metrics};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Longest id taken over from the caller.
const MAX_ID_LEN: usize = 64;

/// The field of the request that an error is about, for dialects whose errors name it. Travels like the error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Field(pub(crate) String);

/// Marks an answer whose errors have the body that their protocol wants. Travels like the error.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Verbatim;

/// How an error is worded: its status and its JSON body, from the error, its field and the request's id.
pub(crate) type Wording = fn(&Error, Option<&Field>, &str) -> (StatusCode, Vec<u8>);

/// The house's own form.
pub(crate) fn house(error: &Error, _: Option<&Field>, id: &str) -> (StatusCode, Vec<u8>) {
    (error.status(), serde_json::to_vec(&error.clone().body(id)).unwrap_or_default())
}

/// What the layer needs.
#[derive(Debug)]
struct Gate {
    door: &'static str,
    wording: fn(&str) -> Wording,
    metrics: Metrics,
    within: Duration,
    ids: RequestIds,
}

/// Ids that do not repeat across restarts: a counter under a key drawn at the start.
#[derive(Debug, Default)]
struct RequestIds {
    key: RandomState,
    next: AtomicU64,
}

impl RequestIds {
    /// The caller's own id where it is harmless in a log, or a fresh one.
    fn of(&self, headers: &HeaderMap) -> String {
        let theirs = headers.get(REQUEST_ID).and_then(|value| value.to_str().ok());
        let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        match theirs {
            Some(id) if !id.is_empty() && id.len() <= MAX_ID_LEN && id.chars().all(legal) => id.to_owned(),
            Some(_) | None => {
                let number = self.next.fetch_add(1, Ordering::Relaxed);
                format!("req_{:016x}", self.key.hash_one(number))
            }
        }
    }
}

/// Puts the layer around a door whose handlers answer `within` this time at the latest.
pub(crate) fn layered(router: Router, door: &'static str, metrics: Metrics, within: Duration) -> Router {
    layered_in(router, door, metrics, within, |_| house)
}

/// The same for a door that speaks several dialects: `wording` says which errors a path has.
pub(crate) fn layered_in(
    router: Router,
    door: &'static str,
    metrics: Metrics,
    within: Duration,
    wording: fn(&str) -> Wording,
) -> Router {
    let gate = Arc::new(Gate { door, wording, metrics, within, ids: RequestIds::default() });
    let unknown = || async { Error::of_status(StatusCode::NOT_FOUND) };
    router.fallback(unknown).layer(from_fn_with_state(gate, pass))
}

async fn pass(State(gate): State<Arc<Gate>>, request: Request, next: Next) -> Response {
    let id = gate.ids.of(request.headers());
    let route = request.extensions().get::<MatchedPath>().cloned();
    let route = route.as_ref().map_or("unmatched", MatchedPath::as_str);
    let method = known_method(&request);
    let wording = (gate.wording)(request.uri().path());
    let span = tracing::info_span!("request", request_id = %id, door = gate.door, method, route);
    let started = Instant::now();
    let answer = AssertUnwindSafe(tokio::time::timeout(gate.within, next.run(request))).catch_unwind();
    let response = match answer.instrument(span.clone()).await {
        Ok(Ok(response)) => response,
        Ok(Err(_elapsed)) => Error::new(ErrorCode::Timeout, "the answer took too long").into_response(),
        Err(panic) => span.in_scope(|| panicked(panic.as_ref())),
    };
    let response = finished(response, &id, wording);
    let status = response.status().as_u16();
    span.in_scope(|| tracing::debug!(status, "answered"));
    gate.metrics.answered(gate.door, method, route, status, started.elapsed());
    response
}

/// Methods are labels: a caller must not be able to invent new ones.
fn known_method(request: &Request) -> &'static str {
    match request.method().as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "other",
    }
}

fn panicked(panic: &(dyn std::any::Any + Send)) -> Response {
    let words = panic.downcast_ref::<&str>().copied();
    let words = words.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    tracing::error!(panic = words.unwrap_or("no words"), "a handler panicked");
    Error::new(ErrorCode::Internal, "answering failed unexpectedly").into_response()
}

/// Writes the error body where there is an error, and the id on every answer.
fn finished(mut response: Response, id: &str, wording: Wording) -> Response {
    let status = response.status();
    let told = response.extensions_mut().remove::<Error>();
    let told = told.or_else(|| {
        let worded = response.extensions().get::<Verbatim>().is_some();
        let bare = status.is_client_error() || status.is_server_error();
        (bare && !worded).then(|| Error::of_status(status))
    });
    if let Some(error) = told {
        let field = response.extensions_mut().remove::<Field>();
        let (status, body) = wording(&error, field.as_ref(), id);
        let allow = response.headers_mut().remove(ALLOW);
        response = error_response(&error, status, body, allow);
    }
    // What is answered is what it says it is: a browser must not find a page in somebody's blob.
    response.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Ok(id) = HeaderValue::from_str(id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

fn error_response(error: &Error, status: StatusCode, body: Vec<u8>, allow: Option<HeaderValue>) -> Response {
    let wait = (error.code == ErrorCode::RateLimited).then(|| HeaderValue::from_static("1"));
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    for (name, value) in [(ALLOW, allow), (RETRY_AFTER, wait)] {
        if let Some(value) = value {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_taken_over_only_when_harmless_and_never_repeat() {
        let ids = RequestIds::default();
        let id = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(REQUEST_ID, HeaderValue::from_bytes(text.as_bytes()).unwrap());
            ids.of(&headers)
        };
        assert_eq!(id("trace-1_a.b"), "trace-1_a.b");
        let fresh: std::collections::BTreeSet<String> =
            ["", "a b", "\"", "é", &"x".repeat(65)].into_iter().map(id).collect();
        assert_eq!(fresh.len(), 5);
        assert!(fresh.iter().all(|id| id.starts_with("req_")), "{fresh:?}");
    }

    #[tokio::test]
    async fn panics_and_late_answers_have_error_bodies() {
        use tower::ServiceExt as _;
        let router = Router::new()
            .route("/panic", axum::routing::get(|| async { panic_now() }))
            .route("/never", axum::routing::get(std::future::pending::<()>));
        let router = layered(router, "test", Metrics::new(), Duration::ZERO);
        for (path, code) in [("/panic", "internal"), ("/never", "timeout")] {
            let response =
                router.clone().oneshot(Request::get(path).body(Body::empty()).unwrap()).await.unwrap();
            let body = axum::body::to_bytes(response.into_body(), 4096).await.unwrap();
            let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
            assert_eq!(body["code"], code);
        }
    }

    fn panic_now() -> &'static str {
        panic!("as the test wants")
    }
}
