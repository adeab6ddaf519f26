//! What the tools answer: a value for programs that fits the tool's schema, and the same in words for models.

use std::fmt::Write as _;

use edgecoder_protocol::api::tasks::{AttemptView, TaskView};
use edgecoder_protocol::work::WorkKind;
use rmcp::model::{CallToolResult, ContentBlock};
use schemars::JsonSchema;
use serde::Serialize;

use super::states::is_settled;
use super::{Applied, Submitted};
use crate::Error;

/// Longest diff in an answer: about 12,000 tokens. The whole stands in the task's resource.
const MAX_DIFF_BYTES: usize = 48 * 1024;
/// Omissions named one by one; the rest is counted.
const NAMED_OMISSIONS: usize = 10;

/// How a task stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(super) struct StateView {
    /// The task.
    id: String,
    /// `planning`, `running`, `review`, `approved`, `rejected`, `completed`, `abstained` or `cancelled`.
    state: String,
    /// Why it is in that state.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// Whether nothing more happens by itself.
    settled: bool,
    /// Attempts being made now.
    attempts_running: usize,
    /// Attempts that ended.
    attempts_ended: usize,
    /// When it came in, RFC 3339.
    created_at: String,
    /// Last change, RFC 3339.
    updated_at: String,
    /// What is not part of the snapshot, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    left_out: Vec<String>,
    /// What to do next.
    next: String,
}

/// What came of a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(super) struct OutcomeView {
    /// The task.
    id: String,
    /// Its state, as `status` tells it.
    state: String,
    /// Why it is in that state.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// Whether nothing more happens by itself.
    settled: bool,
    /// The proven patch as a unified diff.
    #[serde(skip_serializing_if = "Option::is_none")]
    diff: Option<String>,
    /// Whether the diff is cut here; the resource has it whole.
    diff_is_cut: bool,
    /// The diff as a resource.
    #[serde(skip_serializing_if = "Option::is_none")]
    diff_uri: Option<String>,
    /// Whether the user's own command proved it.
    proven_by_user_command: bool,
    /// Tests that passed and failed, where they could be counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    tests: Option<TestsView>,
    /// What a person must look at before the patch is applied.
    review_notes: Vec<String>,
    /// The answer of a task without a repository.
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<String>,
    /// What to do next.
    next: String,
}

/// Counted tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
struct TestsView {
    /// Passed.
    passed: u32,
    /// Failed, or could not run.
    failed: u32,
}

/// What applying came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(super) struct AppliedView {
    /// The working directory.
    repo: String,
    /// The files of the patch.
    paths: Vec<String>,
    /// Whether every file was so already, and nothing was written.
    already: bool,
}

/// The answer of `submit`.
pub(super) fn submitted(Submitted { task, left_out }: &Submitted) -> CallToolResult {
    let shown = left_out.iter().take(NAMED_OMISSIONS).cloned();
    let more = left_out.len().saturating_sub(NAMED_OMISSIONS);
    let more = (more > 0).then(|| format!("… and {more} more"));
    stands(task, shown.chain(more).collect())
}

/// The answer of `status` and `cancel`.
pub(super) fn state(task: &TaskView) -> CallToolResult {
    stands(task, Vec::new())
}

fn stands(task: &TaskView, left_out: Vec<String>) -> CallToolResult {
    let view = StateView {
        id: task.id.to_string(),
        state: task.state.clone(),
        reason: task.reason.clone(),
        settled: is_settled(task),
        attempts_running: running(task),
        attempts_ended: ended(task),
        created_at: task.created_at.to_string(),
        updated_at: task.updated_at.to_string(),
        left_out,
        next: next(task).to_owned(),
    };
    let omissions: String =
        view.left_out.iter().map(|one| format!("\nleft out of the snapshot: {one}")).collect();
    said(format!("{}{omissions}\n{}", state_line(task), view.next), &view)
}

/// The answer of `result`, with the diff where there is a patch.
pub(super) fn outcome(task: &TaskView, diff: Option<String>) -> CallToolResult {
    let (shown, diff_is_cut) = diff.as_deref().map_or((None, false), |diff| {
        let shown = cut(diff);
        (Some(shown.to_owned()), shown.len() < diff.len())
    });
    let result = task.result.as_ref();
    let tests = result.and_then(|result| result.tests);
    let view = OutcomeView {
        id: task.id.to_string(),
        state: task.state.clone(),
        reason: task.reason.clone(),
        settled: is_settled(task),
        diff: shown,
        diff_is_cut,
        diff_uri: diff.is_some().then(|| super::resources::diff_uri(&task.id)),
        proven_by_user_command: result.is_some_and(|result| result.verified_by_user),
        tests: tests.map(|tests| TestsView { passed: tests.passed, failed: tests.failed }),
        review_notes: result.iter().flat_map(|one| &one.notes).map(ToString::to_string).collect(),
        output: task.output.clone(),
        next: next(task).to_owned(),
    };
    said(outcome_words(task, &view, diff.map_or(0, |diff| diff.len())), &view)
}

