//! `edgecoder model bench`: how fast a model is here, asked through the same seam as the agent asks it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use edgecoder_inference::catalog::{Catalog, Speed};
use edgecoder_inference::{
    CompletionRequest, Engine, Error as EngineError, Event, IsolateConfig, IsolatedEngine, Message,
};
use futures::StreamExt;
use serde::Serialize;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::table::Table;
use super::{BenchArgs, Context};
use crate::config::EngineKind;
use crate::error::{Error, Exit};
use crate::output::harmless;

/// Tokens of the long prompt, where the window allows: a file and a question about it.
const PROMPT_TOKENS: u32 = 512;
/// Tokens of an answer.
const ANSWER_TOKENS: u32 = 64;
/// Requests at the same time.
const PARALLEL: u32 = 8;
/// What prompts are made of: code, as the agent's are.
const LINE: &str = "def total(items): return sum(item.price * item.count for item in items if item.price)\n";
/// A smaller model fits the processor's caches and says nothing about larger ones, bytes.
const TELLING_BYTES: u64 = 200 << 20;
/// Between two looks at a model that is being loaded.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// Longest wait for it: a large one from a slow disk.
const LOAD_TIMEOUT: Duration = Duration::from_secs(300);

/// What was measured.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Figures {
    model: String,
    engine: String,
    context_tokens: u32,
    slots: u32,
    prompt: Rate,
    generation: Rate,
    parallel: Rate,
    parallel_requests: u32,
    /// Milliseconds to the first token of an answer to a prompt never seen before.
    first_token_ms: u64,
    /// The same, when all of the prompt but its last question was just seen.
    first_token_shared_ms: u64,
}

/// Tokens and their time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
struct Rate {
    tokens: u32,
    tokens_per_second: f64,
}

impl Rate {
    fn of(tokens: u32, took: Duration) -> Self {
        let seconds = took.as_secs_f64();
        let tokens_per_second = if seconds > 0.0 { f64::from(tokens) / seconds } else { 0.0 };
        Self { tokens, tokens_per_second }
    }
}

pub(super) async fn run(context: &Context, catalog: &Catalog, args: BenchArgs) -> Result<Exit, Error> {
    let path = match &args.name {
        Some(name) => catalog.store().path_of(&catalog.store().get(name)?.sha256),
        None => used(context)?,
    };
    if context.data.is_locked() {
        context.out.note("a node is running: its work and this measurement slow each other down");
    }
    let figures = with_engine(context, &path, measure).await?;
    let bytes = std::fs::metadata(&path).map_err(Error::io("inspect", &path))?.len();
    let tokens_per_second = figures.generation.tokens_per_second;
    // Suggestions follow what was measured.
    if tokens_per_second > 0.0 && bytes >= TELLING_BYTES {
        catalog.store().record_speed(Speed::Bench { model_bytes: bytes, tokens_per_second })?;
    }
    show(context, &figures, args.json.json);
    Ok(Exit::Done)
}

/// The file that the node's own engine would load.
fn used(context: &Context) -> Result<PathBuf, Error> {
    let inference = &context.loaded.config.inference;
    if inference.engine == EngineKind::Openai {
        let words = "inference.engine is a model server: name an installed model to measure it here";
        return Err(Error::Usage(words.to_owned()));
    }
    context.model_file()
}

/// Starts an engine as a node would, lets `work` ask it, and ends it.
async fn with_engine<T>(
    context: &Context,
    model: &Path,
    work: impl AsyncFnOnce(&dyn Engine) -> Result<T, EngineError>,
) -> Result<T, Error> {
    let inference = &context.loaded.config.inference;
    let program = std::env::current_exe().map_err(Error::io("find", "the running program"))?;
    let isolate = IsolateConfig::new(program, inference.engine_args(model));
    let (engine, supervisor) = IsolatedEngine::build(isolate);
    let stop = CancellationToken::new();
    let mut running = JoinSet::new();
    running.spawn(supervisor.run(stop.clone()));
    let engine: Arc<dyn Engine> = Arc::new(engine);
    let done = match tokio::time::timeout(LOAD_TIMEOUT, loaded(&*engine)).await {
        Ok(Ok(())) => work(&*engine).await,
        Ok(Err(error)) => Err(error),
        Err(_) => Err(EngineError::EngineStarting),
    };
    stop.cancel();
    while running.join_next().await.is_some() {}
    done.map_err(|error| Error::Role(error.to_string()))
}

async fn loaded(engine: &dyn Engine) -> Result<(), EngineError> {
    loop {
        match engine.capabilities().await {
            Err(error) if error.is_retryable() => tokio::time::sleep(LOOK_AGAIN).await,
            done => return done.map(drop),
        }
    }
}

