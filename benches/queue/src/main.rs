//! Our queue beside its neighbours, in one run and with equal durability: `make bench-queue`. Prints figures and
//! judges nothing; what they mean depends on the disk and on who else uses the cores.
//!
//! Ours is a real node in a process of its own, reached as workers reach it: HTTP, every worker's request signed.

mod client;
mod figures;
mod inside;
mod load;
mod machine;
mod neighbours;
mod node;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use clap::Parser;
use edgecoder_base::Timestamp;
use tokio::runtime::{Builder, Runtime};

use crate::figures::{Figures, Measure, Whose, percentile};
use crate::inside::Inside;
use crate::load::{Load, cycles, dispatch, fill, join_all, some_cycles};
use crate::neighbours::Neighbour;
use crate::node::Node;

/// Tasks and bytes of each output, for the memory of a node that has worked.
const WORKED: (usize, usize) = (10_000, 10_000);
/// Before memory is read: allocators and caches come to rest.
const SETTLE: Duration = Duration::from_secs(2);
/// Answers of `GET /status` for one percentile.
const LOOKS: usize = 1_000;
const BOOTS: usize = 5;

/// Our queue beside BullMQ and JetStream.
#[derive(Debug, Parser)]
struct Options {
    /// The node's program
    #[arg(long, default_value = "target/release/edgecoder")]
    node: PathBuf,
    /// Folder for all data: its file system is what is measured
    #[arg(long, default_value = "target/bench-queue")]
    folder: PathBuf,
    /// Folder of bullmq.mjs and jetstream.mjs, with their packages installed
    #[arg(long, default_value = "benches/queue/neighbours")]
    programs: PathBuf,
    /// Redis' server; left out of the comparison without it
    #[arg(long)]
    redis: Option<PathBuf>,
    /// NATS' server; left out of the comparison without it
    #[arg(long)]
    nats: Option<PathBuf>,
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// Clients that submit, pull and answer at the same time, and workers that wait
    #[arg(long, default_value_t = 32)]
    clients: usize,
    /// Seconds of each measurement of cycles
    #[arg(long, default_value_t = 4)]
    seconds: u64,
    /// Tasks that wait while cycles are measured
    #[arg(long, value_delimiter = ',', default_values_t = [0, 100, 10_000, 100_000])]
    depths: Vec<usize>,
    /// Dispatches for one percentile
    #[arg(long, default_value_t = 500)]
    samples: usize,
    /// Bytes of a request and of its answer
    #[arg(long, default_value_t = 100)]
    payload: usize,
    /// Where to write everything as JSON
    #[arg(long)]
    json: Option<PathBuf>,
}

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    std::fs::create_dir_all(&options.folder)?;
    let folder = std::path::absolute(&options.folder)?;
    let facts = machine::facts(&folder)?;
    say(&facts.to_string())?;
    let mut figures = Figures::default();
    for run in 1..=options.runs {
        say(&format!("run {run} of {}, load average {}", options.runs, machine::load_average()))?;
        one_run(&options, &folder, &mut figures)?;
    }
    say(&format!("load average at the end: {}\n\n{}", machine::load_average(), figures.table()))?;
    if let Some(file) = &options.json {
        let all = serde_json::json!({ "machine": facts, "runs": options.runs, "figures": figures.json() });
        std::fs::write(file, serde_json::to_vec_pretty(&all)?)?;
        say(&format!("as JSON: {}", file.display()))?;
    }
    Ok(())
}

fn one_run(options: &Options, folder: &Path, figures: &mut Figures) -> anyhow::Result<()> {
    let load = Load {
        clients: options.clients,
        seconds: options.seconds,
        samples: options.samples,
        payload: options.payload,
    };
    // One thread, like the neighbours' clients: the cores are for the servers.
    let outside = Builder::new_current_thread().enable_all().build()?;
    let within = Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let new_folder = || tempfile::tempdir_in(folder);
    let place = new_folder()?;
    say("  ours, over the door")?;
    outside.block_on(ours_by_door(&options.node, place.path(), load, &options.depths, figures))?;
    say("  ours, by the handle")?;
    let place = new_folder()?;
    within.block_on(ours_inside(place.path(), load, &options.depths, figures))?;
    let neighbours = [(Whose::BullMq, &options.redis), (Whose::JetStream, &options.nats)];
    for (whose, server) in neighbours {
        let Some(server) = server else { continue };
        say(&format!("  {whose:?}"))?;
        let place = new_folder()?;
        let neighbour = Neighbour { whose, server: server.clone(), programs: options.programs.clone() };
        let report = outside.block_on(neighbour.run(place.path(), load, &options.depths))?;
        for (depth, rate) in report.cycles {
            figures.add(Measure::Cycles(depth), whose, rate);
        }
        figures.add(Measure::DispatchP50, whose, report.dispatch.p50);
        figures.add(Measure::DispatchP99, whose, report.dispatch.p99);
    }
    say("  memory and start of a node")?;
    let place = new_folder()?;
    memory_and_boot(&outside, &options.node, place.path(), load, figures)
}

async fn ours_by_door(
    program: &Path,
    folder: &Path,
    load: Load,
    depths: &[usize],
    figures: &mut Figures,
) -> anyhow::Result<()> {
    let node = Node::start(program, &folder.join("node"), false).await?;
    at_depths(&node.place(), Whose::Ours, load, depths, figures).await?;
    verify(&node, figures).await?;
    node.stop().await
}

