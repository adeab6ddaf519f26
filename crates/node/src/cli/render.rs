//! Tasks, attempts, events and diffs as lines for people.

use std::fmt::Write as _;

use edgecoder_protocol::api::tasks::{AttemptView, ResultView, TaskEventView, TaskView};
use serde_json::Value;

use crate::output::{Output, Style, harmless};

/// Width at which a request's first line is cut.
const TITLE_CHARS: usize = 100;

/// The style a state is shown in.
fn style(state: &str) -> Style {
    match state {
        "review" | "approved" | "completed" | "passed" => Style::Good,
        "abstained" | "rejected" | "failed" => Style::Bad,
        "cancelled" | "expired" => Style::Warn,
        _ => Style::Strong,
    }
}

/// A task in full.
pub(super) fn task(out: Output, task: &TaskView) -> String {
    let mut text = String::new();
    let title: String =
        harmless(task.request.lines().next().unwrap_or_default()).chars().take(TITLE_CHARS).collect();
    let state = out.paint(style(&task.state), harmless(&task.state));
    let _ = writeln!(text, "{}  {state}", out.paint(Style::Strong, &task.id));
    let _ = writeln!(text, "  {title}");
    if let Some(reason) = &task.reason {
        let _ = writeln!(text, "  {}", harmless(reason));
    }
    if let Some(verifier) = &task.verifier {
        let hidden = if task.has_hidden_verifier { " and a hidden part" } else { "" };
        let _ = writeln!(text, "  verifier: {}{hidden}", harmless(&verifier.command));
    }
    let _ =
        writeln!(text, "  privacy {}, priority {}, {} sample(s)", task.privacy, task.priority, task.samples);
    for subtask in &task.subtasks {
        let _ = writeln!(
            text,
            "  {}  {}",
            subtask.id,
            out.paint(style(&subtask.state), harmless(&subtask.state))
        );
        for one in &subtask.attempts {
            let _ = writeln!(text, "    {}", attempt(out, one));
        }
    }
    text.push_str(&result(out, task));
    text
}

/// One attempt as a line.
pub(super) fn attempt(out: Output, attempt: &AttemptView) -> String {
    let mut line = format!(
        "{}  {:<6}  {}",
        attempt.id,
        attempt.kind.as_str(),
        out.paint(style(&attempt.state), harmless(&attempt.state))
    );
    if let Some(model) = &attempt.model {
        let _ = write!(line, "  {}", harmless(model));
    }
    if attempt.usage.output_tokens > 0 {
        let _ = write!(line, "  {} tokens", attempt.usage.output_tokens);
    }
    let why = attempt.rejections.first().map(ToString::to_string).or_else(|| attempt.detail.clone());
    if let Some(why) = why {
        let _ = write!(line, "  {}", harmless(why.lines().next().unwrap_or_default()));
    }
    line
}

/// How a task stands at its end, with what can be done next.
pub(super) fn result(out: Output, task: &TaskView) -> String {
    let mut text = String::new();
    let usage = &task.usage;
    if let Some(result) = &task.result {
        text.push_str(&proof(out, result));
    }
    if let Some(output) = &task.output {
        let _ = writeln!(text, "{}", harmless(output));
    }
    if task.ended_at.is_some() || task.result.is_some() {
        let took = task.ended_at.unwrap_or(task.updated_at).since(task.created_at);
        let _ = writeln!(
            text,
            "  {} tokens read, {} written, {} executions, {:.1} s",
            usage.prompt_tokens,
            usage.output_tokens,
            usage.executions,
            took.as_secs_f64()
        );
    }
    if task.result.is_some() {
        let _ = writeln!(text, "  diff:  edgecoder task diff {}", task.id);
        let _ = writeln!(text, "  apply: edgecoder apply {}", task.id);
        let _ = writeln!(text, "  trace: edgecoder task trace {}", task.id);
    }
    text
}

fn proof(out: Output, result: &ResultView) -> String {
    let word = if result.verified_by_user {
        out.paint(Style::Good, "proven by your verifier")
    } else {
        out.paint(Style::Warn, "unverified-by-user: no verifier was given")
    };
    let tests = result.tests.map(|tests| format!(", {} tests passed, {} failed", tests.passed, tests.failed));
    format!(
        "  {word}: +{} -{} lines{}, sandbox level {}\n",
        result.lines_added,
        result.lines_removed,
        tests.unwrap_or_default(),
        result.level
    )
}

/// One event as a line: what happened, and the details that fit.
pub(super) fn event(event: &TaskEventView) -> String {
    let detail = &event.detail;
    let text = |key: &str| detail.get(key).map(short).unwrap_or_default();
    let attempt = text("attempt");
    let what = match event.event.as_str() {
        "task_enqueue" => "queued".to_owned(),
        "task_claim" => format!("{attempt} taken by {}", event.actor),
        "task_requeue" => format!("{attempt} waits again: {}", text("why")),
        "task_complete" => format!("{attempt} ended: {}", text("outcome")),
        "task_verdict" => match detail.get("passed").and_then(Value::as_bool) {
            Some(true) => format!("{} proven by the origin{}", text("of"), counts(detail)),
            _ => format!("{} refused by the origin: {}", text("of"), text("reasons")),
        },
        "subtask_done" => format!("subtask done by {attempt}"),
        "task_escalate" => format!("escalated to {}", text("to")),
        "task_dead_letter" => format!("{attempt} given up: {}", text("why")),
        "task_review" => "waits for your review".to_owned(),
        "task_receipt" => "receipt written".to_owned(),
        "task_approved" => "approved".to_owned(),
        "task_rejected" => "rejected".to_owned(),
        "task_retry" => "tried again".to_owned(),
        "task_abstained" => format!("abstained: {}", text("reason")),
        "task_cancel" => "cancelled".to_owned(),
        other => other.to_owned(),
    };
    harmless(&what)
}

fn counts(detail: &Value) -> String {
    let number = |key: &str| detail.get("tests").and_then(|tests| tests.get(key)).and_then(Value::as_u64);
    match (number("passed"), number("failed")) {
        (Some(passed), Some(failed)) => format!(" ({passed} tests passed, {failed} failed)"),
        _ => String::new(),
    }
}

/// A JSON value as a few words.
fn short(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(short).collect::<Vec<_>>().join(", "),
        Value::Null => String::new(),
        Value::Bool(_) | Value::Number(_) | Value::Object(_) => value.to_string(),
    }
}

/// A diff with colour where allowed.
pub(super) fn diff(out: Output, text: &str) -> String {
    let mut painted = String::new();
    for line in harmless(text).split_inclusive('\n') {
        let (body, end) = line.strip_suffix('\n').map_or((line, ""), |body| (body, "\n"));
        let line = match body.as_bytes().first() {
            _ if body.starts_with("+++") || body.starts_with("---") || body.starts_with("diff ") => {
                out.paint(Style::Strong, body)
            }
            Some(b'+') => out.paint(Style::Good, body),
            Some(b'-') => out.paint(Style::Bad, body),
            Some(b'@') => out.paint(Style::Faint, body),
            _ => body.to_owned(),
        };
        painted.push_str(&line);
        painted.push_str(end);
    }
    painted
}
