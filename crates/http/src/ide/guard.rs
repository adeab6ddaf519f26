//! Who may use a door on one's own machine: programs there, and nobody's web page. A page cannot choose its `Host`, its
//! `Origin` or `Sec-Fetch-Site`; a name that was rebound to this machine still stands in `Host`.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, HOST, ORIGIN, VARY,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use edgecoder_protocol::ErrorCode;

use super::Config;
use crate::Error;
use crate::auth::shown_tokens;
use crate::token::Token;

/// Where agents speak MCP. Its tools read and write files in the owner's name, so the token is asked for always:
/// loopback is open to every account of a machine.
pub(super) const MCP: &str = "/mcp";
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
/// Where Anthropic's clients put their key.
const API_KEY: &str = "x-api-key";
/// Headers that pages of allowed origins may send: what the vendors' own browser clients do.
const ALLOWED_HEADERS: &str = "authorization, content-type, x-api-key, anthropic-version, anthropic-beta, \
     openai-beta, openai-organization, openai-project, accept, last-event-id, mcp-protocol-version, mcp-session-id, \
     mcp-method, mcp-name";

/// Whether a path asks for the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    /// Who looks after processes has no token; what is told there is no secret.
    Never,
    AsConfigured,
    Always,
}

impl Asked {
    fn by(method: &Method, path: &str) -> Self {
        match path {
            _ if method == Method::OPTIONS => Self::Never,
            "/health" | "/metrics" | "/openapi.json" => Self::Never,
            MCP => Self::Always,
            _ if path.starts_with(super::chat::PREFIX) => Self::Always,
            _ => Self::AsConfigured,
        }
    }
}

/// What is checked.
#[derive(Debug)]
pub(super) struct Guard {
    token: Token,
    token_required: bool,
    hosts: Vec<String>,
    origins: Vec<String>,
}

impl Guard {
    pub(super) fn new(config: &Config) -> Self {
        Self {
            token: Token::new(&config.token),
            token_required: config.token_required,
            hosts: config.hosts.iter().map(|host| host.to_ascii_lowercase()).collect(),
            origins: config.origins.clone(),
        }
    }

    fn lets_in(&self, headers: &HeaderMap, token: Asked) -> Result<(), Error> {
        let host = text(headers, &HOST);
        if !host.is_some_and(|host| self.is_ours(host)) {
            return Err(foreign("the `Host` header names no address of this door"));
        }
        match text(headers, &ORIGIN) {
            Some(origin) if self.allows(origin, host) => {}
            Some(_) => return Err(foreign("pages of this origin may not use this door")),
            None if headers.contains_key(ORIGIN) => return Err(foreign("the origin is not readable")),
            None => self.no_page(headers)?,
        }
        let known = || shown_tokens(headers, API_KEY).any(|shown| self.token.is(shown));
        let asked = match token {
            Asked::Never => false,
            Asked::AsConfigured => self.token_required,
            Asked::Always => true,
        };
        if !asked || known() {
            return Ok(());
        }
        Err(Error::new(ErrorCode::IdeUnauthorized, "the token of this door is missing or wrong"))
    }

    /// Requests of pages without an origin: images, scripts, forms of old browsers.
    fn no_page(&self, headers: &HeaderMap) -> Result<(), Error> {
        match text(headers, &FETCH_SITE) {
            None | Some("none" | "same-origin") => Ok(()),
            Some(_) => Err(foreign("pages of other origins may not use this door")),
        }
    }

    /// Names of this machine, addresses, and what the settings name. An address cannot be rebound.
    fn is_ours(&self, host: &str) -> bool {
        let name = without_port(host).to_ascii_lowercase();
        let bare = name.trim_start_matches('[').trim_end_matches(']');
        name == "localhost" || bare.parse::<IpAddr>().is_ok() || self.hosts.contains(&name)
    }

