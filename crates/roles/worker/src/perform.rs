//! Performs the agent's steps: reads files, asks the engine, runs the verifier.

use std::time::Duration;

use edgecoder_agent::{
    CompletionFailure, FileSummary, FileText, Finish, Message, Observation, Prompt, RepoView, Role,
    SymbolSummary, TestReport, TokenUsage,
};
use edgecoder_base::{Level, Patch, TaskId, Verifier};
use edgecoder_inference::{CompletionRequest, Event, Reply, capped};
use edgecoder_protocol::work::Confinement;
use edgecoder_sandbox::{Exit, Job, Limits, Report};
use edgecoder_workspace::symbols::{self, MAX_TEXT_BYTES};
use edgecoder_workspace::{RepoMap, repo_map};
use futures::StreamExt;
use tokio_util::sync::CancellationToken;

use crate::Deps;
use crate::checkout::Checkout;
use crate::error::{Error, blocking};
use crate::heartbeat::Beat;

/// Characters of the map an agent gets; its profile cuts further.
const MAP_CHARS: usize = 12_000;
/// Characters of each stream an agent gets to see.
const TAIL_CHARS: usize = 16_000;
/// Times an engine that is coming back is asked again.
const ENGINE_TRIES: u32 = 6;
/// Longest time of one answer. The slowest honest one is a full window on a processor.
const ANSWER_WITHIN: Duration = Duration::from_secs(3_600);
/// First pause between them; doubles.
const ENGINE_PAUSE: Duration = Duration::from_millis(200);

/// The repository's names and shapes, and a map ranked for the request.
pub(crate) async fn view(checkout: &Checkout, request: &str) -> Result<RepoView, Error> {
    let (checkout, request) = (checkout.clone(), request.to_owned());
    blocking("reading the repository", move || {
        let root = checkout.tree.path();
        let mut files = Vec::new();
        let mut texts = Vec::new();
        for entry in &checkout.manifest.files {
            let small = entry.size <= MAX_TEXT_BYTES as u64 && texts.len() < repo_map::MAX_FILES;
            let known = symbols::Language::of_path(&entry.path).is_some();
            let text =
                (small && known).then(|| std::fs::read_to_string(root.join(&entry.path)).ok()).flatten();
            let symbols = text.as_deref().map(|text| symbols::symbols(&entry.path, text)).unwrap_or_default();
            files.push(FileSummary {
                path: entry.path.clone(),
                size: entry.size,
                language: symbols::Language::of_path(&entry.path).map(word),
                symbols: symbols.into_iter().map(summary).collect(),
            });
            texts.extend(text.map(|text| (entry.path.clone(), text)));
        }
        let map = RepoMap::build(texts.into_iter()).rank(&request).render(MAP_CHARS);
        Ok(RepoView { files, map })
    })
    .await
}

/// A unit variant as the word it is written as.
fn word(variant: impl serde::Serialize) -> String {
    match serde_json::to_value(variant) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}

fn summary(symbol: symbols::Symbol) -> SymbolSummary {
    SymbolSummary {
        name: symbol.name,
        kind: word(symbol.kind),
        signature: symbol.signature,
        start_line: u32::try_from(symbol.start_line).unwrap_or(u32::MAX),
        end_line: u32::try_from(symbol.end_line).unwrap_or(u32::MAX),
        start_byte: symbol.start_byte as u64,
        end_byte: symbol.end_byte as u64,
        parent: symbol.parent,
    }
}

/// The text of files; only those of the manifest, so no path from a model leads elsewhere.
pub(crate) async fn read(checkout: &Checkout, paths: Vec<String>) -> Result<Observation, Error> {
    let checkout = checkout.clone();
    blocking("reading files", move || {
        let (mut files, mut missing) = (Vec::new(), Vec::new());
        for path in paths {
            let known = checkout.manifest.get(&path).filter(|file| file.size <= MAX_TEXT_BYTES as u64);
            let text = known.and_then(|_| std::fs::read_to_string(checkout.tree.path().join(&path)).ok());
            match text {
                Some(text) => files.push(FileText { path, text }),
                None => missing.push(path),
            }
        }
        Ok(Observation::Files { files, missing })
    })
    .await
}

/// Asks the engine. One that crashed is restarted by its supervisor, so it is asked again for a while.
pub(crate) async fn complete(
    deps: &Deps,
    task: &TaskId,
    prompt: &Prompt,
    model: Option<String>,
    beat: &Beat,
    stop: &CancellationToken,
) -> Result<Observation, Error> {
    let mut pause = ENGINE_PAUSE;
    let mut tries = 1;
    loop {
        let error = match ask(deps, task, prompt, model.clone(), beat, stop).await {
            Ok(reply) => return Ok(observed(reply)),
            Err(error) => error,
        };
        if stop.is_cancelled() {
            return Err(Error::Stopped);
        }
        if let edgecoder_inference::Error::ContextOverflow { prompt_tokens, context_tokens, .. } = error {
            let failure = CompletionFailure::ContextOverflow { prompt_tokens, context_tokens };
            return Ok(Observation::CompletionFailed(failure));
        }
        if !error.is_retryable() || tries >= ENGINE_TRIES {
            return Err(error.into());
        }
        tracing::warn!(%error, tries, "the engine failed; asking again");
        tokio::select! {
            () = tokio::time::sleep(pause) => (),
            () = stop.cancelled() => return Err(Error::Stopped),
        }
        pause *= 2;
        tries += 1;
    }
}

