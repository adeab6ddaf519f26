//! What our door adds to the latency of the engine behind it, beside litellm's proxy over the same engine, in one run:
//! `make bench-ide`. Prints figures and judges nothing; what they mean depends on who else uses the cores.
//!
//! The engine is a server that takes as long as a model of middling speed and tells when it was asked and when it answered,
//! so that what is measured is the way there and back alone. All three are asked alike: streams of chats over connections
//! that are kept, so many at a time, in turns.

mod client;
mod engine;
mod proxies;

use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use clap::Parser;
use tokio::task::JoinSet;

use crate::client::{Client, Target, Took};
use crate::proxies::Proxy;

/// Before memory is read: allocators come to rest.
const SETTLE: Duration = Duration::from_secs(1);

/// The IDE door beside the engine itself and litellm's proxy.
#[derive(Debug, Parser)]
struct Options {
    /// The node's program
    #[arg(long, default_value = "target/release/edgecoder")]
    node: PathBuf,
    /// litellm's program (`litellm[proxy]`); left out of the comparison without it
    #[arg(long)]
    litellm: Option<PathBuf>,
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// Streams at a time
    #[arg(long, default_value_t = 32)]
    streams: usize,
    /// Answers of each stream in one run
    #[arg(long, default_value_t = 10)]
    answers: usize,
    /// Let all streams begin in the same moment, and so stay in step: the worst case. Otherwise they begin spread over
    /// the time of one answer, as those of people do
    #[arg(long)]
    together: bool,
    /// Streams that wait for an engine that says nothing, for the memory they cost
    #[arg(long, default_value_t = 1000)]
    idle: usize,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let folder = tempfile::tempdir()?;
    let (engine, _server) = engine::serve().await?;
    let node = Proxy::ours(&options.node, folder.path(), engine).await?;
    let mut targets = vec![
        Target { name: "engine itself", address: engine, path: "/v1/chat/completions", model: "scripted" },
        Target { name: "our door", address: node.address, path: "/v1/chat/completions", model: "scripted" },
    ];
    let litellm = match &options.litellm {
        Some(program) => Some(Proxy::litellm(&std::path::absolute(program)?, folder.path(), engine).await?),
        None => None,
    };
    if let Some(litellm) = &litellm {
        let (address, path) = (litellm.address, "/v1/chat/completions");
        targets.push(Target { name: "litellm's proxy", address, path, model: "scripted" });
    }
    say(&format!(
        "{} streams at a time, {} answers each, {} runs; milliseconds",
        options.streams, options.answers, options.runs
    ))?;
    say(
        "| run | asked | way there p50 | way back p50 | both p50 | p99 | added p50 | added p99 | whole p50 | added p50 |\n|---|---|---|---|---|---|---|---|---|---|",
    )?;
    for run in 1..=options.runs {
        let mut base: Option<(Figures, Figures)> = None;
        for target in &targets {
            // Connections, caches and estimates come first.
            let warm = load(target, options.streams, 1, Duration::ZERO).await?;
            let whole = warm.iter().map(|took| took.whole).min().unwrap_or_default();
            let spread = if options.together { Duration::ZERO } else { whole };
            let took = load(target, options.streams, options.answers, spread).await?;
            let there = Figures::of(took.iter().map(|took| took.there));
            let back = Figures::of(took.iter().map(|took| took.back));
            let both = Figures::of(took.iter().map(|took| took.there + took.back));
            let whole = Figures::of(took.iter().map(|took| took.whole));
            let (base_both, base_whole) = *base.get_or_insert((both, whole));
            say(&format!(
                "| {run} | {} | {:.3} | {:.3} | {:.3} | {:.3} | {:.3} | {:.3} | {:.2} | {:.2} |",
                target.name,
                there.p50,
                back.p50,
                both.p50,
                both.p99,
                both.p50 - base_both.p50,
                both.p99 - base_both.p99,
                whole.p50,
                whole.p50 - base_whole.p50,
            ))?;
        }
    }
    let before = node.resident_kib()?;
    let held = idle(node.address, options.idle).await?;
    tokio::time::sleep(SETTLE).await;
    let after = node.resident_kib()?;
    say(&format!(
        "{} streams that wait: {:.1} MiB",
        held.len(),
        (after.saturating_sub(before)) as f64 / 1024.0
    ))
}

/// Half and nearly all of the times, milliseconds.
#[derive(Debug, Clone, Copy)]
struct Figures {
    p50: f64,
    p99: f64,
}

impl Figures {
    fn of(times: impl Iterator<Item = Duration>) -> Self {
        let mut times: Vec<f64> = times.map(|time| time.as_secs_f64() * 1e3).collect();
        times.sort_by(f64::total_cmp);
        let at = |percent: usize| {
            times.get(times.len().saturating_sub(1) * percent / 100).copied().unwrap_or(f64::NAN)
        };
        Self { p50: at(50), p99: at(99) }
    }
}

/// So many streams at a time, each with so many answers over one connection; their beginnings are spread over a time.
async fn load(
    target: &Target,
    streams: usize,
    answers: usize,
    spread: Duration,
) -> anyhow::Result<Vec<Took>> {
    let mut running = JoinSet::new();
    for number in 0..streams {
        let target = target.clone();
        let wait = spread.mul_f64(number as f64 / streams.max(1) as f64);
        running.spawn(async move {
            tokio::time::sleep(wait).await;
            let mut client = Client::connect(&target).await?;
            let mut took = Vec::with_capacity(answers);
            for _ in 0..answers {
                took.push(client.ask(&target, "hello").await?);
            }
            anyhow::Ok(took)
        });
    }
    let mut all = Vec::with_capacity(streams * answers);
    while let Some(took) = running.join_next().await {
        all.extend(took?.with_context(|| format!("asking {}", target.name))?);
    }
    Ok(all)
}

/// Streams that began and wait.
async fn idle(address: std::net::SocketAddr, streams: usize) -> anyhow::Result<Vec<Client>> {
    let target = Target { name: "our door", address, path: "/v1/chat/completions", model: "scripted" };
    let mut running = JoinSet::new();
    for _ in 0..streams {
        let target = target.clone();
        running.spawn(async move {
            let mut client = Client::connect(&target).await?;
            client.begin(&target, engine::SILENCE).await?;
            anyhow::Ok(client)
        });
    }
    let mut held = Vec::with_capacity(streams);
    while let Some(client) = running.join_next().await {
        held.push(client??);
    }
    Ok(held)
}

fn say(line: &str) -> anyhow::Result<()> {
    writeln!(std::io::stdout(), "{line}").context("writing the figures")
}
