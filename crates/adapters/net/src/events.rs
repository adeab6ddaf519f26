//! A task's events as they happen, across lost connections: each reconnect goes on after the last event seen.

use std::collections::VecDeque;
use std::time::Duration;

use edgecoder_base::TaskId;
use edgecoder_protocol::api::tasks::TaskEventView;
use reqwest::Response;

use crate::sse::SseSplitter;
use crate::{ApiClient, Error};

/// Attempts to reach the node again without a single event in between, before the caller is told.
const MAX_FAILURES: u32 = 8;
/// First pause before a reconnect; doubles up to [`MAX_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// Longest pause before a reconnect.
const MAX_PAUSE: Duration = Duration::from_secs(5);

/// What tells how far a running attempt is: a hint that no ledger keeps, so it moves no position and may repeat.
const PROGRESS: &str = "progress";

/// The events of one task, in order, without repetition; between them `progress` events of what runs.
#[derive(Debug)]
pub struct TaskEvents {
    client: ApiClient,
    task: TaskId,
    after: Option<u64>,
    connection: Option<(Response, SseSplitter)>,
    ready: VecDeque<TaskEventView>,
    failures: u32,
}

impl TaskEvents {
    pub(crate) fn new(client: ApiClient, task: TaskId, after: Option<u64>) -> Self {
        Self { client, task, after, connection: None, ready: VecDeque::new(), failures: 0 }
    }

    /// The next event; none once the task waits for nobody but a person, or has ended.
    pub async fn next(&mut self) -> Result<Option<TaskEventView>, Error> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                if event.event == PROGRESS {
                    return Ok(Some(event));
                }
                if self.after.is_some_and(|after| event.sequence <= after) {
                    continue;
                }
                self.after = Some(event.sequence);
                self.failures = 0;
                return Ok(Some(event));
            }
            match self.read_some().await {
                Ok(true) => {}
                Ok(false) => return Ok(None),
                Err(error) if error.is_retryable() && self.failures < MAX_FAILURES => {
                    tracing::debug!(task = %self.task, %error, "event stream lost");
                    self.connection = None;
                    self.pause().await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Reads until at least one event may be ready; false when the stream has come to its end.
    async fn read_some(&mut self) -> Result<bool, Error> {
        if self.connection.is_none() {
            let response = self.client.open_events(&self.task, self.after).await?;
            self.connection = Some((response, SseSplitter::default()));
        }
        let Some((response, splitter)) = &mut self.connection else { return Ok(true) };
        let chunk = response.chunk().await.map_err(|error| self.client.unreachable(&error))?;
        let Some(chunk) = chunk else {
            // A node that stops also ends the stream properly: ask whether the task is really done.
            self.connection = None;
            let task = self.client.task(&self.task).await?;
            let unfinished = matches!(task.state.as_str(), "planning" | "running");
            if unfinished {
                self.pause().await;
            }
            return Ok(unfinished);
        };
        let events = splitter.push(&chunk).map_err(|error| Error::Protocol(error.to_string()))?;
        for event in events {
            let view =
                serde_json::from_str(&event.data).map_err(|error| Error::Protocol(error.to_string()))?;
            self.ready.push_back(view);
        }
        Ok(true)
    }

    async fn pause(&mut self) {
        tokio::time::sleep(FIRST_PAUSE.saturating_mul(1 << self.failures.min(16)).min(MAX_PAUSE)).await;
        self.failures += 1;
    }
}
