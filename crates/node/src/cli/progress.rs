//! How far the running attempts are: one line each on a terminal, a line per change of phase elsewhere.

use std::collections::BTreeMap;
use std::time::Duration;

use edgecoder_base::Timestamp;
use edgecoder_protocol::api::tasks::TaskEventView;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use serde_json::Value;

use super::render;
use crate::output::{Output, harmless};

/// How often the live lines move.
const TICK: Duration = Duration::from_millis(120);
/// What an attempt does of which nothing is told yet.
const TAKEN: &str = "starting";

/// The live lines of one task.
#[derive(Debug)]
pub(super) struct Progress {
    out: Output,
    /// None where nothing may be redrawn.
    screen: Option<Screen>,
    rows: BTreeMap<String, Row>,
}

#[derive(Debug)]
struct Screen {
    lines: MultiProgress,
    clock: ProgressBar,
}

/// One running attempt.
#[derive(Debug)]
struct Row {
    pace: Pace,
    line: Option<ProgressBar>,
}

impl Progress {
    pub(super) fn new(out: Output) -> Self {
        let screen = out.is_live().then(|| {
            let lines = MultiProgress::new();
            let clock =
                lines.add(ProgressBar::new_spinner().with_style(style("{spinner} {elapsed} {wide_msg}")));
            clock.enable_steady_tick(TICK);
            clock.set_message("waiting for a worker");
            Screen { lines, clock }
        });
        Self { out, screen, rows: BTreeMap::new() }
    }

    /// Shows one event.
    pub(super) fn tell(&mut self, event: &TaskEventView) {
        if event.event == "progress" {
            self.advance(event);
            return;
        }
        self.say(&format!("  {}", render::event(event)));
        let subtask = event.subtask.as_ref().map(|id| format!("{}.", render::short(id.as_str())));
        match (event.event.as_str(), attempt_of(event)) {
            ("task_claim", Some(attempt)) => drop(self.row(&attempt)),
            ("subtask_done", _) => {
                self.rows.retain(|id, _| subtask.as_ref().is_none_or(|of| !id.starts_with(of)))
            }
            (_, Some(attempt)) => drop(self.rows.remove(&attempt)),
            (_, None) => {}
        }
        self.count();
    }

    /// Takes the live lines away.
    pub(super) fn end(mut self) {
        self.rows.clear();
        if let Some(screen) = &self.screen {
            screen.clock.finish_and_clear();
        }
    }

    fn advance(&mut self, event: &TaskEventView) {
        let Some(attempt) = attempt_of(event) else { return };
        let row = self.row(&attempt);
        let phase_changed = row.pace.advance(event);
        let shown = format!("    {attempt}  {}", row.pace.shown());
        match &row.line {
            Some(line) => line.set_message(shown),
            None if phase_changed => {
                let line = format!("  {attempt} is {}", row.pace.phase);
                self.say(&line);
            }
            None => {}
        }
        self.count();
    }

    fn row(&mut self, attempt: &str) -> &mut Row {
        let screen = self.screen.as_ref();
        self.rows.entry(attempt.to_owned()).or_insert_with(|| Row {
            pace: Pace::default(),
            line: screen.map(|screen| {
                let line = ProgressBar::new_spinner().with_style(style("{wide_msg}"));
                let line = screen.lines.add(line);
                line.set_message(format!("    {attempt}  {TAKEN}"));
                line
            }),
        })
    }

    fn say(&self, line: &str) {
        match &self.screen {
            Some(screen) => screen.lines.suspend(|| self.out.note(line)),
            None => self.out.note(line),
        }
    }

    fn count(&self) {
        let Some(screen) = &self.screen else { return };
        screen.clock.set_message(match self.rows.len() {
            0 => "waiting for a worker".to_owned(),
            running => format!("{running} running"),
        });
    }
}

