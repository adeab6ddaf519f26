//! `edgecoder capsule …`: the dependencies that tests are shown, and what becomes of them. What is downloaded and run is
//! said, and asked, before.

mod build;
mod show;

use std::fs::File;
use std::io::{BufReader, BufWriter};
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use edgecoder_base::BlobHash;
use edgecoder_worker::capsule::{CapsuleShelf, Kept, Kind};

use super::{Context, JsonArgs};
use crate::error::{Error, Exit};
use crate::roles::now;

#[derive(Debug, Subcommand)]
pub(crate) enum CapsuleCommand {
    /// Say what a capsule would be made from, from which hosts, and by what; reaches nobody
    Plan(PlanArgs),
    /// Build the capsules of a repository: downloads packages and runs their scripts, in the sandbox
    Build(BuildArgs),
    /// List capsules
    List(JsonArgs),
    /// Show a capsule
    Show {
        /// Its name, or the beginning of it
        capsule: String,
        #[command(flatten)]
        json: JsonArgs,
    },
    /// Remove a capsule
    Rm {
        /// Its name, or the beginning of it
        capsule: String,
    },
    /// Write a capsule as one file, for another machine
    Export {
        /// Its name, or the beginning of it
        capsule: String,
        /// The file, which must not exist
        file: PathBuf,
    },
    /// Take a capsule from such a file. Whoever made it decides what its programs do in your sandbox
    Import {
        /// The file
        file: PathBuf,
        /// Take this capsule and no other: its whole name, from somebody you trust
        #[arg(long, value_name = "NAME")]
        expect: Option<BlobHash>,
    },
}

#[derive(Debug, Clone, Args)]
pub(crate) struct PlanArgs {
    /// The repository
    #[arg(long, value_name = "DIR", default_value = ".")]
    repo: PathBuf,
    /// Only this kind; may be given several times
    #[arg(long = "kind", value_enum, value_name = "KIND")]
    kinds: Vec<KindName>,
    #[command(flatten)]
    json: JsonArgs,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct BuildArgs {
    #[command(flatten)]
    plan: PlanArgs,
    /// Agree to the downloads and scripts that the plan names
    #[arg(long)]
    yes: bool,
    /// Command to run on the unchanged repository with the capsules, to see whether it can start
    #[arg(long, value_name = "CMD")]
    verify: Option<String>,
    /// Seconds that command may take
    #[arg(long, value_name = "SECONDS", default_value_t = 300, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    verify_timeout: u64,
    /// Let attempts see the capsules even if the command cannot start
    #[arg(long)]
    unverified: bool,
    /// Build again what is here already
    #[arg(long)]
    again: bool,
}

/// A kind as it is typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum KindName {
    Python,
    Node,
    Cargo,
    Go,
    Maven,
}

impl From<KindName> for Kind {
    fn from(name: KindName) -> Self {
        match name {
            KindName::Python => Self::Python,
            KindName::Node => Self::Node,
            KindName::Cargo => Self::Cargo,
            KindName::Go => Self::Go,
            KindName::Maven => Self::Maven,
        }
    }
}

pub(super) async fn run(context: &Context, command: CapsuleCommand) -> Result<Exit, Error> {
    let out = context.out;
    match command {
        CapsuleCommand::Plan(args) => build::plan(context, &args).await,
        CapsuleCommand::Build(args) => build::build(context, &args).await,
        CapsuleCommand::List(json) => {
            show::list(out, &shelf(context)?.list()?, json.json);
            Ok(Exit::Done)
        }
        CapsuleCommand::Show { capsule, json } => {
            show::one(out, &resolve(&shelf(context)?, &capsule)?, json.json);
            Ok(Exit::Done)
        }
        CapsuleCommand::Rm { capsule } => {
            let shelf = shelf(context)?;
            let kept = resolve(&shelf, &capsule)?;
            let freed = shelf.remove(&kept.hash)?;
            out.line(format_args!("removed {}, {} freed", kept.hash.short(), show::size(freed)));
            Ok(Exit::Done)
        }
        CapsuleCommand::Export { capsule, file } => {
            let shelf = shelf(context)?;
            let kept = resolve(&shelf, &capsule)?;
            let to = File::options().write(true).create_new(true).open(&file);
            let mut to = BufWriter::new(to.map_err(Error::io("create", &file))?);
            shelf.export(&kept.hash, &mut to)?;
            out.line(kept.hash);
            out.note("whoever imports it compares that name: edgecoder capsule import FILE --expect NAME");
            Ok(Exit::Done)
        }
        CapsuleCommand::Import { file, expect } => {
            let from = File::open(&file).map_err(Error::io("open", &file))?;
            let most = context.loaded.config.capsule.bounds().tree_bytes;
            let kept = shelf(context)?.import(&mut BufReader::new(from), expect, most, now())?;
            out.line(kept.hash);
            if expect.is_none() {
                out.note("its bytes are whole; who made them is not known, as no --expect was given");
            }
            out.note("attempts use it once a verifier could start with it here");
            Ok(Exit::Done)
        }
    }
}

fn shelf(context: &Context) -> Result<CapsuleShelf, Error> {
    context.data.create()?;
    Ok(CapsuleShelf::open(context.loaded.config.capsule.dir(&context.data))?)
}

/// The one capsule whose name begins like this.
fn resolve(shelf: &CapsuleShelf, text: &str) -> Result<Kept, Error> {
    let mut found: Vec<Kept> = shelf.list()?;
    found.retain(|kept| !text.is_empty() && kept.hash.to_string().starts_with(text));
    match (found.pop(), found.len()) {
        (Some(kept), 0) => Ok(kept),
        (None, _) => {
            Err(Error::Usage(format!("no capsule begins with {text:?}; see `edgecoder capsule list`")))
        }
        (Some(_), more) => Err(Error::Usage(format!("{} capsules begin with {text:?}", more + 1))),
    }
}
