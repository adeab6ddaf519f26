//! What runs inside the container: the first process of it, and the one that becomes the command.
//!
//! Both are nobody's user, so what keeps the command from the box is the kernel: no signal reaches the first process
//! of a namespace from inside, nobody may trace, and what cannot be dumped shows nothing of itself in `/proc`. The
//! command holds pipes, never the container's own streams: what it writes cannot pass for the box's word.

use std::fs::File;
use std::io::{self, BufReader, Write};
use std::os::fd::AsFd;
use std::process::ExitCode;

use rustix::process::{DumpableBehavior, set_dumpable_behavior};

use super::wire::{self, BoxLaunch, Channel, frame_head};
use crate::jail::{During, sys};
use crate::launch::{Failure, Outcome};

mod bounds;
mod command;
mod lay;
mod relay;

/// The argument by which the box starts itself as the process that becomes the command.
const COMMAND: &str = "command";
/// Largest frame; the node holds no more of an artefact than this at once, besides what it keeps.
const FRAME_BYTES: usize = 64 * 1024;

/// The program `edgecoder-box`: hears a launch and a tree on standard input, and answers in frames.
pub fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some(COMMAND) {
        return command::main();
    }
    match attend() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The node shows this as the reason why there is no report.
            let _unheard = writeln!(io::stderr(), "edgecoder-box: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The error is for a node that talks nonsense, or no more.
fn attend() -> io::Result<()> {
    sys::close_others(false)?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    let mut input =
        BufReader::with_capacity(FRAME_BYTES, File::from(io::stdin().as_fd().try_clone_to_owned()?));
    let launch = wire::hear(&mut input)?;
    let mut output = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    let (outcome, artefacts) = match execute(&launch, &mut input, &mut output) {
        Ok(ended) => ended,
        Err(failure) => (Outcome::Failed(failure), Vec::new()),
    };
    let header = serde_json::to_vec(&outcome)?;
    let length = u32::try_from(header.len()).map_err(io::Error::other)?;
    say(&mut output, Channel::Outcome, &length.to_le_bytes())?;
    say(&mut output, Channel::Outcome, &header)?;
    artefacts.iter().try_for_each(|bytes| say(&mut output, Channel::Outcome, bytes))
}

fn execute(
    launch: &BoxLaunch,
    input: &mut BufReader<File>,
    output: &mut File,
) -> Result<(Outcome, Vec<Vec<u8>>), Failure> {
    let bounds = bounds::Bounds::read(&launch.launch.limits);
    let level = super::run::level(launch.level, &bounds.layers());
    if level < launch.launch.min_level {
        return Err(format!("only {level} is possible here"))
            .during(format!("reaching level {}", launch.launch.min_level));
    }
    lay::tree(input)?;
    relay::run(launch, &bounds, output)
}

/// Sends `bytes` as frames of `channel`.
fn say(output: &mut File, channel: Channel, bytes: &[u8]) -> io::Result<()> {
    for piece in bytes.chunks(FRAME_BYTES) {
        let length = u32::try_from(piece.len()).map_err(io::Error::other)?;
        output.write_all(&frame_head(channel, length))?;
        output.write_all(piece)?;
    }
    Ok(())
}