async fn ours_inside(
    folder: &Path,
    load: Load,
    depths: &[usize],
    figures: &mut Figures,
) -> anyhow::Result<()> {
    let inside = Inside::start(folder).await?;
    at_depths(&inside.place, Whose::Inside, load, depths, figures).await?;
    inside.stop().await;
    Ok(())
}

async fn at_depths(
    place: &client::Place,
    whose: Whose,
    load: Load,
    depths: &[usize],
    figures: &mut Figures,
) -> anyhow::Result<()> {
    let mut clients = join_all(place, load.clients).await?;
    let mut waiting = 0;
    for depth in depths {
        clients = fill(clients, depth.saturating_sub(waiting), load).await?;
        waiting = *depth;
        let rate;
        (rate, clients) = cycles(clients, load).await?;
        figures.add(Measure::Cycles(*depth), whose, rate);
        say(&format!("    {depth} waiting: {rate:.0} cycles/s"))?;
        if *depth == 0 {
            let waits = dispatch(place, load).await?;
            figures.add(Measure::DispatchP50, whose, waits.p50);
            figures.add(Measure::DispatchP99, whose, waits.p99);
            say(&format!("    dispatch: p50 {:.2} ms, p99 {:.2} ms", waits.p50, waits.p99))?;
        }
    }
    Ok(())
}

/// Whether walking the whole ledger makes others wait.
async fn verify(node: &Node, figures: &mut Figures) -> anyhow::Result<()> {
    let mut looker = node.wire().await?;
    figures.add(Measure::StatusAlone, Whose::Ours, looks(&mut looker).await?);
    let mut auditor = node.wire().await?;
    let start = Instant::now();
    let walk = async {
        let verdict: serde_json::Value = serde_json::from_slice(&auditor.get("/ledger/verify").await?)?;
        anyhow::Ok((verdict, start.elapsed()))
    };
    let ((verdict, took), during) = tokio::try_join!(walk, looks(&mut looker))?;
    anyhow::ensure!(verdict["ok"] == true, "the ledger does not verify: {verdict}");
    let entries = verdict["entries"].as_f64().context("a verdict without a count")?;
    figures.add(Measure::StatusDuringVerify, Whose::Ours, during);
    figures.add(Measure::VerifiedEntries, Whose::Ours, entries);
    figures.add(Measure::VerifyRate, Whose::Ours, entries / took.as_secs_f64());
    Ok(())
}

async fn looks(wire: &mut client::Wire) -> anyhow::Result<f64> {
    let mut waits = Vec::new();
    for _ in 0..LOOKS {
        let start = Instant::now();
        wire.get("/status").await?;
        waits.push(start.elapsed().as_secs_f64() * 1_000.0);
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    Ok(percentile(&mut waits, 99))
}

fn memory_and_boot(
    runtime: &Runtime,
    program: &Path,
    folder: &Path,
    load: Load,
    figures: &mut Figures,
) -> anyhow::Result<()> {
    runtime.block_on(async {
        let whole = Node::start(program, &folder.join("whole"), true).await?;
        figures.add(Measure::FirstBoot, Whose::Ours, whole.boot.as_secs_f64() * 1_000.0);
        tokio::time::sleep(SETTLE).await;
        let (alone, all) = whole.memory()?;
        figures.add(Measure::IdleMemory, Whose::Ours, alone);
        figures.add(Measure::IdleMemoryWithChildren, Whose::Ours, all);
        whole.stop().await?;
        for _ in 0..BOOTS {
            let again = Node::start(program, &folder.join("whole"), true).await?;
            figures.add(Measure::Boot, Whose::Ours, again.boot.as_secs_f64() * 1_000.0);
            again.stop().await?;
        }
        let node = Node::start(program, &folder.join("worked"), false).await?;
        let clients = join_all(&node.place(), load.clients).await?;
        drop(some_cycles(clients, WORKED.0, WORKED.1).await?);
        tokio::time::sleep(SETTLE).await;
        figures.add(Measure::MemoryAfterTasks, Whose::Ours, node.memory()?.0);
        node.stop().await
    })
}

#[expect(clippy::print_stdout, reason = "a program that prints figures")]
fn say(words: &str) -> anyhow::Result<()> {
    println!("{words}");
    Ok(std::io::stdout().flush()?)
}

/// The system's clock.
fn now() -> Timestamp {
    client::timestamp(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis())
}

/// The system's entropy.
#[expect(clippy::expect_used, reason = "nothing can be measured without ids")]
fn entropy() -> u128 {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).expect("the system has random bytes");
    u128::from_le_bytes(bytes)
}

/// A port nobody listens on.
fn free_port() -> anyhow::Result<u16> {
    Ok(std::net::TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

/// What `attempt` gives, tried until it gives something.
async fn retried<T>(within: Duration, attempt: impl AsyncFn() -> Option<T>) -> anyhow::Result<T> {
    let start = Instant::now();
    loop {
        if let Some(value) = attempt().await {
            return Ok(value);
        }
        anyhow::ensure!(start.elapsed() < within, "nothing in {within:?}");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}