async fn ask(
    deps: &Deps,
    task: &TaskId,
    prompt: &Prompt,
    model: Option<String>,
    beat: &Beat,
    stop: &CancellationToken,
) -> Result<Reply, edgecoder_inference::Error> {
    let request = CompletionRequest { owner: Some(task.to_string()), ..request(prompt, model) };
    let events = deps.engine.complete(request, stop.child_token()).await?;
    let mut events = capped(events, prompt.max_tokens, ANSWER_WITHIN);
    let mut text = String::new();
    while let Some(event) = events.next().await {
        match event? {
            Event::Started { .. } | Event::Compacted { .. } | Event::Logprobs { .. } => (),
            Event::Delta { text: more } => {
                beat.wrote_some();
                text.push_str(&more);
            }
            Event::Done { finish, usage } => return Ok(Reply { text, finish, usage }),
        }
    }
    Err(edgecoder_inference::Error::EngineCrashed { reason: "the answer broke off".to_owned() })
}

/// A prompt in the engine's words.
pub(crate) fn request(prompt: &Prompt, model: Option<String>) -> CompletionRequest {
    let mut request =
        CompletionRequest::new(prompt.messages.iter().map(message).collect(), prompt.max_tokens);
    request.prefill.clone_from(&prompt.prefill);
    request.temperature = prompt.temperature;
    request.seed = prompt.seed;
    request.stop.clone_from(&prompt.stop);
    request.model = model;
    request
}

fn message(message: &Message) -> edgecoder_inference::Message {
    match message.role {
        Role::System => edgecoder_inference::Message::system(&message.content),
        Role::User => edgecoder_inference::Message::user(&message.content),
        Role::Assistant => edgecoder_inference::Message::assistant(&message.content),
    }
}

/// A whole answer as the agent sees it.
pub(crate) fn observed(reply: Reply) -> Observation {
    use edgecoder_inference::Finish as Engine;
    Observation::Completion {
        text: reply.text,
        finish: match reply.finish {
            Engine::Stop => Finish::Stop,
            Engine::Length => Finish::Length,
            Engine::Cancelled => Finish::Cancelled,
        },
        usage: TokenUsage {
            prompt_tokens: reply.usage.prompt_tokens,
            output_tokens: reply.usage.output_tokens,
            model_ms: reply.usage.model_ms,
        },
    }
}

/// Runs a command on the checkout with `patch` laid over it.
pub(crate) async fn run(
    deps: &Deps,
    checkout: &Checkout,
    patch: &Patch,
    verifier: &Verifier,
    min_level: Level,
    stop: &CancellationToken,
) -> Result<Report, Error> {
    let mut job = Job::new(checkout.tree.path(), verifier.command.clone());
    job.files = checkout.files(patch);
    job.limits = Limits { wall: verifier.timeout(), cpu: verifier.timeout() * 4, ..Limits::default() };
    checkout.furnishing.furnish(&mut job);
    execute(deps, job, min_level, stop).await
}

/// Runs a job and insists on its confinement: the sandbox starts nothing below it, and what it says it had is
/// compared.
pub(crate) async fn execute(
    deps: &Deps,
    job: Job,
    min_level: Level,
    stop: &CancellationToken,
) -> Result<Report, Error> {
    let job = Job { min_level, ..job };
    match deps.sandbox.run(job, stop.child_token()).await {
        Ok(report) if report.level < min_level => {
            Err(Error::TooWeak { has: report.level, needed: min_level })
        }
        Ok(report) => Ok(report),
        Err(edgecoder_sandbox::Error::Cancelled) => Err(Error::Stopped),
        Err(error) => Err(error.into()),
    }
}

/// How a run was confined, as it is reported.
pub(crate) fn confinement(report: &Report) -> Confinement {
    Confinement { level: report.level, degraded: report.degraded.clone() }
}

/// The verifier of a task that has none: whether the files a patch touches can be read by their language.
pub(crate) fn syntax_check(patch: &Patch) -> Verifier {
    let commands = patch.changes.iter().filter(|change| change.after.is_some()).filter_map(|change| {
        let quoted = format!("'{}'", change.path.replace('\'', r"'\''"));
        let language = symbols::Language::of_path(&change.path)?;
        if language == symbols::Language::Python {
            Some(format!("python3 -m py_compile {quoted}"))
        } else if language == symbols::Language::JavaScript {
            Some(format!("node --check {quoted}"))
        } else {
            None
        }
    });
    let command = commands.collect::<Vec<_>>().join(" && ");
    Verifier { command: if command.is_empty() { "true".to_owned() } else { command }, timeout_ms: 60_000 }
}

/// A run as the agent sees it.
pub(crate) fn test_report(report: &Report) -> TestReport {
    TestReport {
        passed: report.success(),
        exit: match report.exit {
            Exit::Code(code) => Some(code),
            Exit::Signal(_)
            | Exit::WallTimeout
            | Exit::CpuTimeout
            | Exit::OutputFlood
            | Exit::OutOfMemory => None,
        },
        stdout_tail: tail(&report.stdout.text()),
        stderr_tail: tail(&report.stderr.text()),
        timed_out: matches!(report.exit, Exit::WallTimeout | Exit::CpuTimeout),
        duration_ms: u64::try_from(report.wall.as_millis()).unwrap_or(u64::MAX),
    }
}

fn tail(text: &str) -> String {
    let skip = text.chars().count().saturating_sub(TAIL_CHARS);
    text.chars().skip(skip).collect()
}

/// The end of a run in words.
pub(crate) fn exit_words(exit: Exit) -> String {
    match exit {
        Exit::Code(code) => format!("exit {code}"),
        Exit::Signal(signal) => format!("signal {signal}"),
        Exit::WallTimeout => "time limit".to_owned(),
        Exit::CpuTimeout => "processor time limit".to_owned(),
        Exit::OutputFlood => "output limit".to_owned(),
        Exit::OutOfMemory => "memory limit".to_owned(),
    }
}
