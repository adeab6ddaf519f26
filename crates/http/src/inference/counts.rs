//! What is asked of the inference role, and what its engine has to do.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use edgecoder_protocol::api::inference::AskedCount;
use edgecoder_worker::models::ModelsHandle;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

/// From a cached split (10 ms) to a long answer of a large model on a processor (10 min).
const BUCKETS: [f64; 8] = [0.01, 0.1, 0.5, 2.0, 10.0, 30.0, 120.0, 600.0];

/// What can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    Decompose,
    Escalate,
    Complete,
}

impl What {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Decompose => "decompose",
            Self::Escalate => "escalate",
            Self::Complete => "complete",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Asked {
    what: &'static str,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Kind {
    what: &'static str,
}

/// The counters; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Counts {
    asked: Family<Asked, Counter>,
    latency: Family<Kind, Histogram>,
    fallbacks: Counter,
    running: Gauge,
    waiting: Gauge,
    restarts: Counter,
    /// Milliseconds over all answers, by what was asked.
    total_ms: Arc<[AtomicU64; 3]>,
}

impl Counts {
    /// Counters at zero, shown on the page of `registry`.
    pub(crate) fn register(registry: &mut Registry) -> Self {
        let counts = Self {
            asked: Family::default(),
            latency: Family::new_with_constructor(|| Histogram::new(BUCKETS)),
            fallbacks: Counter::default(),
            running: Gauge::default(),
            waiting: Gauge::default(),
            restarts: Counter::default(),
            total_ms: Arc::default(),
        };
        registry.register(
            "inference_requests",
            "Requests to the engine, by what and outcome",
            counts.asked.clone(),
        );
        let words = "Time of a whole answer, waiting for a slot included";
        registry.register_with_unit("inference_duration", words, Unit::Seconds, counts.latency.clone());
        let words = "Splits that stood as one subtask";
        registry.register("decompose_fallbacks", words, counts.fallbacks.clone());
        registry.register("engine_answers_running", "Answers in the making", counts.running.clone());
        registry.register("engine_answers_waiting", "Answers waiting for a slot", counts.waiting.clone());
        registry.register(
            "engine_restarts",
            "Times an engine died and was started again",
            counts.restarts.clone(),
        );
        counts
    }

    /// Counts a request from now until the answer is dropped.
    pub(super) fn begin(&self, what: What) -> Running {
        Running { counts: self.clone(), what, since: Instant::now(), ok: false }
    }

    pub(super) fn fell_back(&self) {
        self.fallbacks.inc();
    }

    pub(super) fn fallbacks(&self) -> u64 {
        self.fallbacks.get()
    }

    /// Takes over the engine's figures, read at the time of the scrape.
    pub(super) fn engine(&self, models: &ModelsHandle) {
        let figure = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        let load = models.switch().load();
        self.running.set(figure(load.running));
        self.waiting.set(figure(load.waiting));
        self.restarts.inner().store(models.switch().restarts(), Ordering::Relaxed);
    }

    /// The figures of one kind.
    pub(super) fn of(&self, what: What) -> AskedCount {
        let count = |outcome| self.asked.get_or_create(&Asked { what: what.as_str(), outcome }).get();
        let (successes, failures) = (count("ok"), count("failed"));
        let total = self.total_ms.get(what as usize).map_or(0, |total| total.load(Ordering::Relaxed));
        AskedCount { requests: successes + failures, successes, total_latency_ms: total }
    }

    fn ended(&self, what: What, ok: bool, took: Duration) {
        let outcome = if ok { "ok" } else { "failed" };
        self.asked.get_or_create(&Asked { what: what.as_str(), outcome }).inc();
        self.latency.get_or_create(&Kind { what: what.as_str() }).observe(took.as_secs_f64());
        if let Some(total) = self.total_ms.get(what as usize) {
            total.fetch_add(u64::try_from(took.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
        }
    }

    /// One of each, so that a page of metrics shows all names.
    #[cfg(test)]
    pub(crate) fn touch(&self) {
        self.ended(What::Complete, true, Duration::ZERO);
    }
}

/// A request that is being answered; counted when it is dropped.
#[derive(Debug)]
pub(super) struct Running {
    counts: Counts,
    what: What,
    since: Instant,
    ok: bool,
}

impl Running {
    /// The answer is whole. One that is dropped before was not.
    pub(super) const fn done(&mut self) {
        self.ok = true;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.counts.ended(self.what, self.ok, self.since.elapsed());
    }
}
