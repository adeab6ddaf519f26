//! Our engine, as a node runs it (a child process behind frames), beside llama-cpp-python's own loop, in one run, on the
//! same file and threads. The two take turns, so that a busy moment of the machine meets both; of every measure the
//! least disturbed run counts, and the median is shown beside it.

mod figures;
mod neighbour;
mod ours;
mod text;

use std::path::PathBuf;

use clap::Parser;

use crate::figures::{Figures, Measure};
use crate::neighbour::Neighbour;
use crate::ours::Ours;
use crate::text::Texts;

/// Requests asked side by side, and slots of the engine.
const PARALLEL: u32 = 8;
/// What may be read of a model's window: room is left for the answer.
const PROMPT_SHARE: (u32, u32) = (4, 5);
/// Tokens of a prompt, where the window has room for them.
const PROMPT_TOKENS: u32 = 1100;
/// Tokens of an answer: enough to see the speed of writing.
const OUTPUT_TOKENS: u32 = 96;
/// Tokens of an answer among several.
const SHORT_OUTPUT_TOKENS: u32 = 48;

#[derive(Debug, Parser)]
#[command(about = "Measure our engine beside llama-cpp-python")]
struct Args {
    /// `edgecoder-engine`
    #[arg(long)]
    engine: PathBuf,
    /// GGUF files
    #[arg(long, required = true, num_args = 1..)]
    model: Vec<PathBuf>,
    /// A Python that has llama-cpp-python; without it ours is measured alone
    #[arg(long)]
    python: Option<PathBuf>,
    /// Its program
    #[arg(long, default_value = "benches/engine/neighbours/llama_cpp_python.py")]
    neighbour: PathBuf,
    /// Threads of both
    #[arg(long, default_value_t = 2)]
    threads: u32,
    /// Turns of each measure
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// Where to write the figures as JSON
    #[arg(long)]
    json: Option<PathBuf>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let mut all = Vec::new();
    for model in &args.model {
        let figures = measure(&args, model).await?;
        show(&figures.to_string());
        all.push(figures);
    }
    if let Some(path) = &args.json {
        std::fs::write(path, serde_json::to_string_pretty(&all)?)?;
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the figures are what this program is for")]
fn show(figures: &str) {
    println!("{figures}");
}

async fn measure(args: &Args, model: &std::path::Path) -> anyhow::Result<Figures> {
    let ours = Ours::start(&args.engine, model, args.threads, PARALLEL).await?;
    let context = ours.context_tokens();
    let mut neighbour = match &args.python {
        Some(python) => Some(Neighbour::start(python, &args.neighbour, model, args.threads, context)?),
        None => None,
    };
    let mut figures = Figures::new(ours.describe(), neighbour.as_ref().map(Neighbour::describe));
    let mut texts = Texts::new(PROMPT_TOKENS.min(context * PROMPT_SHARE.0 / PROMPT_SHARE.1));
    for _ in 0..args.runs {
        prompt(&ours, neighbour.as_mut(), &mut texts, &mut figures).await?;
        writing(&ours, neighbour.as_mut(), &mut texts, &mut figures).await?;
        together(&ours, &mut texts, &mut figures).await?;
        shared(&ours, &mut texts, &mut figures).await?;
    }
    Ok(figures)
}

/// Tokens of a prompt read in a second: the time to one token of answer.
async fn prompt(
    ours: &Ours,
    neighbour: Option<&mut Neighbour>,
    texts: &mut Texts,
    figures: &mut Figures,
) -> anyhow::Result<()> {
    let text = texts.long(ours).await?;
    let timing = ours.ask(&text, 1).await?;
    figures.ours(Measure::Prompt, f64::from(timing.prompt_tokens) / timing.seconds);
    if let Some(neighbour) = neighbour {
        let theirs = neighbour.ask(&text, 1)?;
        anyhow::ensure!(theirs.prompt_tokens == timing.prompt_tokens, "the two read different tokens");
        figures.theirs(Measure::Prompt, f64::from(theirs.prompt_tokens) / theirs.seconds);
    }
    Ok(())
}

/// Tokens written in a second, one request alone, after a prompt of a few tokens.
async fn writing(
    ours: &Ours,
    neighbour: Option<&mut Neighbour>,
    texts: &mut Texts,
    figures: &mut Figures,
) -> anyhow::Result<()> {
    let text = texts.short();
    let timing = ours.ask(&text, OUTPUT_TOKENS).await?;
    figures.ours(Measure::Writing, f64::from(timing.output_tokens) / timing.seconds);
    if let Some(neighbour) = neighbour {
        // As many tokens as ours wrote: the tiny model may end earlier.
        let theirs = neighbour.ask(&text, timing.output_tokens.max(1))?;
        figures.theirs(Measure::Writing, f64::from(theirs.output_tokens) / theirs.seconds);
    }
    Ok(())
}

/// Eight requests one by one, then eight at once: tokens written in a second.
async fn together(ours: &Ours, texts: &mut Texts, figures: &mut Figures) -> anyhow::Result<()> {
    let requests: Vec<_> = (0..PARALLEL).map(|_| texts.short()).collect();
    figures.ours(Measure::OneByOne, ours.one_by_one(&requests, SHORT_OUTPUT_TOKENS).await?);
    figures.ours(Measure::AtOnce, ours.at_once(&requests, SHORT_OUTPUT_TOKENS).await?);
    Ok(())
}

/// Two requests with the same long beginning: how much sooner the second has its first token.
async fn shared(ours: &Ours, texts: &mut Texts, figures: &mut Figures) -> anyhow::Result<()> {
    let beginning = texts.long(ours).await?;
    let first = ours.ask(&format!("{beginning} {}", texts.short()), 1).await?;
    let second = ours.ask(&format!("{beginning} {}", texts.short()), 1).await?;
    figures.ours(Measure::FirstToken, first.seconds * 1e3);
    figures.ours(Measure::FirstTokenAgain, second.seconds * 1e3);
    Ok(())
}
