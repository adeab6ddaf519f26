//! How far a pull is: one value that always says the latest, for a bar in a terminal, a stream of events, or a question.

use edgecoder_base::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::error::CatalogError;
use super::name::ModelName;

/// What a pull is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PullStatus {
    /// Nothing is pulled.
    #[default]
    Idle,
    /// The source is asked what it has.
    Resolving,
    /// Bytes are coming.
    Pulling,
    /// The file is read back and hashed.
    Verifying,
    /// Installed.
    Ready,
    /// Stopped; the next pull goes on from here.
    Cancelled,
    /// Failed.
    Error,
}

/// The latest of a pull. Serialises in the published form, `{model, status, progressPct, completed, total, …}`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PullProgress {
    /// The model's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// What is being done.
    pub status: PullStatus,
    /// Whole percent of the present step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub progress_pct: Option<u8>,
    /// Bytes done in the present step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub completed: Option<u64>,
    /// Bytes of the whole file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
    /// When it began, milliseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at_ms: Option<i64>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl PullProgress {
    /// Whether nothing more will come of this pull.
    pub const fn is_over(&self) -> bool {
        matches!(self.status, PullStatus::Ready | PullStatus::Cancelled | PullStatus::Error)
    }

    fn step(&mut self, status: PullStatus, completed: u64) {
        self.status = status;
        self.completed = Some(completed);
        let total = self.total.unwrap_or_default();
        let percent = completed.saturating_mul(100).checked_div(total).unwrap_or(100).min(100);
        self.progress_pct = u8::try_from(percent).ok();
    }
}

/// Where the steps of a pull are noted.
#[derive(Debug, Clone)]
pub(crate) struct Meter(watch::Sender<PullProgress>);

impl Meter {
    pub(crate) fn new() -> Self {
        Self(watch::channel(PullProgress::default()).0)
    }

    pub(crate) fn seen(&self) -> watch::Receiver<PullProgress> {
        self.0.subscribe()
    }

    pub(crate) fn begin(&self, model: &str, now: Timestamp) {
        self.0.send_replace(PullProgress {
            model: Some(model.to_owned()),
            status: PullStatus::Resolving,
            started_at_ms: Some(now.as_millis()),
            ..PullProgress::default()
        });
    }

    pub(crate) fn named(&self, model: &ModelName) {
        self.0.send_modify(|latest| latest.model = Some(model.to_string()));
    }

    pub(crate) fn total(&self, total: u64, done: u64) {
        self.0.send_modify(|latest| {
            latest.total = Some(total);
            latest.step(PullStatus::Pulling, done);
        });
    }

    pub(crate) fn at(&self, done: u64) {
        self.0.send_modify(|latest| latest.step(PullStatus::Pulling, done));
    }

    pub(crate) fn verifying(&self, done: u64) {
        self.0.send_modify(|latest| latest.step(PullStatus::Verifying, done));
    }

    pub(crate) fn end<T>(&self, outcome: &Result<T, CatalogError>) {
        self.0.send_modify(|latest| match outcome {
            Ok(_) => {
                latest.status = PullStatus::Ready;
                latest.progress_pct = Some(100);
                latest.completed = latest.total;
            }
            Err(CatalogError::Cancelled) => latest.status = PullStatus::Cancelled,
            Err(error) => {
                latest.status = PullStatus::Error;
                latest.error = Some(error.to_string());
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_has_the_published_form() {
        let meter = Meter::new();
        let check =
            |expected: &str| assert_eq!(serde_json::to_string(&*meter.seen().borrow()).unwrap(), expected);
        check(r#"{"status":"idle"}"#);
        meter.begin("m", Timestamp::from_millis(7));
        check(r#"{"model":"m","status":"resolving","startedAtMs":7}"#);
        meter.total(200, 0);
        meter.at(150);
        check(
            r#"{"model":"m","status":"pulling","progressPct":75,"completed":150,"total":200,"startedAtMs":7}"#,
        );
        meter.verifying(20);
        check(
            r#"{"model":"m","status":"verifying","progressPct":10,"completed":20,"total":200,"startedAtMs":7}"#,
        );
        meter.end(&Ok(()));
        check(
            r#"{"model":"m","status":"ready","progressPct":100,"completed":200,"total":200,"startedAtMs":7}"#,
        );
        meter.end::<()>(&Err(CatalogError::Cancelled));
        assert!(meter.seen().borrow().is_over());
    }
}
