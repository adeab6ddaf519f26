//! What workers' sandboxes came to, as they say it in their reports.

use std::collections::BTreeMap;

use edgecoder_base::Level;
use edgecoder_protocol::api::status::Capacity;
use edgecoder_protocol::work::{Report, SandboxRefusal};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// Layers that can be weak or missing, by the first word of what is said of them. What else a worker says counts as
/// `other`: whoever reports must not choose how many rows this node keeps.
const LAYERS: &[&str] = &[
    "memory",
    "processes",
    "cpu",
    "quota",
    "landlock",
    "proc",
    "copy",
    "locks",
    "limits",
    "sandbox",
    "unconfined",
];
/// The same for modes.
const MODES: &[&str] = &["process", "docker", "none"];
const OTHER: &str = "other";

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Mode {
    mode: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reached {
    level: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Layer {
    layer: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reason {
    reason: &'static str,
}

/// What of a report is counted once the report was taken.
#[derive(Debug)]
pub(crate) struct Ended {
    level: Option<Level>,
    executions: u64,
    layers: Vec<&'static str>,
    refused: Option<SandboxRefusal>,
}

impl Ended {
    pub(crate) fn of(report: &Report) -> Self {
        let mut layers: Vec<_> = report.degraded.iter().map(|words| known(LAYERS, words)).collect();
        layers.sort_unstable();
        layers.dedup();
        Self {
            level: report.level,
            executions: u64::from(report.usage.executions),
            layers,
            refused: report.refused,
        }
    }
}

/// The one of `names` that `words` begin with, up to their colon.
fn known(names: &[&'static str], words: &str) -> &'static str {
    let first = words.split(':').next().unwrap_or_default();
    names.iter().find(|&&name| name == first).copied().unwrap_or(OTHER)
}

/// The counters; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct SandboxCounts {
    level: Family<Mode, Gauge>,
    executions: Family<Reached, Counter>,
    degraded: Family<Layer, Counter>,
    refusals: Family<Reason, Counter>,
}

impl SandboxCounts {
    /// Counters at zero, shown on the page of `registry`.
    pub(super) fn register(registry: &mut Registry) -> Self {
        let counts = Self {
            level: Family::default(),
            executions: Family::default(),
            degraded: Family::default(),
            refusals: Family::default(),
        };
        let words = "Weakest confinement measured by a connected worker, in the order of trust: 0 S0 (none, or \
                     executions are refused), 1 S1, 2 S2, 3 D2, 4 S3, 5 D3, 6 S4";
        registry.register("sandbox_level", words, counts.level.clone());
        let words = "Executions reported by workers, by the confinement they had";
        registry.register("sandbox_executions", words, counts.executions.clone());
        let words = "Attempts with an execution that went without a layer or with less of it, by layer";
        registry.register("sandbox_degraded_attempts", words, counts.degraded.clone());
        let words = "Attempts that failed because the sandbox ran nothing, by reason";
        registry.register("sandbox_refusals", words, counts.refusals.clone());
        counts
    }

    /// Takes over what connected workers measured, read at the time of the scrape.
    pub(crate) fn levels(&self, capacity: &Capacity) {
        let mut weakest = BTreeMap::new();
        for agent in &capacity.agents {
            let level = agent.sandbox_level.unwrap_or(Level::S0);
            let seen = weakest.entry(known(MODES, &agent.sandbox_mode)).or_insert(level);
            *seen = level.min(*seen);
        }
        self.level.clear();
        for (mode, level) in weakest {
            self.level.get_or_create(&Mode { mode }).set(rank(level));
        }
    }

    /// Counts a report that was taken.
    pub(crate) fn ended(&self, ended: Ended) {
        if let Some(level) = ended.level {
            self.executions.get_or_create(&Reached { level: level.to_string() }).inc_by(ended.executions);
        }
        for layer in ended.layers {
            self.degraded.get_or_create(&Layer { layer }).inc();
        }
        if let Some(refused) = ended.refused {
            self.refusals.get_or_create(&Reason { reason: refused.as_str() }).inc();
        }
    }

    /// Makes every row appear, for the test of the reference page.
    #[cfg(test)]
    pub(super) fn touch(&self) {
        self.level.get_or_create(&Mode { mode: OTHER }).set(0);
        self.ended(Ended {
            level: Some(Level::S0),
            executions: 1,
            layers: vec![OTHER],
            refused: Some(SandboxRefusal::Unavailable),
        });
    }
}

/// The place of a level in the order of trust.
const fn rank(level: Level) -> i64 {
    match level {
        Level::S0 => 0,
        Level::S1 => 1,
        Level::S2 => 2,
        Level::D2 => 3,
        Level::S3 => 4,
        Level::D3 => 5,
        Level::S4 => 6,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use edgecoder_protocol::work::Outcome;
    use prometheus_client::encoding::text;

    fn page(registry: &Registry) -> String {
        let mut page = String::new();
        text::encode(&mut page, registry).unwrap();
        page
    }

    #[test]
    fn reports_are_counted_and_strangers_words_make_no_rows() {
        let mut registry = Registry::default();
        let counts = SandboxCounts::register(&mut registry);
        let nothing = || Outcome::NoCandidate { detail: String::new() };
        let mut report = Report::of(nothing());
        report.level = Some(Level::S2);
        report.usage.executions = 3;
        report.degraded = vec!["memory: no cgroup".into(), "a\nb: c".into(), "x".into()];
        counts.ended(Ended::of(&report));
        let refused = Report { refused: Some(SandboxRefusal::ImageMissing), ..Report::of(nothing()) };
        counts.ended(Ended::of(&refused));
        let page = page(&registry);
        for line in [
            "sandbox_executions_total{level=\"S2\"} 3",
            "sandbox_degraded_attempts_total{layer=\"memory\"} 1",
            "sandbox_degraded_attempts_total{layer=\"other\"} 1",
            "sandbox_refusals_total{reason=\"image_missing\"} 1",
        ] {
            assert!(page.contains(line), "{line}\n{page}");
        }
    }

    #[test]
    fn the_order_of_trust_is_the_order_of_the_figures() {
        use Level::{D2, D3, S0, S1, S2, S3, S4};
        let mut all = [S4, D2, S0, D3, S1, S3, S2];
        all.sort_unstable();
        assert_eq!(all.map(rank), [0, 1, 2, 3, 4, 5, 6]);
    }
}
