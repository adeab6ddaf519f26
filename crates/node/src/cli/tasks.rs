//! `edgecoder task list|show|watch|diff|attempts|trace|cancel` and `edgecoder review`.

use clap::{Args, Subcommand, ValueEnum};
use edgecoder_base::{AttemptId, TaskId};
use edgecoder_net::{ApiClient, TaskQuery};
use edgecoder_protocol::api::tasks::{ReviewDecision, ReviewRequest, TaskView};
use serde::Serialize;

use super::session::{Need, with_client};
use super::submit::SubmitArgs;
use super::{Context, JsonArgs, follow, render};
use crate::error::{Error, Exit};
use crate::output::harmless;

/// `edgecoder task "<request>"`, or one of the commands.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_precedence_over_arg = true)]
pub(crate) struct TaskArgs {
    #[command(subcommand)]
    pub(crate) command: Option<TaskCommand>,
    #[command(flatten)]
    pub(crate) submit: SubmitArgs,
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

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Decision {
    /// Take the patch
    Approve,
    /// Drop it
    Reject,
    /// Try again with fresh samples
    Retry,
}

pub(super) async fn run(context: &Context, command: TaskCommand) -> Result<Exit, Error> {
    // Only watching waits for work to be done; the rest is in the books.
    let need = if matches!(command, TaskCommand::Watch { .. }) { Need::Work } else { Need::Queue };
    with_client(context, need, async |client| perform(context, client, command).await).await
}

async fn perform(context: &Context, client: &ApiClient, command: TaskCommand) -> Result<Exit, Error> {
    let out = context.out;
    match command {
        TaskCommand::List { state, limit, json } => list(context, client, state, limit, json).await,
        TaskCommand::Show { id, json } => {
            let task = client.task(&id).await?;
            if json.json {
                out.line(as_json(&task))
            } else {
                out.raw(&render::task(out, &task))
            }
            Ok(Exit::Done)
        }
        TaskCommand::Watch { id, json } => follow::follow(context, client, &id, json.json).await,
        TaskCommand::Diff { id } => {
            out.raw(&render::diff(out, &client.diff(&id).await?));
            // On the other stream: a diff that is piped into a file stays one.
            let task = client.task(&id).await?;
            for note in task.result.iter().flat_map(|result| render::notes(out, &result.notes)) {
                out.note(note);
            }
            Ok(Exit::Done)
        }
        TaskCommand::Attempts { id, json } => {
            let attempts = client.attempts(&id).await?;
            if json.json {
                out.line(as_json(&attempts));
            } else {
                for attempt in &attempts {
                    let why = render::why(attempt).map(|why| format!("  {why}")).unwrap_or_default();
                    out.line(out.fit(&format!("{}{why}", render::attempt(out, attempt))));
                }
            }
            Ok(Exit::Done)
        }
        TaskCommand::Trace { id, attempt } => {
            let attempt = attempt.map(|attempt| attempt_of(&id, &attempt)).transpose()?;
            out.raw(&harmless(&client.trace(&id, attempt.as_ref()).await?));
            Ok(Exit::Done)
        }
        TaskCommand::Cancel { id } => {
            let task = client.cancel(&id).await?;
            out.line(state_line(&task));
            Ok(Exit::Done)
        }
    }
}

/// The attempt that was named, in full or as it is shown below its task.
fn attempt_of(task: &TaskId, named: &str) -> Result<AttemptId, Error> {
    let whole = if named.starts_with(task.as_str()) { named.to_owned() } else { format!("{task}.{named}") };
    AttemptId::new(whole).map_err(|error| Error::Usage(error.to_string()))
}

async fn list(
    context: &Context,
    client: &ApiClient,
    state: Option<String>,
    limit: u32,
    json: bool,
) -> Result<Exit, Error> {
    let query = TaskQuery { state, cursor: None, limit: Some(limit) };
    let page = client.tasks(&query).await?;
    for task in &page.tasks {
        if json {
            context.out.line(as_json(task));
        } else {
            context.out.line(render::summary(context.out, task, crate::roles::now()));
        }
    }
    if page.next.is_some() && !json {
        context.out.note("there are more: raise --limit");
    }
    Ok(Exit::Done)
}

pub(super) async fn review(context: &Context, args: ReviewArgs) -> Result<Exit, Error> {
    let decision = match args.decision {
        Decision::Approve => ReviewDecision::Approve,
        Decision::Reject => ReviewDecision::Reject,
        Decision::Retry => ReviewDecision::Retry,
    };
    let request = ReviewRequest { decision, note: args.note, accept_notes: args.accept_notes };
    with_client(context, Need::Queue, async |client| {
        if decision == ReviewDecision::Approve && !args.accept_notes {
            let notes = client.task(&args.id).await?.result.map(|result| result.notes).unwrap_or_default();
            render::notes(context.out, &notes).into_iter().for_each(|note| context.out.note(note));
        }
        let task = client.review(&args.id, &request).await?;
        context.out.line(state_line(&task));
        Ok(Exit::Done)
    })
    .await
}

fn state_line(task: &TaskView) -> String {
    format!("{} is {}", task.id, harmless(&task.state))
}

pub(super) fn as_json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
