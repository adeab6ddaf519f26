//! Models by name: find, pull, verify, choose, remove. Talks to hubs and to one directory; loads nothing.
//!
//! ```text
//! Source ─► Policy (operator's manifest) ─► resolve (hub) ─► download ─► SHA-256 ─► GGUF header ─► ModelStore
//! ```
//!
//! **Invariants.** A name stands for a whole, checked file or for nothing. With operator keys configured nothing is
//! installed, chosen or verified that the signed manifest does not list. Every refusal says which rule and what to do.

pub mod digest;
pub mod error;
pub mod gguf;
mod hub;
pub mod known;
pub mod name;
mod ollama;
pub mod policy;
pub mod progress;
mod pull;
mod resolve;
pub mod source;
pub mod store;
pub mod suggest;

use std::path::PathBuf;
use std::sync::Arc;

use edgecoder_base::{Clock, Secret};
use reqwest::Url;
use reqwest::header::HeaderMap;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

pub use digest::Digest;
pub use error::CatalogError;
pub use gguf::Card;
pub use hub::Found;
pub use known::{Known, known};
pub use name::ModelName;
pub use policy::{OperatorConfig, Policy};
pub use progress::{PullProgress, PullStatus};
pub use source::{Pick, Source};
pub use store::{Installed, ModelStore};
pub use suggest::{Fit, Machine, Speed, Suggestion, suggest};

use crate::download::disk::Disk;
use crate::download::web::{Remote, Web};
use crate::download::{DownloadConfig, Downloader, hash_file, retried};
use progress::Meter;
use resolve::Hubs;

/// Hugging Face's own address.
pub const HUGGING_FACE: &str = "https://huggingface.co";
/// The Ollama registry's own address.
pub const OLLAMA: &str = "https://registry.ollama.ai";

/// Where models lie and whom to ask.
#[derive(Debug, Clone)]
pub struct CatalogConfig {
    /// The directory of models.
    pub dir: PathBuf,
    /// Address of Hugging Face, or of a mirror that speaks its form.
    pub hugging_face: String,
    /// Sent to that address as bearer token.
    pub hugging_face_token: Option<Secret<String>>,
    /// Address of the Ollama registry, or of a mirror.
    pub ollama: String,
    /// The operator's rules.
    pub operator: OperatorConfig,
    /// Bounds of downloads.
    pub download: DownloadConfig,
}

impl CatalogConfig {
    /// The public hubs, no operator, the usual bounds.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            hugging_face: HUGGING_FACE.to_owned(),
            hugging_face_token: None,
            ollama: OLLAMA.to_owned(),
            operator: OperatorConfig::default(),
            download: DownloadConfig::default(),
        }
    }
}

/// What to pull.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PullRequest {
    /// From where.
    pub source: Source,
    /// Under which name; the file's own when none is given.
    pub name: Option<ModelName>,
    /// The content, where the person knows it.
    pub sha256: Option<Digest>,
}

impl PullRequest {
    /// Reads what a person typed: a source, or the short name of a well-known model.
    pub fn parse(text: &str) -> Result<Self, CatalogError> {
        let source = match known::source_of(text) {
            Some(source) => source,
            None => text.parse()?,
        };
        Ok(Self { source, name: None, sha256: None })
    }
}

/// The models of this machine and the way to more of them.
#[derive(Debug)]
pub struct Catalog {
    store: ModelStore,
    downloader: Downloader,
    hubs: Hubs,
    operator: OperatorConfig,
    meter: Meter,
    clock: Clock,
}

impl Catalog {
    /// A catalogue over `config.dir`; contacts nobody and writes nothing yet.
    pub fn build(config: CatalogConfig, disk: Arc<dyn Disk>, clock: Clock) -> Result<Self, CatalogError> {
        let store = ModelStore::new(config.dir);
        let web = Web::new(config.download.silence)?;
        let hugging_face =
            Remote { url: hub_address(&config.hugging_face)?, bearer: config.hugging_face_token };
        let ollama = Remote { url: hub_address(&config.ollama)?, bearer: None };
        let dir = store.partial();
        Ok(Self {
            store,
            downloader: Downloader { config: config.download, web, disk, dir },
            hubs: Hubs { hugging_face, ollama },
            operator: config.operator,
            meter: Meter::new(),
            clock,
        })
    }

    /// The installed models.
    pub const fn store(&self) -> &ModelStore {
        &self.store
    }

    /// The latest of the running pull; a receiver sees every change it is quick enough for.
    pub fn events(&self) -> watch::Receiver<PullProgress> {
        self.meter.seen()
    }