async fn measure(engine: &dyn Engine) -> Result<Figures, EngineError> {
    let capabilities = engine.capabilities().await?;
    let window = capabilities.context_tokens;
    let lines = fitting_lines(engine, PROMPT_TOKENS.min(window / 3)).await?;
    let answer = ANSWER_TOKENS.min(window / 4).max(1);
    // The first request pays for what is set up once; it is not counted.
    ask(engine, "Say yes.".to_owned(), 4).await?;
    let long = |question: &str| format!("{}{question}", LINE.repeat(lines));
    let cold = ask(engine, long("What does it do?"), 1).await?;
    let shared = ask(engine, long("What is wrong with it?"), 1).await?;
    let alone = ask(engine, "Write a function that sorts a list.".to_owned(), answer).await?;
    let began = Instant::now();
    let question = |n: u32| format!("Write function number {n}, which counts words.");
    let requests = (0..PARALLEL).map(|n| ask(engine, question(n), answer));
    let answers = futures::future::try_join_all(requests).await?;
    let together = answers.iter().map(|answer| answer.output_tokens).sum();
    Ok(Figures {
        model: capabilities.model,
        engine: capabilities.engine,
        context_tokens: window,
        slots: capabilities.slots,
        prompt: Rate::of(cold.prompt_tokens, cold.to_first),
        generation: Rate::of(
            alone.output_tokens.saturating_sub(1),
            alone.whole.saturating_sub(alone.to_first),
        ),
        parallel: Rate::of(together, began.elapsed()),
        parallel_requests: PARALLEL,
        first_token_ms: millis(cold.to_first),
        first_token_shared_ms: millis(shared.to_first),
    })
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// How many lines of code make a prompt of about `tokens`.
async fn fitting_lines(engine: &dyn Engine, tokens: u32) -> Result<usize, EngineError> {
    const SAMPLE: u32 = 8;
    let sample = request(LINE.repeat(8), 1);
    let counted = engine.count_tokens(sample.prompt()).await?.max(1);
    let lines = u64::from(tokens) * u64::from(SAMPLE) / u64::from(counted);
    Ok(usize::try_from(lines).unwrap_or(1).max(1))
}

fn request(text: String, max_tokens: u32) -> CompletionRequest {
    CompletionRequest::new(vec![Message::user(text)], max_tokens)
}

/// What one answer took.
struct Took {
    prompt_tokens: u32,
    output_tokens: u32,
    to_first: Duration,
    whole: Duration,
}

async fn ask(engine: &dyn Engine, text: String, max_tokens: u32) -> Result<Took, EngineError> {
    let began = Instant::now();
    let mut events = engine.complete(request(text, max_tokens), CancellationToken::new()).await?;
    let mut first = None;
    while let Some(event) = events.next().await {
        let event = event?;
        if matches!(event, Event::Delta { .. }) {
            first.get_or_insert_with(|| began.elapsed());
        }
        if let Event::Done { usage, .. } = event {
            let whole = began.elapsed();
            let (prompt_tokens, output_tokens) = (usage.prompt_tokens, usage.output_tokens);
            // An answer may be empty; then its end is all there was to wait for.
            return Ok(Took { prompt_tokens, output_tokens, to_first: first.unwrap_or(whole), whole });
        }
    }
    Err(EngineError::Protocol { reason: "the answer stopped without an end".to_owned() })
}

fn show(context: &Context, figures: &Figures, as_json: bool) {
    let out = context.out;
    if as_json {
        out.line(serde_json::to_string(figures).unwrap_or_default());
        return;
    }
    let (model, engine) = (harmless(&figures.model), harmless(&figures.engine));
    out.line(format_args!("{model}  {engine}  window {}, {} slots", figures.context_tokens, figures.slots));
    let parallel = format!("{} answers together", figures.parallel_requests);
    let mut table = Table::new(&["what", "tokens", "tokens/s"]);
    for (what, rate) in [
        ("reading a prompt", figures.prompt),
        ("writing one answer", figures.generation),
        (parallel.as_str(), figures.parallel),
    ] {
        table.row([what.to_owned(), rate.tokens.to_string(), format!("{:.1}", rate.tokens_per_second)]);
    }
    table.print(out);
    let (cold, shared) = (figures.first_token_ms, figures.first_token_shared_ms);
    out.line(format_args!("first token: {cold} ms, {shared} ms when the beginning was just read"));
}

#[cfg(test)]
mod tests {
    use edgecoder_inference::ScriptedEngine;

    use super::*;

    #[tokio::test]
    async fn everything_is_asked_through_the_engine() {
        let engine = ScriptedEngine::new().otherwise(|_| Ok("fn sort() {}".repeat(9)));
        let figures = measure(&engine).await.unwrap();
        assert_eq!((figures.model.as_str(), figures.parallel_requests), ("scripted", 8));
        assert!(figures.generation.tokens > 0 && figures.parallel.tokens >= 8 * figures.generation.tokens);
        let asked = engine.requests();
        assert_eq!(asked.len(), 4 + 8);
        let text = |index: usize| asked[index].messages[0].content.clone();
        let shared = text(1).bytes().zip(text(2).bytes()).take_while(|(a, b)| a == b).count();
        assert!(shared + 40 > text(1).len(), "the second long prompt begins like the first");
    }

    #[tokio::test]
    async fn a_small_window_is_respected() {
        let engine = ScriptedEngine::new().with_context(600).otherwise(|_| Ok("x".to_owned()));
        let figures = measure(&engine).await.unwrap();
        assert!(figures.prompt.tokens <= 250, "{figures:?}");
    }

    #[tokio::test]
    async fn an_engine_that_fails_is_no_measurement() {
        let engine = ScriptedEngine::new().otherwise(|_| Err(EngineError::Overloaded));
        assert_eq!(measure(&engine).await.unwrap_err(), EngineError::Overloaded);
    }
}
