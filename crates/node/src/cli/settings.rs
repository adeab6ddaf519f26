//! `edgecoder config check|print|schema`.

use clap::Subcommand;

use super::Global;
use super::context::sources;
use super::up::UpArgs;
use crate::config::{load, schema, show};
use crate::env::Env;
use crate::error::{Error, Exit};
use crate::output::{Output, Style};

#[derive(Debug, Clone, Copy, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Report everything that is wrong with the settings
    Check,
    /// Print the effective settings with their origins; secrets are hidden
    Print,
    /// Print the JSON schema of edgecoder.toml
    Schema,
}

pub(super) fn run(global: &Global, env: Env, out: Output, command: ConfigCommand) -> Result<Exit, Error> {
    if let ConfigCommand::Schema = command {
        out.line(serde_json::to_string_pretty(&schema()).unwrap_or_default());
        return Ok(Exit::Done);
    }
    let loaded = load(&sources(global, &UpArgs::default(), &env)?)?;
    if let ConfigCommand::Print = command {
        out.raw(&show(&loaded));
        return Ok(Exit::Done);
    }
    let file = loaded.file.map_or_else(|| "no file".to_owned(), |path| path.display().to_string());
    let good = out.paint(Style::Good, "the settings are fine");
    out.line(format_args!("{good} ({file}, {} value(s) set)", loaded.origins.len()));
    Ok(Exit::Done)
}