    /// Installs a model. Stopped or failed, the same call goes on where it ended.
    pub async fn pull(
        &self,
        request: &PullRequest,
        cancel: &CancellationToken,
    ) -> Result<Installed, CatalogError> {
        let wanted = request.name.as_ref().map_or_else(|| request.source.to_string(), ToString::to_string);
        self.meter.begin(&wanted, (self.clock)());
        let outcome = pull::run(self, request, cancel).await;
        self.meter.end(&outcome);
        outcome
    }

    /// Reads a model's file again: SHA-256, header, and the operator's rules.
    pub async fn verify(
        &self,
        name: &ModelName,
        cancel: &CancellationToken,
    ) -> Result<Installed, CatalogError> {
        let model = self.store.get(name)?;
        if let Some(policy) = self.policy().await? {
            policy.check_content(&model.sha256)?;
        }
        self.meter.begin(name.as_str(), (self.clock)());
        self.meter.total(model.size_bytes, 0);
        let path = self.store.path_of(&model.sha256);
        let (meter, cancel) = (self.meter.clone(), cancel.clone());
        let hashing = hash_file(path.clone(), move |read| {
            meter.verifying(read);
            !cancel.is_cancelled()
        });
        let outcome = match hashing.await {
            Ok(found) if found != model.sha256 => {
                Err(CatalogError::Mismatch { expected: model.sha256, found })
            }
            Ok(_) => gguf::read_file(&path).map(|_| model),
            Err(error) => Err(error),
        };
        self.meter.end(&outcome);
        outcome
    }

    /// Makes a model the one that the node uses from its next start.
    pub async fn choose(&self, name: &ModelName) -> Result<Installed, CatalogError> {
        if let Some(policy) = self.policy().await? {
            policy.check_content(&self.store.get(name)?.sha256)?;
        }
        self.store.choose(name)
    }

    /// Repositories of Hugging Face with GGUF files.
    pub async fn search(&self, query: &str, limit: u32) -> Result<Vec<Found>, CatalogError> {
        let base = &self.hubs.hugging_face;
        let asking = || hub::search(&self.downloader.web, base, query, limit);
        // A person waits: one try more than one is enough.
        let config = DownloadConfig { attempts: 2, ..self.downloader.config.clone() };
        retried(&config, asking).await.map_err(|fault| fault.into_error(base))
    }

    /// The operator's rules, freshly read and checked; none without operator keys.
    pub async fn policy(&self) -> Result<Option<Policy>, CatalogError> {
        if self.operator.keys.is_empty() {
            return Ok(None);
        }
        let untrusted = |reason: String| CatalogError::Manifest { reason };
        let place = self.operator.manifest.as_deref();
        let place =
            place.ok_or_else(|| untrusted("operator keys are set, but no manifest is named".to_owned()))?;
        let document = self.document(place).await.map_err(|error| untrusted(format!("{place}: {error}")))?;
        let beside = format!("{place}.sig");
        let signature =
            self.document(&beside).await.map_err(|error| untrusted(format!("{beside}: {error}")))?;
        let signature = String::from_utf8_lossy(&signature);
        Policy::verified(&document, &signature, &self.operator.keys, (self.clock)()).map(Some)
    }

    /// A short file, here or elsewhere.
    async fn document(&self, place: &str) -> Result<Vec<u8>, CatalogError> {
        if !place.starts_with("https://") && !place.starts_with("http://") {
            return std::fs::read(place).map_err(CatalogError::io("read", place));
        }
        let remote = Remote { url: hub_address(place)?, bearer: None };
        let asking = || self.downloader.web.document(&remote, HeaderMap::new());
        let answer = retried(&self.downloader.config, asking).await;
        answer.map(|(_, body)| body).map_err(|fault| fault.into_error(&remote))
    }
}

fn hub_address(text: &str) -> Result<Url, CatalogError> {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    url.ok_or_else(|| CatalogError::Source {
        text: error::quoted(text),
        reason: "a hub's address begins with https://",
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::download::disk::LocalDisk;
    use edgecoder_base::Timestamp;

    /// Whoever pulls for a door does so on any thread.
    #[test]
    fn a_pull_may_run_on_any_thread() {
        fn movable<T: Send>(_: T) {}
        let home = tempfile::tempdir().unwrap();
        let clock = || Timestamp::from_millis(0);
        let catalog = Catalog::build(CatalogConfig::new(home.path()), Arc::new(LocalDisk), clock).unwrap();
        let (request, cancel) = (PullRequest::parse("hf:a/b").unwrap(), CancellationToken::new());
        movable(catalog.pull(&request, &cancel));
        movable(catalog.search("x", 1));
        movable(catalog.verify(&"x".parse().unwrap(), &cancel));
    }
}