/// The answer of `apply`.
pub(super) fn applied(applied: &Applied) -> CallToolResult {
    let verb = if applied.already { "already applied" } else { "applied" };
    let view = AppliedView {
        repo: applied.repo.display().to_string(),
        paths: applied.paths.clone(),
        already: applied.already,
    };
    said(format!("{verb} in {}: {}", view.repo, view.paths.join(", ")), &view)
}

/// A refusal or an error: the model reads it, so it can mend its call or tell the user.
pub(super) fn refused(error: &Error) -> CallToolResult {
    CallToolResult::error(vec![ContentBlock::text(error.to_string())])
}

/// One line about a task, for people.
pub(super) fn state_line(task: &TaskView) -> String {
    let mut line = format!("{} is {}", task.id, task.state);
    if !is_settled(task) {
        // Writing to a string cannot fail.
        let _ = write!(line, ": {} attempts running, {} ended", running(task), ended(task));
    }
    if let Some(reason) = &task.reason {
        let _ = write!(line, ": {reason}");
    }
    line
}

fn outcome_words(task: &TaskView, view: &OutcomeView, whole: usize) -> String {
    let mut words = state_line(task);
    if let Some(result) = &task.result {
        let proof = if result.verified_by_user {
            "proven by the user's command"
        } else {
            "not proven by a command of the user's"
        };
        // Writing to a string cannot fail.
        let _ = write!(words, "\n+{} -{} lines, {proof}", result.lines_added, result.lines_removed);
    }
    if let Some(TestsView { passed, failed }) = view.tests {
        let _ = write!(words, ", {passed} tests passed, {failed} failed");
    }
    for note in &view.review_notes {
        let _ = write!(words, "\nreview note: {note}");
    }
    if let Some(output) = &view.output {
        let _ = write!(words, "\n{output}");
    }
    let _ = write!(words, "\n{}", view.next);
    if let Some(diff) = &view.diff {
        let _ = write!(words, "\n\n{diff}");
    }
    if view.diff_is_cut {
        let uri = view.diff_uri.as_deref().unwrap_or_default();
        let _ = write!(words, "\n… cut: the diff has {whole} bytes, and stands whole in the resource {uri}");
    }
    words
}

fn next(task: &TaskView) -> &'static str {
    match task.state.as_str() {
        "planning" | "running" => "Ask `status` again, or `result` with `wait_s`.",
        "review" => "Show the user `result`; then `apply`.",
        "approved" => "`apply` writes the patch into a working directory.",
        "abstained" => "No patch was proven. Nothing was changed.",
        _ => "Nothing more happens.",
    }
}

/// Tries of models; verdicts are no attempts to a reader.
fn tries(task: &TaskView) -> impl Iterator<Item = &AttemptView> {
    task.subtasks.iter().flat_map(|one| &one.attempts).filter(|one| one.kind != WorkKind::Verify)
}

fn running(task: &TaskView) -> usize {
    tries(task).filter(|one| matches!(one.state.as_str(), "leased" | "proposed")).count()
}

fn ended(task: &TaskView) -> usize {
    tries(task).filter(|one| !matches!(one.state.as_str(), "queued" | "leased" | "proposed")).count()
}

/// Whole lines up to the limit.
fn cut(diff: &str) -> &str {
    if diff.len() <= MAX_DIFF_BYTES {
        return diff;
    }
    let head = &diff.as_bytes()[..MAX_DIFF_BYTES];
    let end = head.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    diff.get(..end).unwrap_or_default()
}

fn said(words: String, view: &impl Serialize) -> CallToolResult {
    let mut result = CallToolResult::success(vec![ContentBlock::text(words)]);
    // Plain structs always serialise.
    result.structured_content = serde_json::to_value(view).ok();
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_diff_is_cut_between_lines() {
        let line = "+é".to_owned() + &"x".repeat(97) + "\n";
        let diff = line.repeat(1_000);
        let shown = cut(&diff);
        assert!(shown.len() <= MAX_DIFF_BYTES && shown.ends_with("x\n"));
        assert_eq!(cut("+a\n"), "+a\n");
        assert_eq!(cut(&"x".repeat(MAX_DIFF_BYTES + 1)), "");
    }
}
