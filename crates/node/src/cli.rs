//! What can be typed. Every command, with its options, is a file below; this one lists them.

mod acp;
mod apply;
mod ask;
mod capsule;
mod complete;
mod context;
mod eval;
mod follow;
mod freeze;
mod launch;
mod ledger;
mod mcp;
mod model;
mod progress;
mod render;
mod replay;
mod sandbox;
mod session;
mod settings;
mod status;
mod submit;
mod tasks;
mod up;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::env::Env;
use crate::error::{Error, Exit};
use crate::output::Output;

pub(crate) use context::Context;
pub(crate) use up::WorkerArgs;

/// What the exit status says; printed below every help.
const EXIT_CODES: &str = "Exit status: 0 done (a task: proven), 1 error, 2 usage or settings, 3 abstained, \
                          4 cancelled or rejected, 5 no node or unreachable.";

/// Your machines become one coder: ask for a change, get a patch that your own tests prove.
#[derive(Debug, Parser)]
#[command(name = "edgecoder", version, after_help = EXIT_CODES, disable_help_subcommand = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Options of every command.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Global {
    /// Settings file. Default: ./edgecoder.toml, else edgecoder.toml in the data directory
    #[arg(long, global = true, value_name = "FILE", help_heading = "Global")]
    pub(crate) config: Option<PathBuf>,
    /// Directory of identity, database and blobs
    #[arg(long, global = true, value_name = "DIR", help_heading = "Global")]
    pub(crate) data_dir: Option<PathBuf>,
    /// What to log: a level or directives (info,edgecoder_worker=debug)
    #[arg(long, global = true, value_name = "FILTER", help_heading = "Global")]
    pub(crate) log: Option<String>,
    /// Coordinator to speak to. Default: the node running with this data directory
    #[arg(long, global = true, value_name = "URL", help_heading = "Global")]
    pub(crate) coordinator: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start this node and open its doors
    Up(up::UpArgs),
    /// Show the running node, its doors, queue and workers
    Status(JsonArgs),
    /// Check hardware, model, sandbox, ports, database and disk; name the fix for each finding
    Doctor(JsonArgs),
    /// Check, print or describe the settings
    #[command(subcommand)]
    Config(settings::ConfigCommand),
    /// Check or show the ledger
    #[command(subcommand)]
    Ledger(ledger::LedgerCommand),
    /// Ask for a change, or look after earlier tasks
    Task(Box<tasks::TaskArgs>),
    /// Build, list and move the dependencies that tests are shown
    #[command(subcommand)]
    Capsule(capsule::CapsuleCommand),
    /// Find, pull, choose, measure and remove models
    #[command(subcommand)]
    Model(model::ModelCommand),
    /// Print what an editor or agent must be told to use this node, or write it into its settings
    Launch(launch::LaunchArgs),
    /// Be an editor's agent over standard streams (Agent Client Protocol), by the companion of the running node
    Acp,
    /// Offer the running node's queue to an agent, as an MCP server over standard streams
    Mcp,
    /// Show what confines executions here, and look after the images of mode `docker`
    #[command(subcommand)]
    Sandbox(sandbox::SandboxCommand),
    /// Decide about a proven patch
    Review(tasks::ReviewArgs),
    /// Put a task's proven patch into a working directory
    Apply(apply::ApplyArgs),
    /// Go through a recorded attempt again, without a model
    Replay(replay::ReplayArgs),
    /// Measure a model with a suite of problems, run in the sandbox
    Eval(Box<eval::EvalArgs>),
    /// Print completions for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page, or write one page per command
    Man {
        /// Directory to write all pages to
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
    /// Write the pages of docs/reference
    #[command(name = "__reference", hide = true)]
    Reference {
        /// Directory to write to
        out: PathBuf,
    },
    /// The worker, as started by a node
    #[command(name = "__worker", hide = true)]
    Worker(WorkerArgs),
    /// The engine, as started by a node
    #[command(name = "__engine", hide = true)]
    Engine(up::EngineArgs),
}

#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct JsonArgs {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

impl Cli {
    /// Serves as the engine's child, if that is what was typed: without a runtime, for it is confined as a whole only
    /// while it has one thread.
    pub(crate) fn engine(&self) -> Option<Result<Exit, Error>> {
        if let Command::Engine(args) = &self.command { Some(up::engine(args)) } else { None }
    }
}

/// Does what was typed.
pub(crate) async fn run(cli: Cli, env: Env) -> Result<Exit, Error> {
    let out = Output::detect(&env);
    let Cli { global, command } = cli;
    let context = |up: &up::UpArgs| Context::open(global.clone(), up, env.clone(), out);
    let plain = up::UpArgs::default();
    match command {
        Command::Up(args) => up::run(context(&args)?).await,
        Command::Status(args) => status::run(&context(&plain)?, args.json).await,
        Command::Doctor(args) => crate::doctor::run(&context(&plain)?, args.json).await,
        Command::Config(command) => settings::run(&global, env, out, command),
        Command::Ledger(command) => ledger::run(&context(&plain)?, command).await,
        Command::Task(args) => match args.command {
            Some(command) => tasks::run(&context(&plain)?, command).await,
            None => submit::run(&context(&plain)?, args.submit).await,
        },
        Command::Capsule(command) => capsule::run(&context(&plain)?, command).await,
        Command::Model(command) => model::run(&context(&plain)?, command).await,
        Command::Acp => acp::run(context(&plain)?).await,
        Command::Launch(args) => launch::run(&context(&plain)?, &args),
        Command::Mcp => mcp::run(&context(&plain)?).await,
        Command::Sandbox(command) => sandbox::run(&context(&plain)?, command).await,
        Command::Review(args) => tasks::review(&context(&plain)?, args).await,
        Command::Apply(args) => apply::run(&context(&plain)?, args).await,
        Command::Replay(args) => replay::run(out, &args),
        Command::Eval(args) => eval::run(&context(&plain)?, *args).await,
        Command::Completions { shell } => complete::completions(out, shell),
        Command::Man { out: folder } => complete::manual(out, folder.as_deref()),
        Command::Reference { out } => complete::reference(&out),
        Command::Worker(args) => up::worker(context(&plain)?, args).await,
        Command::Engine(args) => up::engine(&args),
    }
}

#[cfg(test)]
mod tests;
