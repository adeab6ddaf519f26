//! One HTTP client with the house's manners: keep-alive, time limits, no redirects, no proxy from the
//! environment, bounded answers, and error bodies turned into [`Error`].

use std::error::Error as _;
use std::time::Duration;

use edgecoder_protocol::api::error::ErrorBody;
use reqwest::{Client, RequestBuilder, Response, Url};
use serde::de::DeserializeOwned;

use crate::Error;

/// A LAN peer that takes longer to accept a connection is as good as gone.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Time for a request that does not ask the other side to wait (`COORDINATOR_HTTP_TIMEOUT_MS`).
pub(crate) const ANSWER_TIMEOUT: Duration = Duration::from_secs(15);
/// Time for moving one large body: 64 MiB at 1 MiB/s, with room.
pub(crate) const TRANSFER_TIMEOUT: Duration = Duration::from_secs(120);
/// Connections kept open per host: a worker waits on a pull and a heartbeat while it moves blobs.
const IDLE_CONNECTIONS: usize = 8;
/// How long one is kept unused: half of what a door allows, so that none is taken up while it is being closed.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// Largest JSON answer: a page of 1,000 ledger records with their payloads fits several times.
pub(crate) const MAX_JSON_BYTES: usize = 16 * 1024 * 1024;
/// Largest error body read, and how much of a foreign one is shown.
const MAX_ERROR_BYTES: usize = 64 * 1024;
const SHOWN_CHARS: usize = 200;

/// A client bound to one node's address.
#[derive(Debug, Clone)]
pub(crate) struct Wire {
    http: Client,
    base: Url,
}

impl Wire {
    pub(crate) fn build(url: &str) -> Result<Self, Error> {
        let wrong = || Error::Address { url: url.to_owned() };
        let base = Url::parse(url).map_err(|_| wrong())?;
        if !matches!(base.scheme(), "http" | "https") || base.host_str().is_none() {
            return Err(wrong());
        }
        let http = Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .pool_max_idle_per_host(IDLE_CONNECTIONS)
            .pool_idle_timeout(IDLE_TIMEOUT)
            .user_agent(concat!("edgecoder/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(Error::Client)?;
        Ok(Self { http, base })
    }

    pub(crate) const fn http(&self) -> &Client {
        &self.http
    }

    /// The address of `path` (which starts with `/`) below the base address.
    pub(crate) fn url(&self, path: &str) -> Url {
        let mut url = self.base.clone();
        let prefix = self.base.path().trim_end_matches('/');
        url.set_path(&format!("{prefix}{path}"));
        url
    }

    /// Where this client speaks to, without credentials that the address may carry.
    pub(crate) fn shown(&self) -> String {
        self.base.origin().ascii_serialization()
    }

    /// Sends and insists on success; the body is not read yet.
    pub(crate) async fn open(&self, request: RequestBuilder) -> Result<Response, Error> {
        let response = request.send().await.map_err(|error| self.unreachable(&error))?;
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status().as_u16();
        let body = self.read(response, MAX_ERROR_BYTES).await.unwrap_or_default();
        Err(self.refusal(status, &body))
    }

    /// Sends and reads at most `limit` bytes of the answer.
    pub(crate) async fn bytes(&self, request: RequestBuilder, limit: usize) -> Result<Vec<u8>, Error> {
        let response = self.open(request).await?;
        self.read(response, limit).await
    }

    /// Sends and parses the JSON answer.
    pub(crate) async fn json<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, Error> {
        let body = self.bytes(request, MAX_JSON_BYTES).await?;
        serde_json::from_slice(&body).map_err(|error| Error::Protocol(error.to_string()))
    }

    async fn read(&self, mut response: Response, limit: usize) -> Result<Vec<u8>, Error> {
        let declared = response.content_length().and_then(|length| usize::try_from(length).ok()).unwrap_or(0);
        if declared > limit {
            return Err(Error::TooLarge { limit });
        }
        let mut body = Vec::with_capacity(declared);
        while let Some(chunk) = response.chunk().await.map_err(|error| self.unreachable(&error))? {
            if body.len() + chunk.len() > limit {
                return Err(Error::TooLarge { limit });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    fn refusal(&self, status: u16, body: &[u8]) -> Error {
        match serde_json::from_slice::<ErrorBody>(body) {
            Ok(body) => {
                Error::Refused { code: body.code, message: body.message, request_id: body.request_id }
            }
            Err(_) => Error::Status {
                url: self.shown(),
                status,
                text: String::from_utf8_lossy(body).trim().chars().take(SHOWN_CHARS).collect(),
            },
        }
    }

    pub(crate) fn unreachable(&self, error: &reqwest::Error) -> Error {
        Error::Unreachable { url: self.shown(), detail: innermost(error) }
    }
}

/// The last cause of a chain: "connection refused" tells more than "error sending request".
fn innermost(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".to_owned();
    }
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = inner.to_string();
        cause = inner.source();
    }
    text
}
