//! HTTP as far as downloads need it. Redirects are followed by us, so that credentials stay with the host they were
//! meant for and nobody is led from the world into this machine.

use std::time::Duration;

use edgecoder_base::Secret;
use reqwest::header::{
    ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, HeaderMap, HeaderValue, LOCATION, RETRY_AFTER,
};
use reqwest::{Client, Response, StatusCode, Url};
use serde::de::DeserializeOwned;

use crate::catalog::error::{CatalogError, quoted};

/// A server that does not take the connection by then is not there.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);
/// Redirects that are followed.
const MAX_HOPS: usize = 8;
/// Longest list or document that is read, bytes. Lists of large repositories have some hundred kilobytes.
const MAX_DOCUMENT_BYTES: usize = 8 << 20;

/// One thing on a server.
#[derive(Debug, Clone)]
pub(crate) struct Remote {
    pub(crate) url: Url,
    /// Sent to the host of `url` only.
    pub(crate) bearer: Option<Secret<String>>,
}

impl Remote {
    /// Host and port, for messages.
    pub(crate) fn host(&self) -> String {
        let host = self.url.host_str().unwrap_or_default();
        self.url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }

    /// The address without its query, which may hold a signature.
    pub(crate) fn shown(&self) -> String {
        let mut url = self.url.clone();
        url.set_query(None);
        quoted(url.as_str())
    }
}

/// Why a request did not bring what was asked for.
#[derive(Debug)]
pub(crate) enum Fault {
    /// May go well next time.
    Passing {
        reason: String,
        /// How long the server asks us to stay away.
        after: Option<Duration>,
    },
    /// Will not.
    Lasting(CatalogError),
    /// The server sends whole files only.
    NoRanges,
    /// The server's file is another one now.
    Changed,
}

impl Fault {
    pub(super) fn passing(reason: impl Into<String>) -> Self {
        Self::Passing { reason: reason.into(), after: None }
    }

    /// The error it is when nobody tries again.
    pub(crate) fn into_error(self, remote: &Remote) -> CatalogError {
        match self {
            Self::Passing { reason, .. } => CatalogError::Unreachable { host: remote.host(), reason },
            Self::Lasting(error) => error,
            Self::NoRanges | Self::Changed => CatalogError::Changing { url: remote.shown() },
        }
    }
}

/// The client.
#[derive(Debug, Clone)]
pub(crate) struct Web {
    outside: Client,
    /// What runs on this machine is never asked through a proxy of the environment.
    here: Client,
    silence: Duration,
}

impl Web {
    pub(crate) fn new(silence: Duration) -> Result<Self, CatalogError> {
        let builder = || {
            Client::builder()
                .connect_timeout(CONNECT_WITHIN.min(silence))
                .redirect(reqwest::redirect::Policy::none())
                .user_agent(concat!("edgecoder/", env!("CARGO_PKG_VERSION")))
        };
        let unusable =
            |error: reqwest::Error| CatalogError::Answer { host: "the web".into(), reason: cause(&error) };
        let outside = builder().build().map_err(unusable)?;
        let here = builder().no_proxy().build().map_err(unusable)?;
        Ok(Self { outside, here, silence })
    }

    /// The head of the answer at the end of all redirects, whatever its status.
    pub(crate) async fn get(&self, remote: &Remote, headers: HeaderMap) -> Result<Response, Fault> {
        let mut url = remote.url.clone();
        for _ in 0..MAX_HOPS {
            let client = if is_here(&url) { &self.here } else { &self.outside };
            let mut request = client.get(url.clone()).headers(headers.clone());
            request = request.header(ACCEPT_ENCODING, "identity");
            if let Some(bearer) = remote.bearer.as_ref().filter(|_| same_host(&url, &remote.url)) {
                let value = HeaderValue::try_from(format!("Bearer {}", bearer.expose()));
                let mut value = value.map_err(|_| lasting(remote, "the token cannot be sent in a header"))?;
                value.set_sensitive(true);
                request = request.header(AUTHORIZATION, value);
            }
            let response = self.within(request.send()).await??;
            if !is_redirect(response.status()) {
                return Ok(response);
            }
            let to = response.headers().get(LOCATION).and_then(|to| to.to_str().ok());
            url = next_hop(&url, to).map_err(|reason| lasting(remote, reason))?;
        }
        Err(lasting(remote, "it redirects in circles"))
    }

