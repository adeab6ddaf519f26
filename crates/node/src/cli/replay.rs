//! `edgecoder replay`: the rules go through a recorded attempt again and must decide as they did then.

use std::io::Read;
use std::path::PathBuf;

use clap::Args;
use edgecoder_agent::{AgentEvent, Entry, Step, replay};
use edgecoder_worker::trace::Line;

use crate::error::{Error, Exit};
use crate::output::{Output, Style, harmless};

#[derive(Debug, Args)]
pub(crate) struct ReplayArgs {
    /// A trace, as `edgecoder task trace` prints it; `-` reads standard input
    pub(crate) trace: PathBuf,
    /// Print the model's prompts and answers too
    #[arg(long)]
    pub(crate) full: bool,
}

pub(super) fn run(out: Output, args: &ReplayArgs) -> Result<Exit, Error> {
    let text = read(args)?;
    let mut start = None;
    let mut entries: Vec<Entry> = Vec::new();
    for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let parsed = serde_json::from_str(line)
            .map_err(|error| Error::Trace { line: index + 1, detail: error.to_string() })?;
        match parsed {
            Line::Start(begun) => {
                out.line(harmless(&format!("{} with {} on {}", begun.attempt, begun.model, begun.engine)));
                start = Some(begun);
            }
            Line::Turn { at, entry } => {
                out.line(harmless(&format!("{at}  {}", turn(&entry, args.full))));
                entries.push(*entry);
            }
            Line::Event { at, event } => out.line(harmless(&format!("{at}  {}", happening(&event)))),
            Line::Resumed { at, epoch } => out.line(format_args!("{at}  taken up again under lease {epoch}")),
        }
    }
    let Some(start) = start else {
        return Err(Error::Trace { line: 1, detail: "a trace begins with a `start` line".to_owned() });
    };
    replay(start.brief, &entries)
        .map_err(|error| Error::Trace { line: entries.len(), detail: error.to_string() })?;
    let good = out.paint(Style::Good, "the rules decide the same again");
    out.line(format_args!("{good}: {} turns", entries.len()));
    Ok(Exit::Done)
}

fn read(args: &ReplayArgs) -> Result<String, Error> {
    if args.trace.as_os_str() == "-" {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map_err(Error::io("read", "standard input"))?;
        return Ok(text);
    }
    std::fs::read_to_string(&args.trace).map_err(Error::io("read", &args.trace))
}

fn turn(entry: &Entry, full: bool) -> String {
    if full {
        return serde_json::to_string_pretty(entry).unwrap_or_default();
    }
    match &entry.step {
        None => "nothing was asked for: the worker went away".to_owned(),
        Some(Step::Read { paths }) => format!("read {}", paths.join(", ")),
        Some(Step::Complete(_)) => "ask the model".to_owned(),
        Some(Step::Verify { patch }) => {
            format!("run the verifier on a patch of {} file(s)", patch.changes.len())
        }
        Some(Step::Submit { summary, .. }) => format!("submit: {summary}"),
        Some(Step::GiveUp { detail, .. }) => format!("give up: {detail}"),
    }
}

fn happening(event: &AgentEvent) -> String {
    serde_json::to_string(event).unwrap_or_default()
}
