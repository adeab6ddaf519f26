//! `edgecoder eval`: measures a model with a suite, without a running node.

mod show;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, ValueEnum};
use edgecoder_agent::eval::{Report, Solutions, Suite, markdown, plot};
use edgecoder_base::{Level, Secret};
use edgecoder_inference::{RemoteConfig, RemoteEngine};
use edgecoder_sandbox::{Mode, Sandbox};
use edgecoder_store::BlobDir;
use edgecoder_worker::eval::{Answerer, EvalConfig, EvalDeps, Evaluation};
use edgecoder_workspace::Trees;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::Context;
use crate::config::EngineKind;
use crate::error::{Error, Exit};
use crate::home::Token;
use crate::roles::{inference, now};
use crate::shutdown;
use show::Display;

/// Temperature of more samples than one: below it samples repeat, above it small models write nonsense.
const TEMPERATURE: f32 = 0.8;
/// Time of a repository's verifier.
const VERIFY_LIMIT: Duration = Duration::from_secs(300);
/// Programs at once where the number of processors is not known.
const JOBS: usize = 2;

#[derive(Debug, Args)]
pub(crate) struct EvalArgs {
    /// The suite: one problem a line (JSON Lines); see docs/guide/eval.md
    #[arg(required_unless_present = "from", conflicts_with = "from")]
    suite: Option<PathBuf>,
    /// Show the report of an earlier run instead
    #[arg(long, value_name = "REPORT")]
    from: Option<PathBuf>,
    /// Answers drawn for each problem
    #[arg(long, value_name = "K", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    samples: u32,
    /// Whose solutions are judged
    #[arg(long, value_enum, default_value_t = Whose::Model)]
    solutions: Whose,
    /// Temperature of the sampler; 0 is greedy [default: 0 for one sample, else 0.8]
    #[arg(long, value_name = "T")]
    temperature: Option<f32>,
    /// What the samples' seeds are made from
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Only the first N problems
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Programs run at once [default: one for each processor]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    jobs: Option<u16>,
    /// Seconds that a program may take
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    time_limit: u64,
    /// MiB that a program may use
    #[arg(long, value_name = "MIB", default_value_t = 512, value_parser = clap::value_parser!(u64).range(16..=1_048_576))]
    memory_limit: u64,
    /// Inference doors to ask instead of this machine's engine, separated by commas
    #[arg(long, value_delimiter = ',', value_name = "URL")]
    nodes: Vec<String>,
    /// GGUF file to measure, whatever the settings say
    #[arg(long, value_name = "FILE", conflicts_with = "nodes")]
    model: Option<PathBuf>,
    /// Model whose profile chooses the words [default: that of the engine's model]
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// Keep the answers in the report
    #[arg(long)]
    answers: bool,
    /// Where the report goes, as JSON
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Where it goes as a page
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
    /// Where pass@k goes as a plot (SVG)
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
}

/// Whose solutions are judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Whose {
    /// The model's
    Model,
    /// The suite's own; all must pass
    Canonical,
    /// The suite's own with broken bodies; all must fail
    Mutants,
}

impl From<Whose> for Solutions {
    fn from(whose: Whose) -> Self {
        match whose {
            Whose::Model => Self::Model,
            Whose::Canonical => Self::Canonical,
            Whose::Mutants => Self::Mutants,
        }
    }
}

pub(super) async fn run(context: &Context, args: EvalArgs) -> Result<Exit, Error> {
    let report = match &args.from {
        Some(file) => read_report(file)?,
        None => evaluate(context, &args).await?,
    };
    write(&report, &args)?;
    show::summary(context.out, &report, args.json)?;
    Ok(match (report.complete, report.is_as_it_must_be()) {
        (false, _) => Exit::Cancelled,
        (true, true) => Exit::Done,
        (true, false) => Exit::Failed,
    })
}

fn read_report(file: &Path) -> Result<Report, Error> {
    let text = std::fs::read_to_string(file).map_err(Error::io("read", file))?;
    serde_json::from_str(&text)
        .map_err(|error| Error::Usage(format!("{} is no report of an evaluation: {error}", file.display())))
}

fn read_suite(file: &Path, limit: Option<usize>) -> Result<Suite, Error> {
    let text = std::fs::read_to_string(file).map_err(Error::io("read", file))?;
    let name = file.file_stem().unwrap_or_default().to_string_lossy();
    let mut suite =
        Suite::parse(name, &text).map_err(|error| Error::Usage(format!("{}: {error}", file.display())))?;
    suite.problems.truncate(limit.unwrap_or(usize::MAX).max(1));
    Ok(suite)
}

