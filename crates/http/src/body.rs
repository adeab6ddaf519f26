//! Bodies come in whole and bounded: by length before the first byte, by count while reading, and by time.

use std::time::Duration;

use axum::body::Body;
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use edgecoder_protocol::ErrorCode;
use http_body_util::BodyExt as _;
use hyper::body::Body as _;
use serde::de::DeserializeOwned;

use crate::Error;

/// Largest JSON body where a route says nothing else.
pub(crate) const JSON_LIMIT: usize = 1024 * 1024;
/// Whoever needs longer for a small body is not sending it.
const SMALL_WITHIN: Duration = Duration::from_secs(15);
/// A blob or pack: 64 MiB at half a MiB a second.
const LARGE_WITHIN: Duration = Duration::from_secs(120);

/// Reads a body of at most `limit` bytes.
pub(crate) async fn read(body: Body, limit: usize) -> Result<Vec<u8>, Error> {
    let within = if limit > JSON_LIMIT { LARGE_WITHIN } else { SMALL_WITHIN };
    match tokio::time::timeout(within, collect(body, limit)).await {
        Ok(read) => read,
        Err(_elapsed) => Err(Error::new(ErrorCode::Timeout, "the body did not arrive in time")),
    }
}

async fn collect(mut body: Body, limit: usize) -> Result<Vec<u8>, Error> {
    let too_large = || Error::new(ErrorCode::BodyTooLarge, format!("the body has more than {limit} bytes"));
    let declared = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if declared > limit {
        return Err(too_large());
    }
    let mut bytes = Vec::with_capacity(declared);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Error::new(ErrorCode::InvalidRequest, "the body broke off"))?;
        let Ok(data) = frame.into_data() else { continue };
        if bytes.len() + data.len() > limit {
            return Err(too_large());
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes)
}

/// Insists on JSON as the declared content.
pub(crate) fn declared_json(headers: &HeaderMap) -> Result<(), Error> {
    let declared = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = declared.split(';').next().unwrap_or_default().trim();
    if kind.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    Err(Error::new(ErrorCode::UnsupportedMediaType, "the body must be declared as `application/json`"))
}

/// Parses JSON and says where it is wrong.
pub(crate) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = error.path().to_string();
        refusal(&path, error.inner())
    })?;
    json.end().map_err(|error| refusal(".", &error))?;
    Ok(value)
}

fn refusal(path: &str, error: &serde_json::Error) -> Error {
    let text = error.to_string();
    if !error.is_data() {
        return Error::new(ErrorCode::MalformedJson, format!("the body is not JSON: {text}"));
    }
    let code =
        if text.starts_with("unknown field") { ErrorCode::UnknownField } else { ErrorCode::InvalidRequest };
    let place = if path == "." { String::new() } else { format!("{path}: ") };
    Error::new(code, format!("{place}{text}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only what is refused matters here")]
    struct Inner {
        count: u8,
    }

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only what is refused matters here")]
    struct Outer {
        inner: Vec<Inner>,
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        let deep = "[".repeat(100_000);
        for (body, code, words) in [
            ("", ErrorCode::MalformedJson, "not JSON"),
            ("{", ErrorCode::MalformedJson, "not JSON"),
            (deep.as_str(), ErrorCode::InvalidRequest, "invalid type"),
            ("{\"inner\":[]} x", ErrorCode::MalformedJson, "not JSON"),
            ("{\"inner\":[{\"count\":1},{\"count\":300}]}", ErrorCode::InvalidRequest, "inner[1].count: "),
            ("{\"inner\":[{\"count\":1,\"x\":2}]}", ErrorCode::UnknownField, "inner[0].x: unknown field `x`"),
            ("{}", ErrorCode::InvalidRequest, "missing field `inner`"),
            ("null", ErrorCode::InvalidRequest, "invalid type"),
        ] {
            let error = parse::<Outer>(body.as_bytes()).unwrap_err();
            let shown = body.chars().take(40).collect::<String>();
            assert_eq!(error.code, code, "{shown}: {error}");
            assert!(error.message.contains(words), "{shown}: {error}");
        }
        assert_eq!(parse::<serde_json::Value>(deep.as_bytes()).unwrap_err().code, ErrorCode::MalformedJson);
        assert_eq!(parse::<Outer>(b"\xff\xfe").unwrap_err().code, ErrorCode::MalformedJson);
    }
}