impl Drop for Row {
    fn drop(&mut self) {
        if let Some(line) = &self.line {
            line.finish_and_clear();
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}

fn attempt_of(event: &TaskEventView) -> Option<String> {
    Some(harmless(render::short(event.detail.get("attempt")?.as_str()?)))
}

/// What an attempt does and how fast it writes, by the times its origin gives: a slow connection changes nothing.
#[derive(Debug, Default)]
struct Pace {
    phase: String,
    tokens: u64,
    at: Option<Timestamp>,
    per_second: Option<f64>,
}

impl Pace {
    /// Takes what an event tells; whether the phase is another than before.
    fn advance(&mut self, event: &TaskEventView) -> bool {
        let tokens = event.detail.get("output_tokens").and_then(Value::as_u64).unwrap_or(self.tokens);
        let took = self.at.map(|before| event.at.since(before).as_secs_f64()).filter(|took| *took > 0.0);
        let wrote = u32::try_from(tokens.saturating_sub(self.tokens)).unwrap_or(u32::MAX);
        self.per_second = took.filter(|_| wrote > 0).map(|took| f64::from(wrote) / took);
        (self.tokens, self.at) = (tokens, Some(event.at));
        let phase = event.detail.get("phase").and_then(Value::as_str).map_or_else(String::new, harmless);
        let changed = !phase.is_empty() && phase != self.phase;
        if changed {
            self.phase = phase;
        }
        changed
    }

    fn shown(&self) -> String {
        let phase = if self.phase.is_empty() { TAKEN } else { &self.phase };
        let mut shown = phase.to_owned();
        if self.tokens > 0 {
            shown.push_str(&format!("  {} tokens", self.tokens));
        }
        if let Some(rate) = self.per_second {
            shown.push_str(&format!("  {rate:.0} tokens/s"));
        }
        shown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(at_ms: i64, name: &str, detail: Value) -> TaskEventView {
        let (at, actor) = (Timestamp::from_millis(at_ms), "node".to_owned());
        TaskEventView { sequence: 1, event: name.to_owned(), at, subtask: None, actor, detail }
    }

    #[test]
    fn the_pace_is_what_came_since_the_last_word() {
        let mut pace = Pace::default();
        let mut check = |at_ms, detail, changed, shown: &str| {
            assert_eq!(pace.advance(&event(at_ms, "progress", detail)), changed, "{shown}");
            assert_eq!(pace.shown(), shown);
        };
        check(0, serde_json::json!({}), false, "starting");
        check(1_000, serde_json::json!({ "phase": "coding", "output_tokens": 0 }), true, "coding");
        check(
            3_000,
            serde_json::json!({ "phase": "coding", "output_tokens": 50 }),
            false,
            "coding  50 tokens  25 tokens/s",
        );
        check(
            3_000,
            serde_json::json!({ "phase": "coding", "output_tokens": 60 }),
            false,
            "coding  60 tokens",
        );
        check(
            4_000,
            serde_json::json!({ "phase": "testing", "output_tokens": 60 }),
            true,
            "testing  60 tokens",
        );
        check(5_000, serde_json::json!({ "phase": "a\u{1b}[2J" }), true, "a\u{fffd}[2J  60 tokens");
    }

    #[test]
    fn an_attempt_has_a_line_from_its_claim_to_its_end() {
        let mut progress = Progress::new(Output::plain());
        let mut check = |name, detail: Value, left: &[&str]| {
            let subtask = edgecoder_base::SubtaskId::new("t1.s0").ok();
            progress.tell(&TaskEventView { subtask, ..event(0, name, detail) });
            assert_eq!(progress.rows.keys().collect::<Vec<_>>(), left, "{name}");
        };
        let attempt = |id: &str| serde_json::json!({ "attempt": id });
        check("task_enqueue", Value::Null, &[]);
        check("task_claim", attempt("t1.s0.a1"), &["s0.a1"]);
        check("progress", attempt("t1.s0.a2"), &["s0.a1", "s0.a2"]);
        check("task_complete", attempt("t1.s0.a1"), &["s0.a2"]);
        check("task_claim", attempt("t1.s1.a1"), &["s0.a2", "s1.a1"]);
        check("subtask_done", attempt("t1.s0.a1"), &["s1.a1"]);
    }
}
