//! One download: what the server offers, and how an answer to a range is read.

use std::ops::Range;

use reqwest::header::{
    ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, ETAG, HeaderMap, HeaderName, HeaderValue, IF_RANGE,
    LAST_MODIFIED, RANGE,
};
use reqwest::{Response, StatusCode};
use tokio_util::sync::CancellationToken;

use super::web::{Fault, Remote, Web};
use super::{Downloader, Wanted};
use crate::catalog::error::CatalogError;
use crate::catalog::progress::Meter;

/// What a server has, once its size is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Offer<Size = u64> {
    /// Bytes of the whole file.
    pub(super) size: Size,
    /// Whether it sends parts.
    pub(super) ranges: bool,
    /// Its name of this version: a strong entity tag, else the date.
    pub(super) tag: Option<String>,
}

/// All that a connection needs to know.
#[derive(Debug)]
pub(super) struct Job<'a> {
    pub(super) downloader: &'a Downloader,
    pub(super) wanted: &'a Wanted,
    pub(super) offer: &'a Offer,
    pub(super) meter: &'a Meter,
    pub(super) cancel: &'a CancellationToken,
}

impl Job<'_> {
    /// The body of `span`, once it is sure that it is one of the same file.
    pub(super) async fn body(&self, span: &Range<u64>) -> Result<Response, Fault> {
        let mut headers = HeaderMap::new();
        insert(&mut headers, RANGE, &format!("bytes={}-{}", span.start, span.end.saturating_sub(1)));
        // Mirrors of one file have different tags; where the content is known the end decides.
        let tag = self.offer.tag.as_deref().filter(|_| self.wanted.sha256.is_none());
        if let Some(tag) = tag {
            insert(&mut headers, IF_RANGE, tag);
        }
        let response = self.downloader.web.get_ok(&self.wanted.remote, headers).await?;
        if response.status() != StatusCode::PARTIAL_CONTENT {
            return Err(if tag.is_some() { Fault::Changed } else { Fault::NoRanges });
        }
        let (range, total) =
            content_range(response.headers()).ok_or_else(|| Fault::passing("an answer without its range"))?;
        if total.is_some_and(|total| total != self.offer.size)
            || (tag.is_some() && tag_of(&response) != self.offer.tag)
        {
            return Err(Fault::Changed);
        }
        if range.start != span.start || range.end > span.end {
            return Err(Fault::passing("another range than asked for"));
        }
        Ok(response)
    }
}

/// Asks for the first byte: the answer tells size, version, and whether parts can be had.
pub(super) async fn probe(web: &Web, remote: &Remote) -> Result<Offer<Option<u64>>, Fault> {
    let mut headers = HeaderMap::new();
    insert(&mut headers, RANGE, "bytes=0-0");
    let response = match web.get_ok(remote, headers).await {
        // There is no first byte.
        Err(Fault::Changed) => {
            let reason = "the file is empty".to_owned();
            return Err(Fault::Lasting(CatalogError::Answer { host: remote.host(), reason }));
        }
        answer => answer?,
    };
    let tag = tag_of(&response);
    if response.status() == StatusCode::PARTIAL_CONTENT
        && let Some((range, Some(size))) = content_range(response.headers())
        && range == (0..1)
    {
        return Ok(Offer { size: Some(size), ranges: true, tag });
    }
    let refuses = response.headers().get(ACCEPT_RANGES).is_some_and(|ranges| ranges == "none");
    tracing::debug!(refuses, "the server sends whole files only");
    let length = response.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    let size = length.filter(|_| response.status() == StatusCode::OK);
    Ok(Offer { size, ranges: false, tag })
}

fn insert(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

/// `bytes 0-9/100`; the total may be unknown.
fn content_range(headers: &HeaderMap) -> Option<(Range<u64>, Option<u64>)> {
    let text = headers.get(CONTENT_RANGE)?.to_str().ok()?.strip_prefix("bytes ")?;
    let (range, total) = text.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let range = first.trim().parse().ok()?..last.trim().parse::<u64>().ok()?.checked_add(1)?;
    let total = if total.trim() == "*" { None } else { Some(total.trim().parse().ok()?) };
    Some((range, total))
}

/// A weak tag does not promise the same bytes, so it is none.
fn tag_of(response: &Response) -> Option<String> {
    let header = |name: HeaderName| response.headers().get(name)?.to_str().ok().map(str::to_owned);
    header(ETAG).filter(|tag| !tag.starts_with("W/")).or_else(|| header(LAST_MODIFIED))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_content_range_is_read_or_refused() {
        let check = |text: &str, expected: Option<(Range<u64>, Option<u64>)>| {
            let mut headers = HeaderMap::new();
            insert(&mut headers, CONTENT_RANGE, text);
            assert_eq!(content_range(&headers), expected, "{text}");
        };
        check("bytes 0-0/100", Some((0..1, Some(100))));
        check("bytes 5-9/*", Some((5..10, None)));
        check("bytes */100", None);
        check("bytes 5/100", None);
        check("items 0-1/2", None);
        check("bytes 0-18446744073709551615/1", None);
        check("", None);
    }
}
