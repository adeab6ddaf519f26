//! What can be typed. Every command is a file below; this one is the grammar.

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
use edgecoder_base::{PrivacyTier, TaskId};

use crate::env::Env;
use crate::error::{Error, Exit};
use crate::output::Output;
use crate::role::Role;

pub(crate) use context::Context;

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
    Up(UpArgs),
    /// Show the running node, its doors, queue and workers
    Status(JsonArgs),
    /// Check hardware, model, sandbox, ports, database and disk; name the fix for each finding
    Doctor(JsonArgs),
    /// Check, print or describe the settings
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Check or show the ledger
    #[command(subcommand)]
    Ledger(LedgerCommand),
    /// Ask for a change, or look after earlier tasks
    Task(Box<TaskArgs>),
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
    Review(ReviewArgs),
    /// Put a task's proven patch into a working directory
    Apply(ApplyArgs),
    /// Go through a recorded attempt again, without a model
    Replay(ReplayArgs),
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
    Engine(EngineArgs),
}

#[derive(Debug, Clone, Default, Args)]
pub(crate) struct UpArgs {
    /// Roles to perform, separated by commas [default: all]
    #[arg(long, value_delimiter = ',', value_name = "ROLE")]
    pub(crate) roles: Vec<Role>,
    /// Use ports 14301 to 14304 and 14310 instead of 4301 to 4304 and 4310
    #[arg(long, conflicts_with = "port_offset")]
    pub(crate) alt_ports: bool,
    /// Add N to the port of every door
    #[arg(long, value_name = "N")]
    pub(crate) port_offset: Option<u16>,
}

#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct JsonArgs {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Clone, Copy, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Report everything that is wrong with the settings
    Check,
    /// Print the effective settings with their origins; secrets are hidden
    Print,
    /// Print the JSON schema of edgecoder.toml
    Schema,
}

#[derive(Debug, Clone, Copy, Subcommand)]
pub(crate) enum LedgerCommand {
    /// Check every record's hash and every checkpoint's signature
    Verify(JsonArgs),
    /// Show records
    Show {
        /// Start after this position
        #[arg(long, value_name = "N", default_value_t = 0)]
        after: u64,
        /// Show at most this many
        #[arg(long, value_name = "N", default_value_t = 50)]
        limit: u32,
        /// Print one JSON record a line
        #[arg(long)]
        json: bool,
    },
}

/// `edgecoder task "<request>"`, or one of the commands.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_precedence_over_arg = true)]
pub(crate) struct TaskArgs {
    #[command(subcommand)]
    pub(crate) command: Option<TaskCommand>,
    #[command(flatten)]
    pub(crate) submit: SubmitArgs,
}

