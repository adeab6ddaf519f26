//! Ollama by its own interface, because only there the size of the window can be set and read back. Ollama cuts a
//! prompt that does not fit without a word; here that is an error, found in three ways: the prompt is measured
//! before it is sent, the window the server really opened is read back, and the tokens it says it read are
//! compared with the fewest the prompt can have.

mod address;
mod answer;
mod install;
mod pull;
mod window;
mod wire;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};
use serde_json::{Value, json};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

pub use address::{DEFAULT_URL, host_url};
pub use install::{Installer, install};
pub use pull::{PullProgress, PullStream};
pub use wire::{InstalledModel, same_model};

use crate::capabilities::Features;
use crate::compact::fit;
use crate::engine::estimate_tokens;
use crate::http::Server;
use crate::{
    Capabilities, CompletionRequest, CountRequest, EmbedRequest, Embeddings, Engine, Error, Event,
    EventStream,
};

/// Which server and which of its models.
#[derive(Debug, Clone)]
pub struct OllamaConfig {
    /// As [`host_url`] makes it.
    pub url: String,
    /// The model's name on that server.
    pub model: String,
    /// The window, where the person set one.
    pub context_tokens: Option<u32>,
    /// Bytes the window may take, where the server's memory is known; nothing else bounds it but the model.
    pub window_bytes: Option<u64>,
    /// Requests the server answers at the same time (`OLLAMA_NUM_PARALLEL` there).
    pub slots: u32,
    /// Longest silence, also while a model is loaded or a prompt is being read.
    pub silence: Duration,
}

impl OllamaConfig {
    /// The usual bounds.
    pub fn new(url: impl Into<String>, model: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            model: model.into(),
            context_tokens: None,
            window_bytes: None,
            slots: 1,
            silence: Duration::from_secs(300),
        }
    }
}

/// The server's own business: which models it has, fetching and removing them.
#[derive(Debug, Clone)]
pub struct Ollama {
    server: Server,
}

impl Ollama {
    /// Refuses an address that cannot be one. Nothing is contacted yet.
    pub fn new(url: &str, silence: Duration) -> Result<Self, Error> {
        Ok(Self { server: Server::new(url, None, silence)? })
    }

    /// Its version: also the cheapest question whether it is there.
    pub async fn version(&self) -> Result<String, Error> {
        let answer: wire::Version = self.server.json(self.server.get("/api/version")).await?;
        Ok(answer.version)
    }

    /// The models it has.
    pub async fn models(&self) -> Result<Vec<InstalledModel>, Error> {
        let answer: wire::Tags = self.server.json(self.server.get("/api/tags")).await?;
        Ok(answer.models.into_iter().map(InstalledModel::from).collect())
    }

    /// Fetches a model. Dropping the stream hangs up; what has arrived is kept there and taken up next time.
    pub async fn pull(&self, model: &str) -> Result<PullStream, Error> {
        let post = self.server.post("/api/pull").json(&json!({"model": model, "stream": true}));
        let lines = self.server.lines(post, |status, body| wire::refusal(status, body, model)).await?;
        Ok(pull::progress(lines))
    }

    /// Removes a model.
    pub async fn remove(&self, model: &str) -> Result<(), Error> {
        let delete = self.server.delete("/api/delete").json(&json!({"model": model}));
        self.server.done(delete, |status, body| wire::refusal(status, body, model)).await
    }
}

/// One model of an Ollama as an engine.
#[derive(Debug)]
pub struct OllamaEngine {
    ollama: Ollama,
    config: OllamaConfig,
    /// Windows by model, each read back from the server once. Requests for the same model wait for the first.
    windows: Mutex<BTreeMap<String, Arc<Window>>>,
}

/// The window of one model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Window {
    /// Sent with every request: a model loaded with another window is loaded again.
    num_ctx: u32,
    /// What the server really opened.
    tokens: u32,
}

impl OllamaEngine {
    /// Refuses an address that cannot be one. Nothing is contacted yet.
    pub fn new(config: OllamaConfig) -> Result<Self, Error> {
        let ollama = Ollama::new(&config.url, config.silence)?;
        Ok(Self { ollama, config, windows: Mutex::default() })
    }

