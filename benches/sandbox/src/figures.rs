//! Samples of several runs and what they come to.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

/// All that was measured, by measure and by whom.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    samples: BTreeMap<(&'static str, &'static str), Vec<f64>>,
}

/// Sorts, and takes the value that so many hundredths do not exceed.
fn percentile(values: &mut [f64], hundredths: usize) -> f64 {
    values.sort_by(f64::total_cmp);
    let at = (values.len() * hundredths / 100).min(values.len().saturating_sub(1));
    values.get(at).copied().unwrap_or(f64::NAN)
}

impl Figures {
    pub(crate) fn add(&mut self, measure: &'static str, whose: &'static str, took: Duration) {
        self.samples.entry((measure, whose)).or_default().push(took.as_secs_f64() * 1_000.0);
    }

    fn percentiles(&self, measure: &'static str, whose: &'static str) -> Option<[f64; 4]> {
        let mut values = self.samples.get(&(measure, whose))?.clone();
        Some([0, 50, 95, 99].map(|hundredths| percentile(&mut values, hundredths)))
    }

    /// As Markdown, milliseconds.
    pub(crate) fn table(&self) -> String {
        let mut text =
            "| measure, ms | whose | n | least | p50 | p95 | p99 | p50 ÷ bubblewrap | p50 ÷ bare |\n|---|---|---|---|---|---|---|---|---|\n"
                .to_owned();
        for ((measure, whose), values) in &self.samples {
            let Some([least, p50, p95, p99]) = self.percentiles(measure, whose) else { continue };
            let beside = |other| {
                let other =
                    self.percentiles(measure, other).map(|[_, other, ..]| format!("{:.3}", p50 / other));
                other.unwrap_or_else(|| "–".to_owned())
            };
            let _infallible = writeln!(
                text,
                "| {measure} | {whose} | {} | {least:.2} | {p50:.2} | {p95:.2} | {p99:.2} | {} | {} |",
                values.len(),
                beside("bubblewrap"),
                beside("bare"),
            );
        }
        text
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        let rows = self.samples.iter().map(|((measure, whose), values)| {
            serde_json::json!({ "measure": measure, "whose": whose, "samples_ms": values,
                "percentiles_0_50_95_99": self.percentiles(measure, whose) })
        });
        rows.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_shows_percentiles_and_the_ratio() {
        let mut figures = Figures::default();
        for ms in 1..=100 {
            figures.add("start", "ours", Duration::from_millis(ms * 2));
            figures.add("start", "bubblewrap", Duration::from_millis(ms));
        }
        let table = figures.table();
        assert!(
            table.contains("| start | ours | 100 | 2.00 | 102.00 | 192.00 | 200.00 | 2.000 | – |"),
            "{table}"
        );
    }
}
