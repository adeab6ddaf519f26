//! Our sandbox beside its neighbours, in one run: what a start costs, how many stand side by side, how long a kill
//! takes, and what thousands of runs leave behind. Prints figures and judges nothing; what they mean depends on who
//! else uses the cores.
//!
//! Ours is measured as the node uses it: from the call to the report, launcher and all layers included.

mod doors;
mod evals;
mod figures;
mod leftovers;
mod machine;
mod neighbours;
mod overhead;
mod starts;

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Parser;
use edgecoder_sandbox::{Config, Fault, Sandbox};
use tokio::runtime::Builder;

use crate::figures::Figures;
use crate::neighbours::Neighbour;

/// Our sandbox beside bubblewrap, Docker and none.
#[derive(Debug, Parser)]
struct Options {
    /// The launcher's program
    #[arg(long, default_value = "target/release/edgecoder-jail")]
    jail: PathBuf,
    /// Starts of each neighbour in a run; they take turns, so that a busy moment strikes all
    #[arg(long, default_value_t = 300)]
    starts: usize,
    /// Runs started at once
    #[arg(long, default_value_t = 100)]
    parallel: usize,
    /// Runs ended at their wall-clock limit
    #[arg(long, default_value_t = 100)]
    kills: usize,
    /// Runs whose leavings are counted; a third is killed
    #[arg(long, default_value_t = 10_000)]
    jobs: usize,
    #[arg(long, default_value_t = 1)]
    runs: usize,
    /// Bubblewrap's program; left out of the comparison without it
    #[arg(long)]
    bubblewrap: Option<PathBuf>,
    /// Docker's program, and an image that lies ready; left out of the comparison without it
    #[arg(long, num_args = 2, value_names = ["PROGRAM", "IMAGE"])]
    docker: Vec<String>,
    /// The node's program; how soon its doors answer beside hostile programs is left out without it
    #[arg(long)]
    node: Option<PathBuf>,
    /// Hostile programs at a time beside the node
    #[arg(long, default_value_t = 4)]
    slots: usize,
    /// Whole runs of `cargo test` and pytest, bare and inside
    #[arg(long, default_value_t = 0)]
    overhead: usize,
    /// Layers to leave out in these, to see what each costs; obeyed only by a launcher built for development
    #[arg(long, value_parser = layer)]
    without: Vec<Fault>,
    /// A suite of problems with solutions, whose programs the node runs bare and inside; left out without it
    #[arg(long, requires = "node")]
    suite: Option<PathBuf>,
    /// Evaluations of it each way
    #[arg(long, default_value_t = 5)]
    evaluations: usize,
    /// How long its doors are asked, alone and again beside them, seconds; 0: not at all
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// Where to write everything as JSON
    #[arg(long)]
    json: Option<PathBuf>,
}

/// A layer by the name that it has in job descriptions.
fn layer(name: &str) -> serde_json::Result<Fault> {
    serde_json::from_value(name.into())
}

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let facts = machine::facts();
    say(&facts.to_string())?;
    let jail = std::path::absolute(&options.jail)?;
    let config = Config { jail: Some(jail.clone()), ..Config::default() };
    let sandbox = Sandbox::new(config).context("making a sandbox")?;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let probe = runtime.block_on(sandbox.probe());
    let level = probe.level.with_context(|| format!("no sandbox here: {:?}", probe.reason))?;
    say(&format!("level {level}, degraded: {:?}", probe.degraded))?;
    let mut neighbours = vec![Neighbour::Ours(sandbox.clone()), Neighbour::Bare];
    neighbours.extend(options.bubblewrap.clone().map(Neighbour::Bubblewrap));
    if let [program, image] = &options.docker[..] {
        neighbours.push(Neighbour::Docker { program: program.into(), image: image.clone() });
    }
    let mut figures = Figures::default();
    for run in 1..=options.runs {
        say(&format!("run {run} of {}, load average {}", options.runs, machine::load_average()))?;
        runtime.block_on(starts::measure(&neighbours, options.starts, &mut figures))?;
        runtime.block_on(starts::parallel(&sandbox, options.parallel, &mut figures))?;
        runtime.block_on(starts::kills(&sandbox, options.kills, &mut figures))?;
    }
    if options.overhead > 0 {
        runtime.block_on(overhead::measure(&jail, options.overhead, &options.without, &mut figures))?;
    }
    if let (Some(node), Some(suite)) = (&options.node, &options.suite) {
        let jobs = std::thread::available_parallelism().map_or(2, usize::from);
        let (node, often) = (std::path::absolute(node)?, (options.evaluations, jobs));
        let lines = runtime.block_on(evals::measure(&node, suite, often, &mut figures))?;
        lines.iter().try_for_each(|line| say(line))?;
    }
    if let Some(node) = options.node.as_ref().filter(|_| options.seconds > 0) {
        doors::measure(&std::path::absolute(node)?, &sandbox, options.slots, options.seconds, &mut figures)?;
    }
    let left = runtime.block_on(leftovers::count(&sandbox, &jail, options.jobs))?;
    say(&format!("load average at the end: {}\n\n{}\n{left}", machine::load_average(), figures.table()))?;
    if let Some(file) = &options.json {
        let all = serde_json::json!({
            "machine": facts, "level": level, "runs": options.runs, "figures": figures.json(), "leftovers": left,
        });
        std::fs::write(file, serde_json::to_vec_pretty(&all)?)?;
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "a program that prints figures")]
fn say(words: &str) -> anyhow::Result<()> {
    println!("{words}");
    Ok(std::io::stdout().flush()?)
}
