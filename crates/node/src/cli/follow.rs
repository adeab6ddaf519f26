//! Watching a task: lines that move on a terminal, plain lines elsewhere, JSON for programs.

use edgecoder_base::TaskId;
use edgecoder_net::ApiClient;
use edgecoder_protocol::api::tasks::TaskView;
use serde_json::json;

use super::progress::Progress;
use super::{Context, render};
use crate::error::{Error, Exit};

/// Shows the task's events until it waits for nobody but a person, then its result.
pub(super) async fn follow(
    context: &Context,
    client: &ApiClient,
    id: &TaskId,
    json: bool,
) -> Result<Exit, Error> {
    let out = context.out;
    let mut progress = (!json).then(|| Progress::new(out));
    let mut events = client.events(id, None);
    while let Some(event) = events.next().await? {
        match &mut progress {
            Some(progress) => progress.tell(&event),
            None => out.line(json!({ "event": event })),
        }
    }
    if let Some(progress) = progress {
        progress.end();
    }
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
