//! Model servers that are already there. Only this machine's loopback and addresses of the settings are looked
//! at; looking reads lists and changes nothing, loads nothing and sends no text of anybody.

mod classify;

use std::time::{Duration, Instant};

use edgecoder_base::Secret;
use futures::StreamExt;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use classify::ServerKind;

use crate::http::Server;
use crate::switch::millis;

/// A server of this machine answers much sooner; one that does not is as good as not there.
const WITHIN: Duration = Duration::from_millis(800);
/// Places looked at side by side.
const SIDE_BY_SIDE: usize = 8;
/// Most models told of one server.
const MAX_MODELS: usize = 200;

/// Where the usual servers listen on the machine they run on.
pub const USUAL_PLACES: [&str; 4] =
    ["http://127.0.0.1:11434", "http://127.0.0.1:1234", "http://127.0.0.1:8080", "http://127.0.0.1:8000"];

/// A place to look at.
#[derive(Debug, Clone)]
pub struct Place {
    /// With or without `/v1` at its end.
    pub url: String,
    /// Sent as bearer token; only ever to a place of the settings.
    pub api_key: Option<Secret<String>>,
    /// Whether the settings name it. Such a place is told also when nothing answers there.
    pub configured: bool,
}

impl Place {
    /// A place nobody named.
    pub fn usual(url: &str) -> Self {
        Self { url: url.to_owned(), api_key: None, configured: false }
    }
}

/// What was found at a place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// The server's root, without `/v1`.
    pub url: String,
    /// What it is; absent when nothing we know answers there.
    pub kind: Option<ServerKind>,
    /// Its version, where it tells.
    pub version: Option<String>,
    /// Names of its models.
    pub models: Vec<String>,
    /// Time it took to answer, milliseconds.
    pub answered_ms: Option<u64>,
    /// Why it is of no use, when it is not.
    pub trouble: Option<String>,
}

/// Looks at all places side by side. Takes no longer than the slowest bound, and fails never.
pub async fn discover(places: Vec<Place>) -> Vec<Found> {
    let mut unique: Vec<Place> = Vec::new();
    for place in places {
        let url = root(&place.url).to_owned();
        match unique.iter_mut().find(|known| same_place(&known.url, &url)) {
            // What the settings say of a place counts more.
            Some(known) if place.configured => *known = Place { url, ..place },
            Some(_) => {}
            None => unique.push(Place { url, ..place }),
        }
    }
    let looks = unique.into_iter().map(look);
    let found: Vec<Option<Found>> = futures::stream::iter(looks).buffered(SIDE_BY_SIDE).collect().await;
    found.into_iter().flatten().collect()
}

fn root(url: &str) -> &str {
    let url = url.trim_end_matches('/');
    url.strip_suffix("/v1").unwrap_or(url)
}

fn same_place(one: &str, other: &str) -> bool {
    let plain = |url: &str| url.replace("://localhost", "://127.0.0.1").to_ascii_lowercase();
    plain(one) == plain(other)
}

async fn look(place: Place) -> Option<Found> {
    let configured = place.configured;
    let mut found = Found {
        url: place.url.clone(),
        kind: None,
        version: None,
        models: Vec::new(),
        answered_ms: None,
        trouble: None,
    };
    let server = match Server::new(&place.url, place.api_key, WITHIN) {
        Ok(server) => server,
        Err(error) => {
            found.trouble = Some(error.to_string());
            return configured.then_some(found);
        }
    };
    let since = Instant::now();
    let answers = async {
        let ask = async |path: &str| server.json::<Value>(server.get(path)).await;
        tokio::join!(
            ask("/v1/models"),
            ask("/api/version"),
            ask("/api/tags"),
            ask("/api/v0/models"),
            ask("/props"),
            ask("/version")
        )
    };
    let (models, ollama, tags, lm_studio, props, version) = answers.await;
    let why = models.as_ref().err().map(ToString::to_string);
    let answers = classify::Answers {
        models: models.ok(),
        ollama_version: ollama.ok(),
        tags: tags.ok(),
        lm_studio: lm_studio.ok(),
        props: props.ok(),
        version: version.ok(),
    };
    found.kind = answers.kind();
    if found.kind.is_none() {
        found.trouble = Some(why.unwrap_or_else(|| "it answers, but is no model server we know".to_owned()));
        return configured.then_some(found);
    }
    found.version = answers.told_version();
    found.models = answers.names();
    found.models.truncate(MAX_MODELS);
    found.answered_ms = Some(millis(since.elapsed()));
    if found.models.is_empty() {
        found.trouble = Some("it has no model yet".to_owned());
    }
    Some(found)
}