    /// A successful answer; every other status becomes the fault it is.
    pub(crate) async fn get_ok(&self, remote: &Remote, headers: HeaderMap) -> Result<Response, Fault> {
        let response = self.get(remote, headers).await?;
        let status = response.status();
        let encoded = response.headers().get(CONTENT_ENCODING).is_some_and(|how| how != "identity");
        match status {
            _ if encoded => Err(lasting(remote, "it compresses the file although nobody asked")),
            _ if status.is_success() => Ok(response),
            StatusCode::RANGE_NOT_SATISFIABLE => Err(Fault::Changed),
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS => {
                Err(passing_status(&response))
            }
            _ if status.is_server_error() => Err(passing_status(&response)),
            StatusCode::NOT_FOUND | StatusCode::GONE => {
                Err(Fault::Lasting(CatalogError::Absent { what: remote.shown() }))
            }
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                let fix = if remote.bearer.is_some() {
                    "the token is not accepted there, or its owner has not agreed to the model's terms"
                } else {
                    "it may be misspelt, or it needs a token (HF_TOKEN) whose owner agreed to the model's terms"
                };
                Err(Fault::Lasting(CatalogError::Closed {
                    url: remote.shown(),
                    status: status.as_u16(),
                    fix,
                }))
            }
            _ => Err(lasting(remote, &format!("HTTP status {}", status.as_u16()))),
        }
    }

    /// The next bytes of a body; `None` at its end.
    pub(crate) async fn chunk(&self, response: &mut Response) -> Result<Option<Vec<u8>>, Fault> {
        Ok(self.within(response.chunk()).await??.map(Vec::from))
    }

    /// A short document.
    pub(crate) async fn document(
        &self,
        remote: &Remote,
        headers: HeaderMap,
    ) -> Result<(HeaderMap, Vec<u8>), Fault> {
        let mut response = self.get_ok(remote, headers).await?;
        let mut body = Vec::new();
        while let Some(chunk) = self.chunk(&mut response).await? {
            body.extend_from_slice(&chunk);
            if body.len() > MAX_DOCUMENT_BYTES {
                return Err(lasting(remote, "the answer has no end"));
            }
        }
        Ok((response.headers().clone(), body))
    }

    /// A short document as JSON, with the head it came with.
    pub(crate) async fn json<T: DeserializeOwned>(
        &self,
        remote: &Remote,
        headers: HeaderMap,
    ) -> Result<(HeaderMap, T), Fault> {
        let (headers, body) = self.document(remote, headers).await?;
        let value = serde_json::from_slice(&body)
            .map_err(|error| lasting(remote, &format!("not the expected JSON ({error})")))?;
        Ok((headers, value))
    }

    async fn within<T>(
        &self,
        asked: impl Future<Output = reqwest::Result<T>>,
    ) -> Result<Result<T, Fault>, Fault> {
        match tokio::time::timeout(self.silence, asked).await {
            Ok(answer) => Ok(answer.map_err(|error| Fault::passing(cause(&error)))),
            Err(_) => Err(Fault::passing(format!("silent for {} ms", self.silence.as_millis()))),
        }
    }
}

fn lasting(remote: &Remote, reason: &str) -> Fault {
    Fault::Lasting(CatalogError::Answer { host: remote.host(), reason: reason.to_owned() })
}

fn passing_status(response: &Response) -> Fault {
    let seconds =
        response.headers().get(RETRY_AFTER).and_then(|after| after.to_str().ok()?.trim().parse().ok());
    let reason = format!("HTTP status {}", response.status().as_u16());
    Fault::Passing { reason, after: seconds.map(Duration::from_secs) }
}

const fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

fn same_host(a: &Url, b: &Url) -> bool {
    a.scheme() == b.scheme() && a.host() == b.host() && a.port_or_known_default() == b.port_or_known_default()
}

/// Whether the address is one of this machine.
pub(crate) fn is_here(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
    address.map_or(host == "localhost", |address| address.is_loopback() || address.is_unspecified())
}

fn next_hop(from: &Url, to: Option<&str>) -> Result<Url, &'static str> {
    let to = to.and_then(|to| from.join(to).ok()).ok_or("it redirects to nowhere")?;
    match (from.scheme(), to.scheme()) {
        ("https", "https") | ("http", "http" | "https") => {}
        _ => return Err("it redirects to an unprotected address"),
    }
    if is_here(&to) && !is_here(from) { Err("it redirects into this machine") } else { Ok(to) }
}

/// reqwest's own text repeats the address; the cause below it says what happened.
fn cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(below) = cause.source() {
        cause = below;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_lead_neither_down_nor_inside() {
        let check = |from: &str, to: Option<&str>, expected: Result<&str, &str>| {
            let found = next_hop(&Url::parse(from).unwrap(), to);
            assert_eq!(found.as_ref().map(Url::as_str).map_err(|e| *e), expected, "{from} {to:?}");
        };
        check("https://a/x", Some("/y"), Ok("https://a/y"));
        check("https://a/x", Some("https://cdn/y?s=1"), Ok("https://cdn/y?s=1"));
        check("http://127.0.0.1:1/x", Some("http://127.0.0.1:2/y"), Ok("http://127.0.0.1:2/y"));
        check("https://a/x", Some("http://a/x"), Err("it redirects to an unprotected address"));
        check("https://a/x", Some("file:///etc/passwd"), Err("it redirects to an unprotected address"));
        check("http://a/x", Some("http://127.0.0.1/y"), Err("it redirects into this machine"));
        check("http://a/x", Some("http://[::1]/y"), Err("it redirects into this machine"));
        check("http://a/x", Some("http://localhost/y"), Err("it redirects into this machine"));
        check("https://a/x", None, Err("it redirects to nowhere"));
    }

    #[test]
    fn a_token_belongs_to_one_host() {
        let check = |a: &str, b: &str, expected: bool| {
            assert_eq!(same_host(&Url::parse(a).unwrap(), &Url::parse(b).unwrap()), expected, "{a} {b}");
        };
        check("https://a/x", "https://a:443/y", true);
        check("https://a/x", "https://b/x", false);
        check("https://a/x", "https://a:444/x", false);
        check("https://a/x", "http://a/x", false);
        check("https://a/x", "https://a.evil/x", false);
    }
}
