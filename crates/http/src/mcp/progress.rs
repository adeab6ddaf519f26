//! Waiting for a task's end, with its progress told to a client that wants to hear it.

use std::time::Duration;

use edgecoder_base::TaskId;
use edgecoder_protocol::api::tasks::TaskView;
use rmcp::RoleServer;
use rmcp::model::{ProgressNotificationParam, ProgressToken};
use rmcp::service::{Peer, RequestContext};
use tokio::time::Instant;

use super::Tasks;
use super::answers::state_line;
use super::states::is_settled;
use crate::Error;

/// Between two looks at a task: its database answers from memory.
const LOOK: Duration = Duration::from_millis(500);
/// A client is told at least so often that its request still lives.
const SIGN_OF_LIFE: Duration = Duration::from_secs(10);

/// Waits until nothing more happens to the task by itself, `within` this time, or until nobody waits any more.
pub(super) async fn wait(
    tasks: &dyn Tasks,
    id: &TaskId,
    within: Duration,
    context: &RequestContext<RoleServer>,
) -> Result<TaskView, Error> {
    let until = Instant::now() + within;
    let mut progress = Progress::of(context);
    loop {
        let task = tasks.task(id).await?;
        if is_settled(&task) || Instant::now() >= until {
            return Ok(task);
        }
        progress.tell(&task).await;
        tokio::select! {
            biased;
            () = context.ct.cancelled() => return Ok(task),
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}

/// What a client has been told.
struct Progress<'a> {
    peer: &'a Peer<RoleServer>,
    token: Option<ProgressToken>,
    told: u32,
    last: Option<(Instant, String)>,
}

impl<'a> Progress<'a> {
    fn of(context: &'a RequestContext<RoleServer>) -> Self {
        Self { peer: &context.peer, token: context.meta.get_progress_token(), told: 0, last: None }
    }

    /// Tells what is new, or that there is nothing new.
    async fn tell(&mut self, task: &TaskView) {
        let Some(token) = &self.token else { return };
        let line = state_line(task);
        let news = |(at, said): &(Instant, String)| *said != line || at.elapsed() >= SIGN_OF_LIFE;
        if !self.last.as_ref().is_none_or(news) {
            return;
        }
        self.told += 1;
        let said = ProgressNotificationParam::new(token.clone(), f64::from(self.told)).with_message(&line);
        if let Err(error) = self.peer.notify_progress(said).await {
            // Whoever left will not read the answer either.
            tracing::debug!(%error, "nobody hears the progress");
        }
        self.last = Some((Instant::now(), line));
    }
}
