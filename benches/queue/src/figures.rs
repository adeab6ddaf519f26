//! Figures of several runs, side by side: least, median and most of each, and what ours is beside the others.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

/// Sorts, and takes the value that so many hundredths do not exceed.
pub(crate) fn percentile(values: &mut [f64], hundredths: usize) -> f64 {
    values.sort_by(f64::total_cmp);
    values
        .get((values.len() * hundredths / 100).min(values.len().saturating_sub(1)))
        .copied()
        .unwrap_or(f64::NAN)
}

/// Whose figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Whose {
    Ours,
    /// Ours, without HTTP and signatures.
    Inside,
    BullMq,
    JetStream,
}

impl Whose {
    const ALL: [(Self, &'static str); 4] = [
        (Self::Ours, "ours (door)"),
        (Self::Inside, "ours (handle)"),
        (Self::BullMq, "BullMQ"),
        (Self::JetStream, "JetStream"),
    ];
}

/// One line of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Measure {
    /// Cycles in a second with so many tasks waiting.
    Cycles(usize),
    DispatchP50,
    DispatchP99,
    /// MiB, the node's process; and with its children.
    IdleMemory,
    IdleMemoryWithChildren,
    MemoryAfterTasks,
    /// Milliseconds from `edgecoder up` to every door answering.
    Boot,
    FirstBoot,
    /// Milliseconds, 99 of 100 answers of `GET /status`; alone, and while the ledger is walked.
    StatusAlone,
    StatusDuringVerify,
    /// Ledger entries walked, and walked in a second.
    VerifiedEntries,
    VerifyRate,
}

impl Measure {
    fn words(self) -> (String, &'static str) {
        match self {
            Self::Cycles(0) => ("cycles/s, queue empty".to_owned(), "≥ the better neighbour"),
            Self::Cycles(depth) => (format!("cycles/s, {depth} waiting"), "flat"),
            Self::DispatchP50 => ("dispatch p50, ms".to_owned(), "≤ 2"),
            Self::DispatchP99 => ("dispatch p99, ms".to_owned(), "≤ 10"),
            Self::IdleMemory => ("idle node, MiB".to_owned(), "≤ 25"),
            Self::IdleMemoryWithChildren => ("idle node with its children, MiB".to_owned(), ""),
            Self::MemoryAfterTasks => ("node after 10,000 tasks of 10 kB, MiB".to_owned(), "≤ 60"),
            Self::Boot => ("`edgecoder up` → all doors, ms".to_owned(), "≤ 100"),
            Self::FirstBoot => ("the same, in a new directory, ms".to_owned(), "≤ 100"),
            Self::StatusAlone => ("GET /status p99, ms".to_owned(), ""),
            Self::StatusDuringVerify => ("the same while the ledger is verified, ms".to_owned(), "no stall"),
            Self::VerifiedEntries => ("ledger entries verified".to_owned(), "≥ 30,000"),
            Self::VerifyRate => ("entries verified in a second".to_owned(), ""),
        }
    }
}

/// Least, median and most.
#[derive(Debug, Clone, Copy, Serialize)]
struct Spread {
    min: f64,
    median: f64,
    max: f64,
}

/// All that was measured, in the order of the table.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    values: BTreeMap<(Measure, Whose), Vec<f64>>,
}

impl Figures {
    pub(crate) fn add(&mut self, measure: Measure, whose: Whose, value: f64) {
        self.values.entry((measure, whose)).or_default().push(value);
    }

    fn spread(&self, measure: Measure, whose: Whose) -> Option<Spread> {
        let mut values = self.values.get(&(measure, whose))?.clone();
        Some(Spread {
            min: percentile(&mut values, 0),
            median: percentile(&mut values, 50),
            max: percentile(&mut values, 100),
        })
    }

    fn measures(&self) -> Vec<Measure> {
        let mut measures: Vec<Measure> = self.values.keys().map(|(measure, _)| *measure).collect();
        measures.dedup();
        measures
    }

    /// As Markdown: it is read in a terminal and kept in the documentation.
    pub(crate) fn table(&self) -> String {
        let mut text = "| measure (median, least–most) | target |".to_owned();
        for (_, name) in Whose::ALL {
            let _infallible = write!(text, " {name} |");
        }
        text.push_str(" ours ÷ BullMQ | ours ÷ JetStream |\n|---|---|---|---|---|---|---|---|\n");
        for measure in self.measures() {
            let (words, target) = measure.words();
            let _infallible = write!(text, "| {words} | {target} |");
            for (whose, _) in Whose::ALL {
                let cell = self.spread(measure, whose).map_or_else(|| "–".to_owned(), Spread::shown);
                let _infallible = write!(text, " {cell} |");
            }
            for other in [Whose::BullMq, Whose::JetStream] {
                let ratio =
                    self.ratio(measure, other).map_or_else(|| "–".to_owned(), |ratio| format!("{ratio:.2}"));
                let _infallible = write!(text, " {ratio} |");
            }
            text.push('\n');
        }
        text
    }

    fn ratio(&self, measure: Measure, other: Whose) -> Option<f64> {
        Some(self.spread(measure, Whose::Ours)?.median / self.spread(measure, other)?.median)
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        let rows = self.values.iter().map(|((measure, whose), values)| {
            serde_json::json!({
                "measure": measure, "whose": whose, "words": measure.words().0, "runs": values,
                "spread": self.spread(*measure, *whose),
            })
        });
        rows.collect()
    }
}

impl Spread {
    fn shown(self) -> String {
        let digits = if self.median >= 100.0 { 0 } else { 2 };
        format!("{:.digits$} ({:.digits$}–{:.digits$})", self.median, self.min, self.max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_shows_spreads_and_ratios() {
        let mut figures = Figures::default();
        for (whose, values) in [(Whose::Ours, [300.0, 100.0, 200.0]), (Whose::BullMq, [50.0, 100.0, 400.0])] {
            for value in values {
                figures.add(Measure::Cycles(0), whose, value);
            }
        }
        let table = figures.table();
        let line = table.lines().last().unwrap();
        assert!(line.contains("| 200 (100–300) | – | 100 (50–400) | – | 2.00 | – |"), "{line}");
    }
}