    /// The window of `model`, after loading it and reading back what the server made of our wish.
    async fn window(&self, model: &str) -> Result<Arc<Window>, Error> {
        let mut windows = self.windows.lock().await;
        if let Some(known) = windows.get(model) {
            return Ok(Arc::clone(known));
        }
        let server = &self.ollama.server;
        let refusal = |status, body: &str| wire::refusal(status, body, model);
        let shown: Value =
            server.json_or(server.post("/api/show").json(&json!({"model": model})), refusal).await?;
        let shown = window::Shown::read(&shown);
        let num_ctx = window::choose(self.config.context_tokens, &shown, self.config.window_bytes);
        let load = json!({"model": model, "messages": [], "stream": false, "options": {"num_ctx": num_ctx}});
        let _loaded: Value = server.json_or(server.post("/api/chat").json(&load), refusal).await?;
        let running: Value = server.json(server.get("/api/ps")).await?;
        let tokens = match wire::opened(&running, model) {
            Some(opened) if opened < num_ctx => {
                tracing::warn!(
                    model,
                    asked = num_ctx,
                    opened,
                    "the server opened a smaller window than asked"
                );
                opened
            }
            Some(_) => num_ctx,
            None => {
                tracing::debug!(model, num_ctx, "this server does not tell the window it opened");
                num_ctx
            }
        };
        let window = Arc::new(Window { num_ctx, tokens });
        windows.insert(model.to_owned(), Arc::clone(&window));
        Ok(window)
    }

    async fn start(
        &self,
        mut request: CompletionRequest,
        cancel: CancellationToken,
    ) -> Result<EventStream, Error> {
        request.validate()?;
        wire::check(&request)?;
        let model = request.model.clone().unwrap_or_else(|| self.config.model.clone());
        let window = tokio::select! {
            biased;
            () = cancel.cancelled() => return Err(Error::Cancelled),
            window = self.window(&model) => window?,
        };
        let measure = |request: &CompletionRequest| Ok((estimate_tokens(&request.prompt()), ()));
        let fitted = fit(&mut request, window.tokens, measure)?;
        let asked = wire::Asked {
            prompt_tokens: fitted.prompt_tokens,
            fewest_tokens: window::fewest_tokens(&request.prompt()),
            max_tokens: request.max_tokens,
            context_tokens: window.tokens,
        };
        let (path, body) = wire::body(&request, &model, window.num_ctx);
        let post = self.ollama.server.post(path).json(&body);
        let refusal = |status, body: &str| wire::refused(status, body, &model, asked);
        let parser = answer::AnswerParser::new(asked);
        let events = self.ollama.server.stream(post, refusal, parser, cancel).await?;
        let compacted = fitted.compaction.map(|compaction| Ok(Event::Compacted { compaction }));
        Ok(futures::stream::iter(compacted).chain(events).boxed())
    }
}

impl Engine for OllamaEngine {
    fn capabilities(&self) -> BoxFuture<'_, Result<Capabilities, Error>> {
        async move {
            let version = self.ollama.version().await?;
            let window = self.window(&self.config.model).await?;
            let engine = format!("ollama {version}");
            let features = Features {
                embeddings: true,
                infill: true,
                grammar: true,
                compaction: true,
                ..Features::default()
            };
            Ok(Capabilities {
                features,
                ..Capabilities::new(&self.config.model, engine, window.tokens, self.config.slots.max(1))
            })
        }
        .boxed()
    }

    fn complete(
        &self,
        request: CompletionRequest,
        cancel: CancellationToken,
    ) -> BoxFuture<'_, Result<EventStream, Error>> {
        self.start(request, cancel).boxed()
    }

    /// An estimate: Ollama has no way to ask.
    fn count_tokens(&self, request: CountRequest) -> BoxFuture<'_, Result<u32, Error>> {
        futures::future::ok(estimate_tokens(&request)).boxed()
    }

    fn embed(&self, request: EmbedRequest) -> BoxFuture<'_, Result<Embeddings, Error>> {
        async move {
            request.validate()?;
            let model = request.model.as_deref().unwrap_or(&self.config.model);
            let post = self.ollama.server.post("/api/embed");
            let post = post.json(&json!({"model": model, "input": request.inputs, "truncate": false}));
            let refusal = |status, body: &str| wire::refusal(status, body, model);
            let answer: wire::EmbedAnswer = self.ollama.server.json_or(post, refusal).await?;
            answer.into_embeddings(request.inputs.len())
        }
        .boxed()
    }
}
