//! What the doors count, in Prometheus' text form.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use edgecoder_protocol::ErrorCode;
use edgecoder_protocol::api::status::Status;
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::Error;
use crate::inference::Counts;

mod sandbox;

pub(crate) use self::sandbox::{Ended, SandboxCounts};

const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// From a cached status (100 µs) to a long poll (30 s).
const BUCKETS: [f64; 9] = [0.000_1, 0.000_5, 0.002, 0.01, 0.05, 0.25, 1.0, 5.0, 30.0];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answer {
    door: &'static str,
    method: &'static str,
    route: Cow<'static, str>,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Door {
    door: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct State {
    state: String,
}

/// Counters shared by all doors of a node; cheap to clone.
#[derive(Debug, Clone)]
pub struct Metrics {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    registry: Registry,
    answers: Family<Answer, Counter>,
    latency: Family<Door, Histogram>,
    leases: Counter,
    queued: Gauge,
    workers: Gauge,
    tasks: Family<State, Gauge>,
    sandbox: SandboxCounts,
    inference: Counts,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// All counters at zero.
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("edgecoder");
        let answers = Family::<Answer, Counter>::default();
        registry.register("http_requests", "Requests answered", answers.clone());
        let latency = Family::<Door, Histogram>::new_with_constructor(|| Histogram::new(BUCKETS));
        let words = "Time from a request's head to its answer's head; long polls wait on purpose";
        registry.register_with_unit("http_request_duration", words, Unit::Seconds, latency.clone());
        let leases = Counter::default();
        registry.register("leases_granted", "Attempts handed to workers", leases.clone());
        let queued = Gauge::default();
        registry.register("queue_attempts", "Attempts waiting or running", queued.clone());
        let workers = Gauge::default();
        registry.register("workers_connected", "Workers heard of in the last two minutes", workers.clone());
        let tasks = Family::<State, Gauge>::default();
        registry.register("tasks", "Tasks by state", tasks.clone());
        let sandbox = SandboxCounts::register(&mut registry);
        let inference = Counts::register(&mut registry);
        Self {
            inner: Arc::new(Inner {
                registry,
                answers,
                latency,
                leases,
                queued,
                workers,
                tasks,
                sandbox,
                inference,
            }),
        }
    }

    pub(crate) fn answered(
        &self,
        door: &'static str,
        method: &'static str,
        route: &str,
        status: u16,
        took: Duration,
    ) {
        let answer = Answer { door, method, route: Cow::Owned(route.to_owned()), status };
        self.inner.answers.get_or_create(&answer).inc();
        self.inner.latency.get_or_create(&Door { door }).observe(took.as_secs_f64());
    }

    pub(crate) fn lease_granted(&self) {
        self.inner.leases.inc();
    }

    /// Takes over the queue's figures, read at the time of the scrape.
    pub(crate) fn queue(&self, status: &Status) {
        let figure = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        self.inner.queued.set(figure(status.queued));
        self.inner.workers.set(figure(status.agents));
        for (state, count) in &status.tasks {
            self.inner.tasks.get_or_create(&State { state: state.clone() }).set(figure(*count));
        }
    }

    /// What workers' sandboxes came to.
    pub(crate) fn sandbox(&self) -> &SandboxCounts {
        &self.inner.sandbox
    }

    /// What is asked of the inference role.
    pub(crate) fn inference(&self) -> &Counts {
        &self.inner.inference
    }

    pub(crate) fn page(&self) -> Result<Response, Error> {
        let mut page = String::new();
        text::encode(&mut page, &self.inner.registry)
            .map_err(|_| Error::new(ErrorCode::Internal, "the metrics cannot be written"))?;
        Ok(([(CONTENT_TYPE, MEDIA_TYPE)], page).into_response())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reference_page_names_every_metric() {
        let place = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/metrics.md");
        let kept = std::fs::read_to_string(place).unwrap();
        let metrics = Metrics::new();
        // What has labels is on the page once it was counted.
        metrics.answered("coordinator", "GET", "/health", 200, Duration::from_millis(3));
        metrics.inner.tasks.get_or_create(&State { state: "running".to_owned() }).set(1);
        metrics.inference().touch();
        metrics.sandbox().touch();
        let mut page = String::new();
        text::encode(&mut page, &metrics.inner.registry).unwrap();
        let helps: Vec<_> = page.lines().filter_map(|line| line.strip_prefix("# HELP ")).collect();
        assert_eq!(helps.len(), kept.matches("| `edgecoder_").count(), "{page}");
        for (name, words) in helps.iter().filter_map(|help| help.split_once(' ')) {
            let row = kept.lines().find(|line| line.starts_with(&format!("| `{name}` |")));
            assert!(row.is_some_and(|row| row.contains(words.trim_end_matches('.'))), "{name}: {words}");
        }
    }

    #[test]
    fn what_was_counted_is_on_the_page() {
        let metrics = Metrics::new();
        metrics.answered("coordinator", "GET", "/tasks/{id}", 404, Duration::from_millis(3));
        metrics.lease_granted();
        let mut page = String::new();
        text::encode(&mut page, &metrics.inner.registry).unwrap();
        for line in [
            "edgecoder_http_requests_total{door=\"coordinator\",method=\"GET\",route=\"/tasks/{id}\",status=\"404\"} 1",
            "edgecoder_http_request_duration_seconds_count{door=\"coordinator\"} 1",
            "edgecoder_leases_granted_total 1",
        ] {
            assert!(page.contains(line), "{line}\n{page}");
        }
    }
}