    /// Origins of the settings, and the door's own pages.
    fn allows(&self, origin: &str, host: Option<&str>) -> bool {
        let own = host.is_some_and(|host| origin.strip_prefix("http://") == Some(host));
        own || self.origins.iter().any(|allowed| allowed == origin)
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let only = values.next()?;
    // Two of them: whoever sends that wants one to be overlooked.
    if values.next().is_some() { None } else { only.to_str().ok() }
}

/// `[::1]:4304`, `localhost:4304`, `localhost`.
fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.chars().all(|c| c.is_ascii_digit()) && !name.is_empty() => {
            if name.contains(':') && !name.ends_with(']') { host } else { name }
        }
        _ => host,
    }
}

fn foreign(words: &str) -> Error {
    Error::new(ErrorCode::ForeignPage, words)
}

/// The layer.
pub(super) async fn guard(State(guard): State<Arc<Guard>>, request: Request, next: Next) -> Response {
    let preflight = request.method() == Method::OPTIONS;
    let asked = Asked::by(request.method(), request.uri().path());
    if let Err(error) = guard.lets_in(request.headers(), asked) {
        return error.into_response();
    }
    let origin = request.headers().get(ORIGIN).cloned();
    let mut response = match (&origin, preflight) {
        (Some(_), true) => StatusCode::NO_CONTENT.into_response(),
        _ => next.run(request).await,
    };
    if let Some(origin) = origin {
        let headers = response.headers_mut();
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(VARY, HeaderValue::from_static("origin"));
        headers.insert(
            ACCESS_CONTROL_EXPOSE_HEADERS,
            HeaderValue::from_static("x-edgecoder-route, x-request-id"),
        );
        if preflight {
            headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST, DELETE"));
            headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(ALLOWED_HEADERS));
            headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
        }
    }
    response
}

#[cfg(test)]
mod tests {
    use edgecoder_base::Secret;

    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    #[track_caller]
    fn check(guard: &Guard, pairs: &[(&'static str, &str)], expected: Option<ErrorCode>) {
        let outcome = guard.lets_in(&headers(pairs), Asked::AsConfigured).err().map(|error| error.code);
        assert_eq!(outcome, expected, "{pairs:?}");
    }

    #[test]
    fn programs_of_this_machine_enter_and_pages_do_not() {
        let config = Config {
            hosts: vec!["Box.lan".to_owned()],
            origins: vec!["tauri://localhost".to_owned()],
            ..Config::default()
        };
        let guard = Guard::new(&config);
        let foreign = Some(ErrorCode::ForeignPage);
        for host in
            ["localhost:4304", "127.0.0.1:4304", "[::1]:4304", "[::1]", "LOCALHOST", "box.lan:1", "::1"]
        {
            check(&guard, &[("host", host)], None);
        }
        for host in
            ["evil.example:4304", "localhost.evil.example", "", "127.0.0.1.nip.io", "localhost:4304:1x"]
        {
            check(&guard, &[("host", host)], foreign);
        }
        check(&guard, &[], foreign);
        check(&guard, &[("host", "localhost"), ("host", "evil.example")], foreign);
        let here = ("host", "localhost:4304");
        for (pair, expected) in [
            (("origin", "https://evil.example"), foreign),
            (("origin", "null"), foreign),
            (("origin", "http://localhost:3000"), foreign),
            (("origin", "http://localhost:4304"), None),
            (("origin", "tauri://localhost"), None),
            (("sec-fetch-site", "cross-site"), foreign),
            (("sec-fetch-site", "same-site"), foreign),
            (("sec-fetch-site", "none"), None),
            (("sec-fetch-site", "same-origin"), None),
        ] {
            check(&guard, &[here, pair], expected);
        }
    }

    #[test]
    fn where_a_token_is_required_only_the_token_opens() {
        let token = Secret::new("secret".to_owned());
        let guard = Guard::new(&Config { token, token_required: true, ..Config::default() });
        let here = ("host", "10.0.0.7:4304");
        let closed = Some(ErrorCode::IdeUnauthorized);
        check(&guard, &[here], closed);
        check(&guard, &[here, ("authorization", "Bearer wrong")], closed);
        check(&guard, &[here, ("authorization", "Bearer secret")], None);
        check(&guard, &[here, ("x-api-key", "secret")], None);
        let unset = Guard::new(&Config { token_required: true, ..Config::default() });
        check(&unset, &[here, ("authorization", "Bearer ")], closed);
    }
}
