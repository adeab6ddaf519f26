//! A task's diff and trace as resources, by addresses that clients can build from a task's id.

use edgecoder_base::TaskId;
use edgecoder_protocol::api::tasks::TaskSummary;
use rmcp::model::{
    ErrorData, ListResourceTemplatesResult, ListResourcesResult, ReadResourceResult, Resource,
    ResourceContents, ResourceTemplate,
};

use super::Tasks;
use crate::Error;

/// Longest text given out: clients hold it in memory, and most in a prompt.
const MAX_TEXT_BYTES: usize = 4 * 1024 * 1024;
const SCHEME: &str = "edgecoder://tasks/";
const DIFF_TYPE: &str = "text/x-diff";
const TRACE_TYPE: &str = "application/x-ndjson";

/// One resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Address {
    Diff(TaskId),
    Trace(TaskId),
}

impl Address {
    pub(super) fn read(uri: &str) -> Option<Self> {
        let (id, which) = uri.strip_prefix(SCHEME)?.split_once('/')?;
        let id = TaskId::new(id).ok()?;
        match which {
            "diff" => Some(Self::Diff(id)),
            "trace" => Some(Self::Trace(id)),
            _ => None,
        }
    }
}

pub(super) fn diff_uri(id: &TaskId) -> String {
    format!("{SCHEME}{id}/diff")
}

pub(super) fn templates() -> ListResourceTemplatesResult {
    let template = |which: &str, words: &str, kind: &str| {
        ResourceTemplate::new(format!("{SCHEME}{{id}}/{which}"), which)
            .with_description(words)
            .with_mime_type(kind)
    };
    ListResourceTemplatesResult::with_all_items(vec![
        template("diff", "The proven patch of a task as a unified diff", DIFF_TYPE),
        template("trace", "What the winning attempt did, a JSON value a line", TRACE_TYPE),
    ])
}

/// The newest tasks that have a patch.
pub(super) fn listed(newest: &[TaskSummary]) -> ListResourcesResult {
    let has_patch = |task: &&TaskSummary| matches!(task.state.as_str(), "review" | "approved");
    let diffs = newest.iter().filter(has_patch).map(|task| {
        Resource::new(diff_uri(&task.id), format!("{} diff", task.id))
            .with_description(task.title.clone())
            .with_mime_type(DIFF_TYPE)
    });
    ListResourcesResult::with_all_items(diffs.collect())
}

pub(super) async fn content(tasks: &dyn Tasks, uri: &str) -> Result<ReadResourceResult, ErrorData> {
    let unknown = || ErrorData::resource_not_found(format!("there is no resource {uri:?}"), None);
    let (text, kind) = match Address::read(uri).ok_or_else(unknown)? {
        Address::Diff(id) => (tasks.diff(&id).await, DIFF_TYPE),
        Address::Trace(id) => (tasks.trace(&id).await, TRACE_TYPE),
    };
    let text = text.map_err(|error| failed(&error))?;
    if text.len() > MAX_TEXT_BYTES {
        let words = format!("it has {} bytes; `edgecoder task diff|trace` prints it whole", text.len());
        return Err(ErrorData::invalid_request(words, None));
    }
    Ok(ReadResourceResult::new(vec![ResourceContents::text(text, uri).with_mime_type(kind)]))
}

/// An error of ours as a protocol error of MCP: where no tool answers, there is no other way to tell.
pub(super) fn failed(error: &Error) -> ErrorData {
    let words = error.to_string();
    match error.status().as_u16() {
        404 => ErrorData::resource_not_found(words, None),
        400..500 => ErrorData::invalid_request(words, None),
        _ => ErrorData::internal_error(words, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_name_a_task_and_a_part_of_it() {
        let id = || TaskId::new("task_1").unwrap();
        let check = |uri: &str, expected| assert_eq!(Address::read(uri), expected, "{uri}");
        check(&diff_uri(&id()), Some(Address::Diff(id())));
        check("edgecoder://tasks/task_1/trace", Some(Address::Trace(id())));
        for foreign in [
            "",
            "file:///etc/passwd",
            "edgecoder://tasks/../x/diff",
            "edgecoder://tasks/task_1",
            "edgecoder://tasks/task_1/log",
            "edgecoder://tasks//diff",
        ] {
            check(foreign, None);
        }
    }
}