async fn evaluate(context: &Context, args: &EvalArgs) -> Result<Report, Error> {
    let file = args.suite.as_deref().unwrap_or_else(|| Path::new(""));
    let suite = read_suite(file, args.limit)?;
    let stop = CancellationToken::new();
    let mut running = JoinSet::new();
    let signals = stop.clone();
    running.spawn(async move { _ = shutdown::on_signals(signals).await });
    let engines_stop = CancellationToken::new();
    let answerers = match (args.solutions, args.nodes.is_empty()) {
        (Whose::Canonical | Whose::Mutants, _) => Vec::new(),
        (Whose::Model, true) => vec![local(context, args, &engines_stop, &mut running)?],
        (Whose::Model, false) => nodes(context, &args.nodes)?,
    };
    let deps = deps(context, file, answerers)?;
    let evaluation = Evaluation::build(config(context, args), deps, suite);
    let Some(evaluation) = stop.run_until_cancelled(evaluation).await else { return Ok(nothing(args)) };
    let evaluation = evaluation.map_err(|error| Error::Role(error.to_string()))?;
    let display = Display::new(context.out);
    let report = evaluation.run(&stop, |judged| display.tell(&judged)).await;
    display.end();
    engines_stop.cancel();
    Ok(report)
}

/// What a run gives that was stopped before it began.
fn nothing(args: &EvalArgs) -> Report {
    Report { solutions: args.solutions.into(), samples: args.samples, ..Report::empty() }
}

fn config(context: &Context, args: &EvalArgs) -> EvalConfig {
    let processors = std::thread::available_parallelism().map_or(JOBS, usize::from);
    let greedy = args.samples == 1;
    EvalConfig {
        solutions: args.solutions.into(),
        samples: args.samples,
        temperature: args.temperature.unwrap_or(if greedy { 0.0 } else { TEMPERATURE }),
        seed: args.seed,
        jobs: args.jobs.map_or(processors, usize::from),
        time_limit: Duration::from_secs(args.time_limit),
        memory_bytes: args.memory_limit << 20,
        verify_limit: VERIFY_LIMIT,
        keep_answers: args.answers,
        profile: args.profile.clone(),
        min_level: match context.loaded.config.sandbox.to_sandbox(&context.env).mode {
            Mode::Process | Mode::Docker => Level::S1,
            Mode::None => Level::S0,
        },
    }
}

fn deps(context: &Context, suite: &Path, answerers: Vec<Answerer>) -> Result<EvalDeps, Error> {
    context.data.create()?;
    let at = context.data.cache().join("eval");
    let scratch = at.join("empty");
    std::fs::create_dir_all(&scratch).map_err(Error::io("create", &scratch))?;
    let blobs = at.join("blobs");
    let sandbox = Sandbox::new(context.loaded.config.sandbox.to_sandbox(&context.env))
        .map_err(|error| Error::Role(error.to_string()))?;
    let beside = suite.parent().unwrap_or_else(|| Path::new("")).to_owned();
    let repositories = std::path::absolute(&beside).or_else(|_| std::env::current_dir());
    Ok(EvalDeps {
        answerers,
        sandbox,
        scratch,
        repositories: repositories.map_err(Error::io("resolve", &beside))?,
        trees: Trees::new(context.data.cache().join("trees"))?,
        blobs: Arc::new(BlobDir::open(&blobs).map_err(Error::io("open", &blobs))?),
        clock: now,
    })
}

/// This machine's engine, as a node would start it.
fn local(
    context: &Context,
    args: &EvalArgs,
    stop: &CancellationToken,
    running: &mut JoinSet<()>,
) -> Result<Answerer, Error> {
    let mut settings = context.loaded.config.inference.clone();
    if let Some(file) = &args.model {
        // the engine's child has another working directory
        let file = std::path::absolute(file).map_err(Error::io("resolve", file))?;
        std::fs::metadata(&file).map_err(Error::io("read", &file))?;
        settings.engine = EngineKind::Local;
        settings.model_path = Some(file);
    }
    let role = inference::build(&settings, context.loaded.config.models.to_catalog(&context.data))?;
    let engine = Arc::clone(role.skills.engine());
    let (run, stop) = (role.into_run(), stop.clone());
    running.spawn(async move {
        if let Err(error) = run(stop).await {
            tracing::warn!(error, "the engine ended");
        }
    });
    Ok(Answerer { name: "local".to_owned(), engine })
}

fn nodes(context: &Context, urls: &[String]) -> Result<Vec<Answerer>, Error> {
    let token: Option<Secret<String>> = match &context.loaded.config.inference.token {
        Some(token) => Some(token.clone()),
        None => context.data.known_token(Token::Inference)?,
    };
    let answerer = |url: &String| {
        let engine = RemoteEngine::new(RemoteConfig::new(url.clone(), token.clone()))
            .map_err(|error| Error::Usage(format!("--nodes {url}: {error}")))?;
        Ok(Answerer { name: url.clone(), engine: Arc::new(engine) })
    };
    urls.iter().map(answerer).collect()
}

fn write(report: &Report, args: &EvalArgs) -> Result<(), Error> {
    let put = |file: &Option<PathBuf>, text: &dyn Fn() -> String| match file {
        Some(file) => std::fs::write(file, text()).map_err(Error::io("write", file)),
        None => Ok(()),
    };
    put(&args.out, &|| serde_json::to_string_pretty(report).unwrap_or_default() + "\n")?;
    put(&args.markdown, &|| markdown::page(report))?;
    put(&args.plot, &|| plot::svg(&markdown::title(report), &[(report.model.clone(), report)]))
}
