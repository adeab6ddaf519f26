//! Any server that speaks OpenAI's chat form: Ollama, LM Studio, llama-server, vLLM, hosted ones.

mod answer;
mod sse;
mod wire;

use std::time::Duration;

use edgecoder_base::Secret;
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};
use serde_json::Value;
use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;

use crate::capabilities::Features;
use crate::compact::fit;
use crate::engine::estimate_tokens;
use crate::http::Server;
use crate::{
    Capabilities, CompletionRequest, CountRequest, EmbedRequest, Embeddings, Engine, Error, Event,
    EventStream,
};

/// Context assumed of a server that does not tell: the smallest default among the common ones. Ollama cuts
/// longer prompts silently, so guessing high would lose the user's code without a word.
const UNKNOWN_CONTEXT_TOKENS: u32 = 4096;

/// Which server and which of its models.
#[derive(Debug, Clone)]
pub struct OpenAiConfig {
    /// With or without `/v1` at its end.
    pub base_url: String,
    /// Sent as bearer token.
    pub api_key: Option<Secret<String>>,
    /// The model's name on that server.
    pub model: String,
    /// The context, where the person knows it; otherwise the server is asked.
    pub context_tokens: Option<u32>,
    /// Requests the server answers at the same time.
    pub slots: u32,
    /// Longest silence, also while a prompt is being read.
    pub silence: Duration,
}

impl OpenAiConfig {
    /// The usual bounds, no key.
    pub fn new(base_url: impl Into<String>, model: impl Into<String>) -> Self {
        Self {
            base_url: base_url.into(),
            api_key: None,
            model: model.into(),
            context_tokens: None,
            slots: 1,
            silence: Duration::from_secs(300),
        }
    }
}

/// The client.
#[derive(Debug)]
pub struct OpenAiEngine {
    server: Server,
    model: String,
    slots: u32,
    configured: Option<u32>,
    /// The context as the server told it, once it did.
    context: OnceCell<u32>,
}

impl OpenAiEngine {
    /// Refuses an address that cannot be one. Nothing is contacted yet.
    pub fn new(config: OpenAiConfig) -> Result<Self, Error> {
        let base = config.base_url.trim_end_matches('/');
        let root = base.strip_suffix("/v1").unwrap_or(base);
        Ok(Self {
            server: Server::new(root, config.api_key, config.silence)?,
            model: config.model,
            slots: config.slots.max(1),
            configured: config.context_tokens,
            context: OnceCell::new(),
        })
    }

    async fn context_tokens(&self) -> Result<u32, Error> {
        if let Some(tokens) = self.configured {
            return Ok(tokens);
        }
        self.context.get_or_try_init(|| self.probe()).await.copied()
    }

    /// Asks the list of models (vLLM, LM Studio, llama-server), then llama-server's and Ollama's own places.
    async fn probe(&self) -> Result<u32, Error> {
        let models: Value = self.server.json(self.server.get("/v1/models")).await?;
        if let Some(tokens) = wire::listed_context(&models, &self.model) {
            return Ok(tokens);
        }
        let number = |answer: &Value, place: &str| {
            answer.pointer(place).and_then(Value::as_u64).and_then(|tokens| u32::try_from(tokens).ok())
        };
        if let Ok(props) = self.server.json::<Value>(self.server.get("/props")).await
            && let Some(tokens) = number(&props, "/default_generation_settings/n_ctx")
        {
            return Ok(tokens);
        }
        if let Ok(loaded) = self.server.json::<Value>(self.server.get("/api/ps")).await
            && let Some(entries) = loaded.get("models").and_then(Value::as_array)
            && let Some(entry) =
                entries.iter().find(|entry| entry.get("name").and_then(Value::as_str) == Some(&self.model))
            && let Some(tokens) = number(entry, "/context_length")
        {
            return Ok(tokens);
        }
        tracing::warn!(
            model = self.model,
            assumed = UNKNOWN_CONTEXT_TOKENS,
            "the server does not tell its context"
        );
        Ok(UNKNOWN_CONTEXT_TOKENS)
    }

    async fn start(
        &self,
        mut request: CompletionRequest,
        cancel: CancellationToken,
    ) -> Result<EventStream, Error> {
        request.validate()?;
        wire::check(&request)?;
        let context_tokens = tokio::select! {
            biased;
            () = cancel.cancelled() => return Err(Error::Cancelled),
            context = self.context_tokens() => context?,
        };
        let measure = |request: &CompletionRequest| Ok((estimate_tokens(&request.prompt()), ()));
        let fitted = fit(&mut request, context_tokens, measure)?;
        let asked = (fitted.prompt_tokens, request.max_tokens, context_tokens);
        let model = request.model.as_deref().unwrap_or(&self.model);
        let post = self.server.post("/v1/chat/completions").json(&wire::ChatRequest::new(&request, model));
        let parser = answer::AnswerParser::new(asked, request.prefill.as_deref());
        let refusal = |status, body: &str| wire::refusal(status, body, asked);
        let events = self.server.stream(post, refusal, parser, cancel).await?;
        let compacted = fitted.compaction.map(|compaction| Ok(Event::Compacted { compaction }));
        Ok(futures::stream::iter(compacted).chain(events).boxed())
    }
}

impl Engine for OpenAiEngine {
    fn capabilities(&self) -> BoxFuture<'_, Result<Capabilities, Error>> {
        async move {
            let context_tokens = self.context_tokens().await?;
            Ok(Capabilities {
                features: Features { compaction: true, ..Features::default() },
                ..Capabilities::new(&self.model, "openai-compatible server", context_tokens, self.slots)
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

    /// An estimate: the chat form has no way to ask.
    fn count_tokens(&self, request: CountRequest) -> BoxFuture<'_, Result<u32, Error>> {
        futures::future::ok(estimate_tokens(&request)).boxed()
    }

    fn embed(&self, request: EmbedRequest) -> BoxFuture<'_, Result<Embeddings, Error>> {
        async move {
            request.validate()?;
            let model = request.model.as_deref().unwrap_or(&self.model);
            let post = self.server.post("/v1/embeddings");
            let post = post.json(&wire::EmbeddingsRequest { model, input: &request.inputs });
            let answer: wire::EmbeddingsAnswer = self.server.json(post).await?;
            answer.into_embeddings(request.inputs.len())
        }
        .boxed()
    }
}
