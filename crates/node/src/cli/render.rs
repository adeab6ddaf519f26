//! Tasks, attempts, events and diffs as lines for people.

use std::time::Duration;

use edgecoder_base::{ReviewNote, Timestamp};
use edgecoder_protocol::api::tasks::{AttemptView, ResultView, TaskEventView, TaskSummary, TaskView};
use serde_json::Value;

use crate::output::{Output, Style, harmless};

/// How much of a request is shown: it may be 20,000 characters long.
const REQUEST_CHARS: usize = 600;

/// The style a state is shown in.
fn style(state: &str) -> Style {
    match state {
        "review" | "approved" | "completed" | "passed" => Style::Good,
        "abstained" | "rejected" | "failed" => Style::Bad,
        "cancelled" | "expired" => Style::Warn,
        _ => Style::Strong,
    }
}

/// A task in full, with what can be done next.
pub(super) fn task(out: Output, task: &TaskView) -> String {
    let state = out.paint(style(&task.state), harmless(&task.state));
    let mut lines = vec![format!("{}  {state}", out.paint(Style::Strong, &task.id))];
    let mut add = |label: &str, text: &str| lines.push(out.fold(&format!("  {label:<10}"), text));
    add("request", &excerpt(&task.request));
    if let Some(reason) = &task.reason {
        add("because", &harmless(reason));
    }
    if let Some(verifier) = &task.verifier {
        let hidden = if task.has_hidden_verifier { ", and a hidden part" } else { "" };
        add("verifier", &format!("{}{hidden}", harmless(&verifier.command)));
    }
    let (privacy, priority, samples) = (task.privacy, task.priority, task.samples);
    let plural = if samples == 1 { "" } else { "s" };
    add("terms", &format!("privacy {privacy}, priority {priority}, {samples} sample{plural}"));
    if let Some(result) = &task.result {
        add("result", &proof(out, result));
        for words in &result.degraded {
            add("sandbox", &out.paint(Style::Warn, harmless(words)));
        }
    }
    for note in task.result.iter().flat_map(|result| &result.notes) {
        add("look at", &out.paint(Style::Warn, harmless(&note.to_string())));
    }
    add("effort", &effort(task));
    if let Some(output) = &task.output {
        lines.push(harmless(output));
    }
    lines.extend(plan(out, task));
    lines.extend(next_steps(out, task));
    lines.push(String::new());
    lines.join("\n")
}

/// The request's first paragraph, bounded.
fn excerpt(request: &str) -> String {
    let first = harmless(request.trim().split("\n\n").next().unwrap_or_default());
    let mut text: String = first.chars().take(REQUEST_CHARS).collect();
    if text.len() < request.trim().len() {
        text.push_str(" …");
    }
    text
}

/// The notes on a patch, a line each: what no test judges.
pub(super) fn notes(out: Output, notes: &[ReviewNote]) -> Vec<String> {
    let line = |note: &ReviewNote| format!("look at {}", harmless(&note.to_string()));
    notes.iter().map(|note| out.paint(Style::Warn, line(note))).collect()
}

/// What the task cost so far.
fn effort(task: &TaskView) -> String {
    let usage = &task.usage;
    let took = task.ended_at.unwrap_or(task.updated_at).since(task.created_at).as_secs_f64();
    format!(
        "{} tokens read, {} written, {} executions, {took:.1} s",
        usage.prompt_tokens, usage.output_tokens, usage.executions
    )
}

/// The attempts, below their subtasks when there are several.
fn plan(out: Output, task: &TaskView) -> Vec<String> {
    let mut lines = Vec::new();
    let several = task.subtasks.len() > 1;
    for subtask in &task.subtasks {
        if several {
            let state = out.paint(style(&subtask.state), harmless(&subtask.state));
            let what = excerpt(&subtask.request);
            lines.push(out.fit(&format!("  {:<10}{state}  {what}", short(subtask.id.as_str()))));
        }
        let (mut said, mut weak) = (None, None);
        for one in &subtask.attempts {
            lines.push(out.fit(&format!("    {}", attempt(out, one))));
            // Samples often fail for one reason: it is said once for all that follow each other.
            let why = why(one);
            if why != said {
                lines.extend(why.iter().map(|why| out.fold(&format!("    {:<11}", ""), why)));
                said = why;
            }
            let weaker = weaker(one);
            if weaker != weak {
                lines.extend(weaker.iter().map(|words| out.fold(&format!("    {:<11}", ""), words)));
                weak = weaker;
            }
        }
    }
    lines
}

/// What of the confinement of an attempt's executions was weaker than it should be.
fn weaker(attempt: &AttemptView) -> Option<String> {
    let degraded = &attempt.confinement.as_ref().filter(|seen| !seen.degraded.is_empty())?.degraded;
    Some(format!("* sandbox weaker than it could be: {}", harmless(&degraded.join("; "))))
}

/// What a person may do with a task that has something to show.
fn next_steps(out: Output, task: &TaskView) -> Vec<String> {
    let id = &task.id;
    let mut steps = Vec::new();
    if task.result.is_some() {
        steps.push(("diff", format!("edgecoder task diff {id}")));
        steps.push(("apply", format!("edgecoder apply {id}")));
        steps.push(("trace", format!("edgecoder task trace {id}")));
    } else {
        let traced =
            task.subtasks.iter().flat_map(|subtask| &subtask.attempts).rfind(|one| one.trace.is_some());
        let trace =
            |one: &AttemptView| format!("edgecoder task trace {id} --attempt {}", short(one.id.as_str()));
        steps.extend(traced.map(|one| ("trace", trace(one))));
    }
    // Never folded: they are meant to be copied.
    let line =
        |(label, command): (&str, String)| format!("  {label:<10}{}", out.paint(Style::Strong, command));
    steps.into_iter().map(line).collect()
}

