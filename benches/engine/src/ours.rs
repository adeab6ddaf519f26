//! Our engine as a node uses it: a supervised child, asked through its handle.

use std::path::Path;
use std::time::Instant;

use anyhow::Context as _;
use edgecoder_inference::{
    Capabilities, CompletionRequest, CountRequest, Engine, Error, IsolateConfig, IsolatedEngine, TextPrompt,
    collect,
};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// A child, stopped when dropped.
pub(crate) struct Ours {
    engine: IsolatedEngine,
    capabilities: Capabilities,
    _tasks: JoinSet<Result<(), Error>>,
}

/// What an answer took.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timing {
    pub(crate) prompt_tokens: u32,
    pub(crate) output_tokens: u32,
    pub(crate) seconds: f64,
}

impl Ours {
    pub(crate) async fn start(
        program: &Path,
        model: &Path,
        threads: u32,
        slots: u32,
    ) -> anyhow::Result<Self> {
        let model = model.to_str().context("a model's path is text")?;
        let (threads, slots) = (threads.to_string(), slots.to_string());
        let args = ["--model", model, "--threads", &threads, "--slots", &slots];
        let (engine, supervisor) = IsolatedEngine::build(IsolateConfig::new(program, args));
        let mut tasks = JoinSet::new();
        tasks.spawn(supervisor.run(CancellationToken::new()));
        let capabilities = engine.capabilities().await?;
        Ok(Self { engine, capabilities, _tasks: tasks })
    }

    pub(crate) fn context_tokens(&self) -> u32 {
        self.capabilities.context_tokens
    }

    pub(crate) fn describe(&self) -> String {
        let Capabilities { model, engine, device, context_tokens, slots, .. } = &self.capabilities;
        let threads = device.threads;
        format!(
            "{model} on {}: {engine}, {threads} threads, {slots} slots of {context_tokens} tokens",
            device.name
        )
    }

    pub(crate) async fn count(&self, text: &str) -> anyhow::Result<u32> {
        let text = Some(TextPrompt::Continue { text: text.to_owned() });
        Ok(self.engine.count_tokens(CountRequest { text, ..CountRequest::default() }).await?)
    }

    /// One greedy answer, from asking to its end.
    pub(crate) async fn ask(&self, text: &str, max_tokens: u32) -> anyhow::Result<Timing> {
        ask(&self.engine, text, max_tokens).await
    }

    /// Tokens written in a second.
    pub(crate) async fn one_by_one(&self, texts: &[String], max_tokens: u32) -> anyhow::Result<f64> {
        let since = Instant::now();
        let mut written = 0;
        for text in texts {
            written += self.ask(text, max_tokens).await?.output_tokens;
        }
        Ok(f64::from(written) / since.elapsed().as_secs_f64())
    }

    /// As above, all asked in the same moment.
    pub(crate) async fn at_once(&self, texts: &[String], max_tokens: u32) -> anyhow::Result<f64> {
        let since = Instant::now();
        let mut answers = JoinSet::new();
        for text in texts {
            let (engine, text) = (self.engine.clone(), text.clone());
            answers.spawn(async move { ask(&engine, &text, max_tokens).await });
        }
        let mut written = 0;
        while let Some(answer) = answers.join_next().await {
            written += answer??.output_tokens;
        }
        Ok(f64::from(written) / since.elapsed().as_secs_f64())
    }
}

async fn ask(engine: &IsolatedEngine, text: &str, max_tokens: u32) -> anyhow::Result<Timing> {
    let request = CompletionRequest::text(TextPrompt::Continue { text: text.to_owned() }, max_tokens);
    let since = Instant::now();
    let reply = collect(engine.complete(request, CancellationToken::new()).await?).await?;
    let seconds = since.elapsed().as_secs_f64();
    Ok(Timing { prompt_tokens: reply.usage.prompt_tokens, output_tokens: reply.usage.output_tokens, seconds })
}
