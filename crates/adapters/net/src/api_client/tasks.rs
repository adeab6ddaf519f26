//! The task routes.

use std::time::Duration;

use edgecoder_base::{AttemptId, Patch, TaskId};
use edgecoder_protocol::api::tasks::{AttemptView, ReviewRequest, SubmitTask, TaskPage, TaskView};
use reqwest::{Method, Response};

use super::ApiClient;
use crate::wire::TRANSFER_TIMEOUT;
use crate::{Error, TaskEvents};

/// Largest diff or trace shown: a trace of many completions with their prompts.
const MAX_TEXT_BYTES: usize = 128 * 1024 * 1024;
/// A task may run for hours with long pauses between its events.
const FOLLOW_TIMEOUT: Duration = Duration::from_secs(24 * 60 * 60);

/// Which tasks to list.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TaskQuery {
    /// Only those in this state.
    pub state: Option<String>,
    /// `next` of the page before.
    pub cursor: Option<String>,
    /// Longest page.
    pub limit: Option<u32>,
}

impl ApiClient {
    /// `POST /tasks`. With an idempotency key the same call twice makes one task.
    pub async fn submit(&self, task: &SubmitTask, idempotency_key: Option<&str>) -> Result<TaskView, Error> {
        let mut request = self.request(Method::POST, "/tasks").json(task);
        if let Some(key) = idempotency_key {
            request = request.header("idempotency-key", key);
        }
        self.wire.json(request).await
    }

    /// The same, and once more where the answer was lost: by its key the task is made once all the same.
    pub async fn submit_once(&self, task: &SubmitTask, idempotency_key: &str) -> Result<TaskView, Error> {
        match self.submit(task, Some(idempotency_key)).await {
            Err(error) if error.is_retryable() => self.submit(task, Some(idempotency_key)).await,
            other => other,
        }
    }

    /// `GET /tasks/{id}`.
    pub async fn task(&self, id: &TaskId) -> Result<TaskView, Error> {
        self.wire.json(self.request(Method::GET, &format!("/tasks/{id}"))).await
    }

    /// `GET /tasks`, newest first.
    pub async fn tasks(&self, query: &TaskQuery) -> Result<TaskPage, Error> {
        let limit = query.limit.map(|limit| limit.to_string());
        let pairs = [("state", &query.state), ("cursor", &query.cursor), ("limit", &limit)];
        let given: Vec<_> =
            pairs.into_iter().filter_map(|(name, value)| value.as_ref().map(|value| (name, value))).collect();
        self.wire.json(self.request(Method::GET, "/tasks").query(&given)).await
    }

    /// `GET /tasks/{id}/attempts`.
    pub async fn attempts(&self, id: &TaskId) -> Result<Vec<AttemptView>, Error> {
        self.wire.json(self.request(Method::GET, &format!("/tasks/{id}/attempts"))).await
    }

    /// `GET /tasks/{id}/patch` as a unified diff.
    pub async fn diff(&self, id: &TaskId) -> Result<String, Error> {
        self.text(&format!("/tasks/{id}/patch"), "text/x-diff", None).await
    }

    /// `GET /tasks/{id}/patch` as patches that can be applied, checked for safe paths.
    pub async fn patches(&self, id: &TaskId) -> Result<Vec<Patch>, Error> {
        let request = self
            .request(Method::GET, &format!("/tasks/{id}/patch"))
            .timeout(TRANSFER_TIMEOUT)
            .header("accept", "application/json");
        let body = self.wire.bytes(request, MAX_TEXT_BYTES).await?;
        let raw: Vec<Patch> =
            serde_json::from_slice(&body).map_err(|error| Error::Protocol(error.to_string()))?;
        raw.iter()
            .map(|patch| {
                Patch::from_bytes(&patch.to_bytes()).map_err(|error| Error::Protocol(error.to_string()))
            })
            .collect()
    }

    /// `GET /tasks/{id}/trace` as NDJSON text; of the winning attempt unless one is named.
    pub async fn trace(&self, id: &TaskId, attempt: Option<&AttemptId>) -> Result<String, Error> {
        self.text(&format!("/tasks/{id}/trace"), "application/x-ndjson", attempt).await
    }

    /// `POST /tasks/{id}/cancel`.
    pub async fn cancel(&self, id: &TaskId) -> Result<TaskView, Error> {
        self.wire.json(self.request(Method::POST, &format!("/tasks/{id}/cancel"))).await
    }

    /// `POST /tasks/{id}/review`.
    pub async fn review(&self, id: &TaskId, review: &ReviewRequest) -> Result<TaskView, Error> {
        self.wire.json(self.request(Method::POST, &format!("/tasks/{id}/review")).json(review)).await
    }

    /// The task's events after position `after`, live.
    pub fn events(&self, id: &TaskId, after: Option<u64>) -> TaskEvents {
        TaskEvents::new(self.clone(), id.clone(), after)
    }

    pub(crate) async fn open_events(&self, id: &TaskId, after: Option<u64>) -> Result<Response, Error> {
        let mut request = self
            .request(Method::GET, &format!("/tasks/{id}/events"))
            .timeout(FOLLOW_TIMEOUT)
            .header("accept", "text/event-stream");
        if let Some(after) = after {
            request = request.header("last-event-id", after.to_string());
        }
        self.wire.open(request).await
    }

    async fn text(&self, path: &str, accept: &str, attempt: Option<&AttemptId>) -> Result<String, Error> {
        let mut request = self.request(Method::GET, path).timeout(TRANSFER_TIMEOUT).header("accept", accept);
        if let Some(attempt) = attempt {
            request = request.query(&[("attempt", attempt.as_str())]);
        }
        let body = self.wire.bytes(request, MAX_TEXT_BYTES).await?;
        String::from_utf8(body).map_err(|error| Error::Protocol(error.to_string()))
    }
}
