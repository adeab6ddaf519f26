//! `edgecoder sandbox …`: what confines executions here, layer by layer, and the images of mode `docker`.

mod images;
mod layers;

use clap::{Subcommand, ValueEnum};
use edgecoder_sandbox::{Mode, Probe, Sandbox};
use serde_json::json;

use self::layers::{Row, State};
use super::{Context, JsonArgs};
use crate::error::{Error, Exit};
use crate::output::{Style, harmless};

#[derive(Debug, Subcommand)]
pub(crate) enum SandboxCommand {
    /// Run the canary in the sandbox and show each layer: whether it holds, and what is weaker without it
    Check(JsonArgs),
    /// The images of mode `docker`
    #[command(subcommand)]
    Images(ImagesCommand),
}

#[derive(Debug, Subcommand)]
pub(crate) enum ImagesCommand {
    /// Show which images the daemon has, by digest
    List(JsonArgs),
    /// Build images from Debian packages: downloads from a Debian mirror (DEBIAN_MIRROR), needs debootstrap, dockerd
    /// and root
    Build {
        /// Which [default: all]
        #[arg(value_enum)]
        names: Vec<ImageName>,
    },
}

/// An image that this project builds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ImageName {
    /// Python with pytest
    Python,
    /// Node with npm
    Node,
}

impl ImageName {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Python => "python",
            Self::Node => "node",
        }
    }
}

pub(super) async fn run(context: &Context, command: SandboxCommand) -> Result<Exit, Error> {
    match command {
        SandboxCommand::Check(args) => check(context, args.json).await,
        SandboxCommand::Images(ImagesCommand::List(args)) => images::list(context, args.json).await,
        SandboxCommand::Images(ImagesCommand::Build { names }) => images::build(context, &names),
    }
}

async fn check(context: &Context, as_json: bool) -> Result<Exit, Error> {
    let config = context.loaded.config.sandbox.to_sandbox(&context.env);
    let (mode, millicores) = (config.mode, config.millicores);
    let in_use = (mode == Mode::Docker).then(|| config.docker.socket.clone());
    let daemons = crate::doctor::at_hand(context, in_use.as_deref());
    let sandbox = Sandbox::new(config).map_err(|error| Error::Role(error.to_string()))?;
    let probe = sandbox.probe().await;
    let rows = probe.layers.as_ref().map(|seen| layers::rows(seen, mode, millicores)).unwrap_or_default();
    let out = context.out;
    if as_json {
        out.line(json!({
            "level": probe.level, "degraded": probe.degraded, "reason": probe.reason, "layers": rows,
            "daemons": daemons,
        }));
    } else {
        out.line(headline(&probe));
        for Row { layer, state, found, without } in &rows {
            let (word, style) = match state {
                State::Held => ("held", Style::Good),
                State::NotAsked => ("off ", Style::Faint),
                State::Missing => ("weak", Style::Warn),
            };
            let without = if *state == State::Missing { format!(": {without}") } else { String::new() };
            out.line(format_args!("  {}  {layer:<11} {found}{without}", out.paint(style, word)));
        }
        daemons.iter().for_each(|daemon| out.line(format_args!("  also here: {}", harmless(daemon))));
    }
    match probe.reason {
        None => Ok(Exit::Done),
        Some(_) => Err(Error::Unhealthy(1)),
    }
}

fn headline(probe: &Probe) -> String {
    match (probe.level, &probe.reason) {
        (Some(level), _) => format!("the canary was contained at level {level}"),
        (None, reason) => {
            let why = reason.as_deref().unwrap_or("the canary got out");
            format!("executions are refused: {}", harmless(why))
        }
    }
}
