//! An evaluation on the terminal: a bar while it runs, a few lines at its end.

use std::sync::atomic::{AtomicU32, Ordering};

use edgecoder_agent::eval::{Report, Solutions, markdown};
use edgecoder_worker::eval::Judged;
use indicatif::{ProgressBar, ProgressStyle};

use crate::error::Error;
use crate::output::{Output, Style, harmless};

/// Lines said where no bar can be drawn.
const WORDS: u32 = 10;
/// Classes of failure named in the summary.
const CLASSES: usize = 6;

/// How far a run is.
pub(super) struct Display {
    out: Output,
    bar: Option<ProgressBar>,
    passed: AtomicU32,
}

impl Display {
    pub(super) fn new(out: Output) -> Self {
        let bar = out.is_live().then(|| {
            let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {elapsed} {eta} left  {wide_msg}");
            ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        });
        Self { out, bar, passed: AtomicU32::new(0) }
    }

    pub(super) fn tell(&self, judged: &Judged<'_>) {
        let passed = self.passed.fetch_add(u32::from(judged.sample.passed), Ordering::Relaxed)
            + u32::from(judged.sample.passed);
        let words = format!("{passed} passed, last {}", harmless(judged.task_id));
        match &self.bar {
            Some(bar) => {
                bar.set_length(judged.all.into());
                bar.set_position(judged.done.into());
                bar.set_message(words);
            }
            None if judged.done.is_multiple_of((judged.all / WORDS).max(1)) => {
                self.out.note(format_args!("{} of {}: {words}", judged.done, judged.all));
            }
            None => {}
        }
    }

    pub(super) fn end(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }
}

/// The result in a few lines, or all of it as JSON.
pub(super) fn summary(out: Output, report: &Report, json: bool) -> Result<(), Error> {
    if json {
        let text = serde_json::to_string_pretty(report).map_err(|error| Error::Role(error.to_string()))?;
        out.line(text);
        return Ok(());
    }
    let totals = &report.totals;
    out.line(harmless(&format!(
        "{} ({})",
        markdown::title(report),
        report.level.as_deref().unwrap_or("not run")
    )));
    if report.solutions == Solutions::Model {
        for (k, estimate) in &totals.pass_at {
            let solved = totals.solved_at.get(k).copied().unwrap_or_default();
            let share = format!("pass@{k:<4} {:5.1} %", estimate * 100.0);
            out.line(format_args!("  {share}   solved by the first {k}: {solved} of {}", totals.problems));
        }
    } else {
        let style = if report.is_as_it_must_be() { Style::Good } else { Style::Bad };
        let words = format!("{} of {} passed", totals.passed, totals.samples);
        out.line(format_args!("  {}", out.paint(style, words)));
    }
    let mut failures: Vec<_> = totals.failures.iter().collect();
    failures.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
    let failures: Vec<String> =
        failures.iter().take(CLASSES).map(|(class, n)| format!("{} {n}", class.words())).collect();
    if !failures.is_empty() {
        out.line(format_args!("  failures: {}", failures.join(", ")));
    }
    let seconds = report.wall_ms / 1000;
    let tokens = totals.output_tokens;
    out.line(format_args!("  {} samples in {seconds} s, {tokens} tokens written", totals.samples));
    if !report.complete {
        out.line(out.paint(Style::Warn, "  stopped before the end"));
    }
    Ok(())
}
