//! Where models are kept and how they get there: the seam between the owner of the models and the catalogue of
//! files or a server with its own store.

use std::fmt;
use std::time::Duration;

use edgecoder_inference::discover::{Found, ServerKind};
use edgecoder_inference::{Driven, Error, Ollama};
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt};

use super::spec::{EngineSpec, Provider};

/// Longest silence of a store that is asked for its list, and of a fetch. The list is asked for often.
const LIST_SILENCE: Duration = Duration::from_secs(3);
const PULL_SILENCE: Duration = Duration::from_secs(120);

/// Builds the engine of a spec; contacts and loads nothing.
pub trait EngineMaker: Send + Sync + fmt::Debug {
    /// The engine and what must run for it.
    fn make(&self, spec: &EngineSpec) -> Result<Driven, Error>;
}

/// A model on a shelf, or one that could be fetched to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShelfModel {
    /// The model and who would run it.
    pub spec: EngineSpec,
    /// Like `7.6B`, where known.
    pub parameters: Option<String>,
    /// Like `Q4_K_M`, where known.
    pub quantization: Option<String>,
    /// Its size on the disk, bytes.
    pub bytes: Option<u64>,
    /// Whether it is there.
    pub installed: bool,
    /// Whether it can be removed from here.
    pub removable: bool,
    /// Whether it has the place of the engine.
    pub active: bool,
}

impl ShelfModel {
    /// A model about which nothing more is known than that it is there.
    pub const fn of(spec: EngineSpec) -> Self {
        Self {
            spec,
            parameters: None,
            quantization: None,
            bytes: None,
            installed: true,
            removable: false,
            active: false,
        }
    }
}

/// A step of a fetch.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ShelfPullStep {
    /// What is being done, for people.
    pub status: String,
    /// Bytes that arrived.
    pub completed: u64,
    /// Bytes in all, as far as known.
    pub total: u64,
    /// Whether the model is there.
    pub done: bool,
}

/// Steps of a fetch; ends after a step that is `done` or after the first error. Dropping it stops the fetch.
pub type ShelfPull = BoxStream<'static, Result<ShelfPullStep, Error>>;

/// A place where models are kept.
pub trait ModelShelf: Send + Sync + fmt::Debug {
    /// Who runs the models of this shelf, by [`Provider::name`].
    fn provider(&self) -> &str;
    /// What is there, and what is known to be fetchable.
    fn list(&self) -> BoxFuture<'_, Result<Vec<ShelfModel>, Error>>;
    /// Whether a model that is not in the list may be fetchable all the same.
    fn fetches_any(&self) -> bool;
    /// How to run a model of this shelf.
    fn spec(&self, model: &str) -> EngineSpec;
    /// Fetches a model.
    fn pull(&self, model: String) -> BoxFuture<'_, Result<ShelfPull, Error>>;
    /// Removes a model.
    fn remove(&self, model: String) -> BoxFuture<'_, Result<(), Error>>;
}

/// The models of an Ollama.
#[derive(Debug, Clone)]
pub struct OllamaShelf {
    url: String,
    lists: Ollama,
    pulls: Ollama,
}

impl OllamaShelf {
    /// The shelf of the server at `url`; nothing is contacted yet.
    pub fn new(url: &str) -> Result<Self, Error> {
        let lists = Ollama::new(url, LIST_SILENCE)?;
        Ok(Self { url: url.to_owned(), lists, pulls: Ollama::new(url, PULL_SILENCE)? })
    }
}

impl ModelShelf for OllamaShelf {
    fn provider(&self) -> &str {
        ServerKind::Ollama.as_str()
    }

    fn list(&self) -> BoxFuture<'_, Result<Vec<ShelfModel>, Error>> {
        async move {
            let models = self.lists.models().await?;
            let shown = models.into_iter().map(|model| ShelfModel {
                bytes: Some(model.bytes),
                parameters: model.parameters,
                quantization: model.quantization,
                removable: true,
                ..ShelfModel::of(self.spec(&model.name))
            });
            Ok(shown.collect())
        }
        .boxed()
    }

    fn fetches_any(&self) -> bool {
        true
    }

    fn spec(&self, model: &str) -> EngineSpec {
        EngineSpec::server(ServerKind::Ollama, &self.url, model)
    }

    fn pull(&self, model: String) -> BoxFuture<'_, Result<ShelfPull, Error>> {
        async move {
            let steps = self.pulls.pull(&model).await?;
            let step = |step: edgecoder_inference::ollama::PullProgress| ShelfPullStep {
                status: step.status,
                completed: step.completed,
                total: step.total,
                done: step.done,
            };
            Ok(steps.map(move |told| told.map(step)).boxed())
        }
        .boxed()
    }

    fn remove(&self, model: String) -> BoxFuture<'_, Result<(), Error>> {
        async move { self.pulls.remove(&model).await }.boxed()
    }
}

/// The models of a server that has no shelf of its own here.
pub(super) fn of_server(found: &Found) -> Vec<ShelfModel> {
    match found.kind {
        None | Some(ServerKind::Ollama) => Vec::new(),
        Some(kind) => {
            let model = |name: &String| {
                ShelfModel::of(EngineSpec {
                    provider: Provider::Server { kind, url: found.url.clone() },
                    model: name.clone(),
                })
            };
            found.models.iter().map(model).collect()
        }
    }
}
