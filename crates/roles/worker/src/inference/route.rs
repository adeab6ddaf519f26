//! A larger model beside the usual one: requests that name it go to it, everything else to the usual engine. It is
//! started when it is first asked for, because its memory is then taken.

use std::sync::Arc;

use edgecoder_inference::{
    Capabilities, CompletionRequest, CountRequest, EmbedRequest, Embeddings, Engine, Error, EventStream,
};
use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// A larger model.
#[derive(Debug, Clone)]
pub struct Larger {
    /// Its name, as requests name it.
    pub model: String,
    /// Its engine.
    pub engine: Arc<dyn Engine>,
    /// Rung when it is wanted: whoever owns the engine starts it then.
    pub wanted: Arc<Notify>,
}

/// The usual engine, and perhaps a larger one.
#[derive(Debug, Clone)]
pub struct Routed {
    usual: Arc<dyn Engine>,
    larger: Option<Larger>,
}

impl Routed {
    /// Requests that name the larger model go to it.
    pub fn new(usual: Arc<dyn Engine>, larger: Option<Larger>) -> Self {
        Self { usual, larger }
    }

    /// The larger model's name.
    pub fn larger(&self) -> Option<&str> {
        self.larger.as_ref().map(|larger| larger.model.as_str())
    }

    fn of(&self, model: Option<&str>) -> &dyn Engine {
        match &self.larger {
            Some(larger) if model == Some(larger.model.as_str()) => {
                larger.wanted.notify_one();
                &*larger.engine
            }
            Some(_) | None => &*self.usual,
        }
    }
}

impl Engine for Routed {
    fn capabilities(&self) -> BoxFuture<'_, Result<Capabilities, Error>> {
        self.usual.capabilities()
    }

    fn complete(
        &self,
        request: CompletionRequest,
        cancel: CancellationToken,
    ) -> BoxFuture<'_, Result<EventStream, Error>> {
        async move { self.of(request.model.as_deref()).complete(request.clone(), cancel).await }.boxed()
    }

    fn count_tokens(&self, request: CountRequest) -> BoxFuture<'_, Result<u32, Error>> {
        self.usual.count_tokens(request)
    }

    fn embed(&self, request: EmbedRequest) -> BoxFuture<'_, Result<Embeddings, Error>> {
        self.usual.embed(request)
    }
}

#[cfg(test)]
mod tests {
    use edgecoder_inference::{Message, ScriptedEngine, collect};

    use super::*;

    #[tokio::test]
    async fn only_who_names_the_larger_model_reaches_and_starts_it() {
        let echo = |name: &'static str| {
            Arc::new(ScriptedEngine::new().named(name).otherwise(move |_| Ok(name.to_owned())))
        };
        let wanted = Arc::new(Notify::new());
        let larger = Larger { model: "big".into(), engine: echo("big"), wanted: Arc::clone(&wanted) };
        let routed = Routed::new(echo("small"), Some(larger));
        for (model, expected) in [(None, "small"), (Some("other"), "small"), (Some("big"), "big")] {
            assert!(wanted.notified().now_or_never().is_none(), "not before {model:?}");
            let mut request = CompletionRequest::new(vec![Message::user("who?")], 9);
            request.model = model.map(str::to_owned);
            let events = routed.complete(request, CancellationToken::new()).await.unwrap();
            assert_eq!(collect(events).await.unwrap().text, expected);
        }
        assert!(wanted.notified().now_or_never().is_some());
        assert_eq!(routed.capabilities().await.unwrap().model, "small");
    }
}