/// One attempt as a line.
pub(super) fn attempt(out: Output, attempt: &AttemptView) -> String {
    let (id, kind) = (short(attempt.id.as_str()), attempt.kind.as_str());
    let state = out.paint(style(&attempt.state), format_args!("{:<9}", harmless(&attempt.state)));
    let tokens = match attempt.usage.output_tokens {
        0 => String::new(),
        tokens => format!("{tokens} tokens"),
    };
    let took = match (attempt.started_at, attempt.ended_at) {
        (Some(started), Some(ended)) => format!("{:.1} s", ended.since(started).as_secs_f64()),
        _ => String::new(),
    };
    let model = attempt.model.as_deref().map(harmless).unwrap_or_default();
    let confined = confined(attempt);
    let line = format!("{id:<9}  {kind:<6}  {state}  {tokens:>12}  {took:>8}  {confined:<3}  {model}");
    line.trim_end().to_owned()
}

/// The level an attempt's executions had, with a mark when a layer of it was weaker than it should be.
fn confined(attempt: &AttemptView) -> String {
    let Some(confinement) = &attempt.confinement else { return String::new() };
    let mark = if confinement.degraded.is_empty() { "" } else { "*" };
    format!("{}{mark}", confinement.level)
}

/// Why an attempt ended as it did.
pub(super) fn why(attempt: &AttemptView) -> Option<String> {
    let why = attempt.rejections.first().map(ToString::to_string).or_else(|| attempt.detail.clone())?;
    Some(harmless(why.lines().next().unwrap_or_default()))
}

/// A task as a line of a list: its age where there is little room, the time itself elsewhere.
pub(super) fn summary(out: Output, task: &TaskSummary, now: Timestamp) -> String {
    let state = out.paint(style(&task.state), format_args!("{:<9}", harmless(&task.state)));
    let title = harmless(&task.title);
    if !out.has_width() {
        return format!("{}  {}  {state}  {title}", task.id, task.created_at);
    }
    let age = age(now.since(task.created_at));
    out.fit(&format!("{}  {age:>6}  {state}  {title}", task.id))
}

/// A duration in its largest unit.
fn age(age: Duration) -> String {
    match age.as_secs() {
        seconds @ ..60 => format!("{seconds} s"),
        seconds @ ..3_600 => format!("{} min", seconds / 60),
        seconds @ ..172_800 => format!("{} h", seconds / 3_600),
        seconds => format!("{} d", seconds / 86_400),
    }
}

/// The part of an id that tells siblings apart: a task's subtasks and attempts all begin with the task's id.
pub(super) fn short(id: &str) -> &str {
    // From the right: a task's own id may hold dots.
    id.rfind(".s").and_then(|at| id.get(at + 1..)).unwrap_or(id)
}

fn proof(out: Output, result: &ResultView) -> String {
    let word = if result.verified_by_user {
        out.paint(Style::Good, "proven by your verifier")
    } else {
        out.paint(Style::Warn, "unverified-by-user: no verifier was given")
    };
    let tests = result.tests.map(|tests| format!(", {} tests passed, {} failed", tests.passed, tests.failed));
    format!(
        "{word}: +{} -{} lines{}, sandbox level {}",
        result.lines_added,
        result.lines_removed,
        tests.unwrap_or_default(),
        result.level
    )
}

/// One event as a line: what happened, and the details that fit.
pub(super) fn event(event: &TaskEventView) -> String {
    let detail = &event.detail;
    let text = |key: &str| detail.get(key).map(brief).unwrap_or_default();
    let name = |key: &str| short(&text(key)).to_owned();
    let attempt = name("attempt");
    let what = match event.event.as_str() {
        "task_enqueue" => "queued".to_owned(),
        "task_claim" => format!("{attempt} taken by {}", event.actor),
        "task_requeue" => format!("{attempt} waits again: {}", text("why")),
        "task_complete" => format!("{attempt} ended: {}", text("outcome")),
        "task_verdict" => match detail.get("passed").and_then(Value::as_bool) {
            Some(true) => format!("{} proven by the origin{}", name("of"), counts(detail)),
            _ => format!("{} refused by the origin: {}", name("of"), text("reasons")),
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
fn brief(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(brief).collect::<Vec<_>>().join(", "),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn judgement(confinement: &Value) -> AttemptView {
        serde_json::from_value(serde_json::json!({
            "id": "t1.s1.a2", "kind": "verify", "state": "done", "sample": 0, "epoch": 1,
            "usage": edgecoder_base::Usage::default(), "confinement": confinement,
        }))
        .unwrap()
    }

    #[test]
    fn an_attempt_says_how_it_was_confined() {
        let whole = judgement(&serde_json::json!({ "level": "S3" }));
        assert!(attempt(Output::plain(), &whole).ends_with("S3"), "{}", attempt(Output::plain(), &whole));
        assert_eq!(weaker(&whole), None);
        let weak =
            judgement(&serde_json::json!({ "level": "S2", "degraded": ["memory: no\u{1b}[2J cgroup"] }));
        assert!(attempt(Output::plain(), &weak).ends_with("S2*"));
        let said = weaker(&weak).unwrap();
        assert!(said.contains("memory: no") && !said.contains('\u{1b}'), "{said}");
        assert_eq!(weaker(&judgement(&Value::Null)), None, "of one that ran nothing nothing is said");
    }
}
