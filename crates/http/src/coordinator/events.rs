//! A task's events as they happen: first what the ledger has, then what is added, until the task has ended.

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State as Shared;
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use edgecoder_base::{AttemptId, TaskId};
use edgecoder_coordinator::{Handle, Progress};
use edgecoder_protocol::ErrorCode;
use edgecoder_protocol::api::error::ErrorBody;
use edgecoder_protocol::api::tasks::{TaskEventView, TaskView};
use futures::Stream;
use serde::Deserialize;

use super::State;
use crate::Error;
use crate::auth::MeshMember;
use crate::extract::{Closing, Path, Query};

/// Proxies close what is silent for longer.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// How often a worker's progress is looked at; it is a hint for people.
const PROGRESS: Duration = Duration::from_secs(1);

/// From where, and for how long.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Follow {
    /// Only events after this height; the header `Last-Event-ID` counts more.
    after: Option<u64>,
    /// `forever` keeps the stream open after the task has ended.
    follow: Option<String>,
}

/// Events of a task. `progress` events have no id and repeat the last height: they are not in the ledger.
#[utoipa::path(get, path = "/tasks/{id}/events", tag = "tasks",
    params(("id" = String, Path), Follow, ("last-event-id" = Option<u64>, Header)), responses(
    (status = 200, body = TaskEventView, content_type = "text/event-stream"),
    (status = "default", body = ErrorBody)))]
pub(super) async fn events(
    _: MeshMember,
    state: Shared<State>,
    Path(id): Path<TaskId>,
    Query(follow): Query<Follow>,
    headers: HeaderMap,
    closing: Closing,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Error> {
    let after = last_event_id(&headers)?.or(follow.after).unwrap_or(0);
    let forever = follow.follow.as_deref() == Some("forever");
    state.handle().task(&id).await?;
    let follower = Follower::new(state.handle().clone(), id, after, forever, closing);
    let stream = futures::stream::unfold(follower, |mut follower| async {
        follower.next().await.map(|event| (Ok(event), follower))
    });
    Ok(Sse::new(stream).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)))
}

fn last_event_id(headers: &HeaderMap) -> Result<Option<u64>, Error> {
    let Some(value) = headers.get("last-event-id") else { return Ok(None) };
    let number = value.to_str().ok().and_then(|text| text.parse().ok());
    number.map(Some).ok_or_else(|| Error::new(ErrorCode::InvalidRequest, "Last-Event-ID: not a number"))
}

struct Follower {
    handle: Handle,
    id: TaskId,
    after: u64,
    forever: bool,
    closing: Closing,
    pulse: tokio::sync::watch::Receiver<edgecoder_store::Pulse>,
    ready: VecDeque<Event>,
    told: BTreeMap<AttemptId, Progress>,
    done: bool,
}

impl Follower {
    fn new(handle: Handle, id: TaskId, after: u64, forever: bool, closing: Closing) -> Self {
        let pulse = handle.pulse();
        let (ready, told) = (VecDeque::new(), BTreeMap::new());
        Self { handle, id, after, forever, closing, pulse, ready, told, done: false }
    }

    /// The next event; none when nothing more will come.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            if self.done {
                return None;
            }
            // Armed before looking: what is committed in between is not missed.
            self.pulse.mark_unchanged();
            match self.look().await {
                Ok(true) => continue,
                Ok(false) => self.wait().await,
                Err(error) => self.fail(&error),
            }
        }
    }

    /// Reads what is new; says whether to look again at once.
    async fn look(&mut self) -> Result<bool, Error> {
        // The task first: had it ended before the events were read, then all of them were read.
        let task = self.handle.task(&self.id).await?;
        let events = self.handle.events(&self.id, self.after).await?;
        let more = !events.is_empty();
        for event in events {
            self.after = event.sequence;
            let sse = Event::default().id(event.sequence.to_string());
            self.push(sse, &event)?;
        }
        if more {
            return Ok(true);
        }
        self.done = task.ended_at.is_some() && !self.forever;
        self.progress(&task)?;
        Ok(self.done || !self.ready.is_empty())
    }

    fn push(&mut self, sse: Event, view: &TaskEventView) -> Result<(), Error> {
        let sse = sse.event(&view.event).json_data(view);
        let sse = sse.map_err(|_| Error::new(ErrorCode::Internal, "an event cannot be written"))?;
        self.ready.push_back(sse);
        Ok(())
    }

    fn progress(&mut self, task: &TaskView) -> Result<(), Error> {
        let running = task.subtasks.iter().flat_map(|subtask| {
            subtask
                .attempts
                .iter()
                .filter(|attempt| attempt.state == "leased")
                .map(|attempt| (&subtask.id, attempt))
        });
        for (subtask, attempt) in running {
            let Some(progress) = self.handle.progress(&attempt.id) else { continue };
            if self.told.get(&attempt.id) == Some(&progress) {
                continue;
            }
            let detail = serde_json::json!({
                "attempt": attempt.id, "phase": progress.phase, "output_tokens": progress.output_tokens,
            });
            let view = TaskEventView {
                sequence: self.after,
                event: "progress".to_owned(),
                at: self.handle.now(),
                subtask: Some(subtask.clone()),
                actor: attempt.worker.as_ref().map(ToString::to_string).unwrap_or_default(),
                detail,
            };
            self.told.insert(attempt.id.clone(), progress);
            self.push(Event::default(), &view)?;
        }
        Ok(())
    }

    async fn wait(&mut self) {
        let news = async {
            // Without anybody who commits there are no news.
            if self.pulse.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            biased;
            () = self.closing.0.cancelled() => self.done = true,
            () = news => {}
            () = tokio::time::sleep(PROGRESS) => {}
        }
    }

    /// The head is sent long ago: the stream ends early, and the client asks again after the last event it saw.
    fn fail(&mut self, error: &Error) {
        tracing::warn!(%error, task = %self.id, "following a task failed");
        self.done = true;
    }
}
