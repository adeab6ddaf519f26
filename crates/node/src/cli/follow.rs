//! Watching a task: a live line on a terminal, plain lines elsewhere, JSON for programs.

use std::time::Duration;

use edgecoder_base::TaskId;
use edgecoder_net::ApiClient;
use edgecoder_protocol::api::tasks::TaskView;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::json;

use super::{Context, render};
use crate::error::{Error, Exit};

/// How often the live line moves.
const TICK: Duration = Duration::from_millis(120);

/// Shows the task's events until it waits for nobody but a person, then its result.
pub(super) async fn follow(
    context: &Context,
    client: &ApiClient,
    id: &TaskId,
    json: bool,
) -> Result<Exit, Error> {
    let out = context.out;
    let live = live_line(context, json);
    let mut events = client.events(id, None);
    while let Some(event) = events.next().await? {
        if json {
            out.line(json!({ "event": event }));
            continue;
        }
        let line = render::event(&event);
        live.set_message(line.clone());
        live.suspend(|| out.note(format_args!("  {line}")));
    }
    live.finish_and_clear();
    let task = client.task(id).await?;
    if json {
        out.line(json!({ "task": task }));
    } else {
        show_result(context, client, &task).await?;
    }
    Ok(exit_of(&task))
}

async fn show_result(context: &Context, client: &ApiClient, task: &TaskView) -> Result<(), Error> {
    if task.result.is_some() {
        let diff = client.diff(&task.id).await?;
        context.out.raw(&render::diff(context.out, &diff));
    }
    context.out.raw(&render::task(context.out, task));
    Ok(())
}

fn live_line(context: &Context, json: bool) -> ProgressBar {
    if json || !context.out.is_live() {
        return ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
    }
    let line = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {elapsed} {msg}") {
        line.set_style(style);
    }
    line.enable_steady_tick(TICK);
    line
}

/// What the task's state means to a script.
pub(super) fn exit_of(task: &TaskView) -> Exit {
    match task.state.as_str() {
        "review" | "approved" => Exit::Done,
        "completed" if task.ok == Some(false) => Exit::Failed,
        "completed" => Exit::Done,
        "abstained" => Exit::Abstained,
        "cancelled" | "rejected" => Exit::Cancelled,
        _ => Exit::Failed,
    }
}
