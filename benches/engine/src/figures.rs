//! Figures of several turns: the best and the median of each, and what ours is beside the neighbour's.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

/// One line of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Measure {
    /// Tokens in a second.
    Prompt,
    Writing,
    OneByOne,
    AtOnce,
    /// How many times as fast.
    AtOnceGain,
    /// Milliseconds.
    FirstToken,
    FirstTokenAgain,
    SharedGain,
}

impl Measure {
    const ALL: [Self; 8] = [
        Self::Prompt,
        Self::Writing,
        Self::OneByOne,
        Self::AtOnce,
        Self::AtOnceGain,
        Self::FirstToken,
        Self::FirstTokenAgain,
        Self::SharedGain,
    ];

    const fn words(self) -> &'static str {
        match self {
            Self::Prompt => "prompt, tokens/s",
            Self::Writing => "answer, tokens/s",
            Self::OneByOne => "8 requests one by one, tokens/s",
            Self::AtOnce => "8 requests at once, tokens/s",
            Self::AtOnceGain => "at once : one by one",
            Self::FirstToken => "first token of a long prompt, ms",
            Self::FirstTokenAgain => "another with the same beginning, ms",
            Self::SharedGain => "first : other",
        }
    }

    /// What ours must reach: a ratio to the neighbour, or a number.
    const fn target(self) -> Option<f64> {
        match self {
            Self::Prompt | Self::Writing => Some(0.97),
            Self::AtOnceGain => Some(2.0),
            Self::SharedGain => Some(5.0),
            Self::OneByOne | Self::AtOnce | Self::FirstToken | Self::FirstTokenAgain => None,
        }
    }

    /// The two measures of ours that this one is the ratio of: at their best, so that a turn in which somebody else had the
    /// processor spoils neither.
    const fn ratio_of(self) -> Option<[Self; 2]> {
        match self {
            Self::AtOnceGain => Some([Self::AtOnce, Self::OneByOne]),
            Self::SharedGain => Some([Self::FirstToken, Self::FirstTokenAgain]),
            Self::Prompt
            | Self::Writing
            | Self::OneByOne
            | Self::AtOnce
            | Self::FirstToken
            | Self::FirstTokenAgain => None,
        }
    }

    const fn less_is_better(self) -> bool {
        matches!(self, Self::FirstToken | Self::FirstTokenAgain)
    }
}

/// Everything about one model.
#[derive(Debug, Serialize)]
pub(crate) struct Figures {
    ours: String,
    theirs: Option<String>,
    measured: BTreeMap<Measure, Both>,
}

#[derive(Debug, Default, Serialize)]
struct Both {
    ours: Vec<f64>,
    theirs: Vec<f64>,
}

impl Figures {
    pub(crate) const fn new(ours: String, theirs: Option<String>) -> Self {
        Self { ours, theirs, measured: BTreeMap::new() }
    }

    pub(crate) fn ours(&mut self, measure: Measure, value: f64) {
        self.measured.entry(measure).or_default().ours.push(value);
    }

    pub(crate) fn theirs(&mut self, measure: Measure, value: f64) {
        self.measured.entry(measure).or_default().theirs.push(value);
    }

    /// The best and the median of ours.
    fn of_ours(&self, measure: Measure) -> Option<[f64; 2]> {
        if let Some([above, below]) = measure.ratio_of() {
            let ([best, usual], [beside, usually]) = (self.of_ours(above)?, self.of_ours(below)?);
            return Some([best / beside, usual / usually]);
        }
        let ours = &self.measured.get(&measure)?.ours;
        Some([best(measure, ours)?, median(ours)?])
    }
}

fn best(measure: Measure, values: &[f64]) -> Option<f64> {
    let best = |least: bool| values.iter().copied().reduce(if least { f64::min } else { f64::max });
    best(measure.less_is_better())
}

fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied()
}

fn shown(value: Option<f64>) -> String {
    value.map_or_else(String::new, |value| format!("{value:.*}", if value < 20.0 { 2 } else { 0 }))
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n{}\n", self.ours, self.theirs.as_deref().unwrap_or("no neighbour"))?;
        writeln!(
            f,
            "| measure | ours, best (median) | llama-cpp-python, best (median) | ratio | target | reached |"
        )?;
        writeln!(f, "|---|---|---|---|---|---|")?;
        for measure in Measure::ALL {
            let Some([mine, usual]) = self.of_ours(measure) else { continue };
            let theirs = self.measured.get(&measure).map_or(&[][..], |both| &both.theirs);
            let other = best(measure, theirs);
            let ratio = other.map(|other| mine / other);
            let judged = measure.ratio_of().map(|_| mine).or(ratio);
            let reached = judged.zip(measure.target()).map(|(value, target)| value >= target);
            writeln!(
                f,
                "| {} | {} ({}) | {} ({}) | {} | {} | {} |",
                measure.words(),
                shown(Some(mine)),
                shown(Some(usual)),
                shown(other),
                shown(median(theirs)),
                shown(ratio),
                measure.target().map_or_else(String::new, |target| format!("≥ {target}")),
                reached.map_or("", |reached| if reached { "yes" } else { "no" }),
            )?;
        }
        Ok(())
    }
}
