//! `edgecoder model …`: the grammar, and the catalogue that all its commands share.

mod bench;
mod find;
mod keep;
mod list;
mod machine;
mod pull;
mod table;

use std::sync::Arc;
use std::time::SystemTime;

use clap::{Args, Subcommand};
use edgecoder_base::Timestamp;
use edgecoder_inference::catalog::{Catalog, Digest, ModelName};
use edgecoder_inference::download::disk::LocalDisk;

use super::{Context, JsonArgs};
use crate::error::{Error, Exit};

/// What a source can be; below the help of `pull`.
const SOURCES: &str = "A source is one of:\n  \
    qwen2.5-coder-1.5b             a name that `edgecoder model suggest` shows, with or without :QUANT\n  \
    hf:OWNER/REPO[@REV][:QUANT]    a repository of Hugging Face; hf:OWNER/REPO/FILE.gguf names a file\n  \
    ollama:NAME[:TAG]              a model of the Ollama registry\n  \
    https://HOST/FILE.gguf         any web server\n  \
    ./FILE.gguf                    a file of this machine";

#[derive(Debug, Subcommand)]
pub(crate) enum ModelCommand {
    /// List the installed models and unfinished pulls
    List(JsonArgs),
    /// Search the built-in list and Hugging Face
    Search {
        /// Words
        #[arg(required = true)]
        words: Vec<String>,
        /// Show at most this many
        #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=100))]
        limit: u32,
        #[command(flatten)]
        json: JsonArgs,
    },
    /// Say which model suits this machine's memory and speed, and why
    Suggest(SuggestArgs),
    /// Install a model; the same pull again goes on where it was stopped
    #[command(after_help = SOURCES)]
    Pull(PullArgs),
    /// Make an installed model the one that this node uses
    Use(UseArgs),
    /// Remove models, or what is left of unfinished pulls
    Rm(RmArgs),
    /// Measure how fast a model is here
    Bench(BenchArgs),
    /// Read installed models again and compare them with their SHA-256
    Verify {
        /// The models [default: all]
        names: Vec<ModelName>,
        #[command(flatten)]
        json: JsonArgs,
    },
}

#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct SuggestArgs {
    /// Window that is wanted, tokens
    #[arg(long, value_name = "TOKENS", default_value_t = 8192, value_parser = clap::value_parser!(u32).range(512..=1_048_576))]
    pub(crate) context: u32,
    /// Requests at the same time
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub(crate) slots: u32,
    #[command(flatten)]
    pub(crate) json: JsonArgs,
}

#[derive(Debug, Args)]
pub(crate) struct PullArgs {
    /// Where the model comes from
    pub(crate) source: String,
    /// Name to install it under [default: that of its file]
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<ModelName>,
    /// SHA-256 that the file must have
    #[arg(long, value_name = "HEX")]
    pub(crate) sha256: Option<Digest>,
    /// Use it from now on
    #[arg(long = "use")]
    pub(crate) choose: bool,
    /// Print progress and result as JSON, one value a line
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct UseArgs {
    /// The model
    #[arg(required_unless_present = "shipped")]
    pub(crate) name: Option<ModelName>,
    /// Go back to the model that comes with the program
    #[arg(long, conflicts_with = "name")]
    pub(crate) shipped: bool,
    #[command(flatten)]
    pub(crate) json: JsonArgs,
}

#[derive(Debug, Args)]
pub(crate) struct RmArgs {
    /// The models
    #[arg(required_unless_present = "unfinished")]
    pub(crate) names: Vec<ModelName>,
    /// Also the one in use
    #[arg(long)]
    pub(crate) force: bool,
    /// What unfinished pulls left
    #[arg(long)]
    pub(crate) unfinished: bool,
    #[command(flatten)]
    pub(crate) json: JsonArgs,
}

#[derive(Debug, Args)]
pub(crate) struct BenchArgs {
    /// The model [default: the one that this node uses]
    pub(crate) name: Option<ModelName>,
    #[command(flatten)]
    pub(crate) json: JsonArgs,
}

pub(super) async fn run(context: &Context, command: ModelCommand) -> Result<Exit, Error> {
    match command {
        ModelCommand::List(args) => list::run(context, &catalog(context)?, args.json),
        ModelCommand::Search { words, limit, json } => {
            find::search(context.out, &catalog(context)?, &words.join(" "), limit, json.json).await
        }
        ModelCommand::Suggest(args) => find::suggestions(context.out, &catalog(context)?, args),
        ModelCommand::Pull(args) => pull::run(context, &catalog(context)?, args).await,
        ModelCommand::Use(args) => keep::choose(context, &catalog(context)?, args).await,
        ModelCommand::Rm(args) => keep::remove(context, &catalog(context)?, &args),
        ModelCommand::Bench(args) => bench::run(context, &catalog(context)?, args).await,
        ModelCommand::Verify { names, json } => {
            keep::verify(context, &catalog(context)?, names, json.json).await
        }
    }
}

/// The catalogue of this node's settings.
fn catalog(context: &Context) -> Result<Catalog, Error> {
    let config = context.loaded.config.models.to_catalog(&context.data);
    Ok(Catalog::build(config, Arc::new(LocalDisk), now)?)
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// Bytes as hubs show them, in decimal units.
fn size(bytes: u64) -> String {
    let scaled = |unit: u64| (bytes.saturating_add(unit / 20) / (unit / 10), unit);
    let (tenths, name) = match bytes {
        1_000_000_000.. => (scaled(1_000_000_000).0, "GB"),
        _ => (scaled(1_000_000).0, "MB"),
    };
    format!("{}.{} {name}", tenths / 10, tenths % 10)
}

/// Numbers of weights as people say them.
fn weights(count: u64) -> String {
    let (tenths, name) = match count {
        1_000_000_000.. => (count / 100_000_000, "B"),
        _ => (count / 100_000, "M"),
    };
    format!("{}.{}{name}", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_said_as_hubs_say_them() {
        let check = |bytes, expected| assert_eq!(size(bytes), expected);
        check(0, "0.0 MB");
        check(3_194_208, "3.2 MB");
        check(491_000_000, "491.0 MB");
        check(4_680_000_000, "4.7 GB");
        assert_eq!((weights(494_000_000), weights(7_610_000_000)), ("494.0M".into(), "7.6B".into()));
    }
}