#[derive(Debug, Clone, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is one switch of the command line")]
pub(crate) struct SubmitArgs {
    /// What you want
    #[arg(required = true)]
    pub(crate) request: Option<String>,
    /// The repository it is about
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(crate) repo: PathBuf,
    /// Command that exits with 0 when the work is right
    #[arg(long, value_name = "CMD")]
    pub(crate) verify: Option<String>,
    /// Seconds that command may take
    #[arg(long, value_name = "SECONDS", default_value_t = 300, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(crate) verify_timeout: u64,
    /// File that only the origin sees, laid into the clean copy when a candidate is judged
    #[arg(long, value_name = "FILE")]
    pub(crate) hidden_verify: Option<PathBuf>,
    /// Command for the hidden file [default: that of --verify]
    #[arg(long, value_name = "CMD", requires = "hidden_verify")]
    pub(crate) hidden_command: Option<String>,
    /// Where the hidden file is laid, relative to the repository [default: its own name]
    #[arg(long, value_name = "PATH", requires = "hidden_verify")]
    pub(crate) hidden_path: Option<String>,
    /// Attempts to make side by side
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=32))]
    pub(crate) samples: u8,
    /// Paths a patch may touch; may be given several times
    #[arg(long, value_name = "GLOB")]
    pub(crate) allow: Vec<String>,
    /// Let a patch change tests and their configuration
    #[arg(long)]
    pub(crate) allow_tests: bool,
    /// Let a patch change manifests and lock files of package managers
    #[arg(long)]
    pub(crate) allow_dependencies: bool,
    /// Paths whose secrets may be part of the snapshot (test keys); may be given several times
    #[arg(long, value_name = "GLOB")]
    pub(crate) allow_secret: Vec<String>,
    /// Where the content may go: local, devices, invited or public
    #[arg(long, value_name = "TIER", default_value = "devices")]
    pub(crate) privacy: PrivacyTier,
    /// 0 to 100; higher goes first
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u8).range(0..=100))]
    pub(crate) priority: u8,
    /// Model that must do the work
    #[arg(long, value_name = "NAME")]
    pub(crate) model: Option<String>,
    /// Ask for a split into subtasks
    #[arg(long)]
    pub(crate) split: bool,
    /// Stay and show what happens (the default)
    #[arg(long, conflicts_with_all = ["detach", "json"])]
    pub(crate) follow: bool,
    /// Print events and the result as JSON, one value a line
    #[arg(long)]
    pub(crate) json: bool,
    /// Submit, print the task's id, and leave
    #[arg(long)]
    pub(crate) detach: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum TaskCommand {
    /// List tasks, newest first
    List {
        /// Only tasks in this state
        #[arg(long)]
        state: Option<String>,
        /// Show at most this many
        #[arg(long, value_name = "N", default_value_t = 20)]
        limit: u32,
        /// Print one JSON value a line
        #[arg(long)]
        json: bool,
    },
    /// Show a task
    Show {
        /// The task
        id: TaskId,
        #[command(flatten)]
        json: JsonArgs,
    },
    /// Follow a task until it waits for a person or has ended
    Watch {
        /// The task
        id: TaskId,
        #[command(flatten)]
        json: JsonArgs,
    },
    /// Print a task's proven patch as a diff
    Diff {
        /// The task
        id: TaskId,
    },
    /// List a task's attempts and what became of each
    Attempts {
        /// The task
        id: TaskId,
        #[command(flatten)]
        json: JsonArgs,
    },
    /// Print the trace of the winning attempt, or of another
    Trace {
        /// The task
        id: TaskId,
        /// The attempt, as `task attempts` lists it
        #[arg(long)]
        attempt: Option<String>,
    },
    /// Stop a task
    Cancel {
        /// The task
        id: TaskId,
    },
}

#[derive(Debug, Args)]
pub(crate) struct ReviewArgs {
    /// The task
    pub(crate) id: TaskId,
    /// The decision
    #[arg(value_enum)]
    pub(crate) decision: Decision,
    /// A note for the record
    #[arg(long)]
    pub(crate) note: Option<String>,
    /// Say that the review notes on the patch were read; a patch with notes is approved only then
    #[arg(long)]
    pub(crate) accept_notes: bool,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub(crate) enum Decision {
    /// Take the patch
    Approve,
    /// Drop it
    Reject,
    /// Try again with fresh samples
    Retry,
}

#[derive(Debug, Args)]
pub(crate) struct ApplyArgs {
    /// The task
    pub(crate) id: TaskId,
    /// The working directory
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(crate) repo: PathBuf,
    /// Make this git branch first
    #[arg(long, value_name = "NAME")]
    pub(crate) branch: Option<String>,
    /// Commit the change with git
    #[arg(long)]
    pub(crate) commit: bool,
    /// Say that the review notes on the patch were read; a patch with notes is applied only then
    #[arg(long)]
    pub(crate) accept_notes: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ReplayArgs {
    /// A trace, as `edgecoder task trace` prints it; `-` reads standard input
    pub(crate) trace: PathBuf,
    /// Print the model's prompts and answers too
    #[arg(long)]
    pub(crate) full: bool,
}

#[derive(Debug, Args)]
pub(crate) struct WorkerArgs {
    /// The coordinator's door
    #[arg(long)]
    pub(crate) coordinator_door: String,
    /// The inference door
    #[arg(long)]
    pub(crate) inference_door: String,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct EngineArgs {
    /// GGUF file
    #[arg(long)]
    pub(crate) model: PathBuf,
    /// Window in tokens
    #[arg(long)]
    pub(crate) context: Option<u32>,
    /// Threads
    #[arg(long)]
    pub(crate) threads: Option<u32>,
    /// Requests decoded together
    #[arg(long)]
    pub(crate) slots: Option<u32>,
    /// Layers on a graphics card
    #[arg(long)]
    pub(crate) gpu_layers: Option<u32>,
    /// GGUF file that guesses ahead
    #[arg(long)]
    pub(crate) draft: Option<PathBuf>,
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
    let context = |up: &UpArgs| Context::open(global.clone(), up, env.clone(), out);
    let plain = UpArgs::default();
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
