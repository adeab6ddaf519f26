//! The companion's own tools as the model is told of them: few words, because a small window pays for each.

use serde_json::{Map, Value, json};

use crate::tool_call::Tool;

/// Fewest tokens of a window in which tools have room beside a file and an answer.
const TOOLS_FROM: u32 = 4_096;
/// Fewest tokens of a window for all of them; below it there are the five that small models use well.
const ALL_FROM: u32 = 8_192;

/// What there is to work with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Equipment {
    /// Tokens of the model's window.
    pub window_tokens: u32,
    /// Whether there is a project.
    pub project: bool,
    /// Whether the project is a git repository.
    pub git: bool,
    /// Whether there is a queue for tasks.
    pub tasks: bool,
}

/// The tools that fit: none without a project or in a tiny window, the five most useful ones in a small one.
pub fn own_tools(with: Equipment) -> Vec<Tool> {
    if !with.project || with.window_tokens < TOOLS_FROM {
        return Vec::new();
    }
    let mut tools = vec![
        tool("read_file", "Text of a file, by lines", &["path", "offset?#", "limit?#"]),
        tool("search_files", "Lines that match a regular expression", &["pattern", "path?", "include?"]),
        tool(
            "edit_file",
            "Replace old_string, which must occur exactly once",
            &["path", "old_string", "new_string"],
        ),
        tool("write_file", "Create or replace a file", &["path", "content"]),
        tool(
            "run_shell",
            "Run a command in a sandboxed copy without network; timeout in ms",
            &["command", "timeout?#"],
        ),
    ];
    if with.window_tokens < ALL_FROM {
        return tools;
    }
    tools.push(tool("list_directory", "Names in a folder", &["path?"]));
    tools.push(plan());
    if with.git {
        tools.extend([
            tool("git_status", "What changed", &[]),
            tool("git_diff", "Changes, unstaged or since ref", &["ref?", "path?"]),
            tool("git_log", "Latest commits", &["count?#", "ref?"]),
            tool("git_commit", "Commit files, or all changes", &["message", "files?*"]),
            tool("git_branch", "Make a branch here and switch to it", &["name"]),
            tool("git_fetch", "Get a remote's commits", &["remote?"]),
            tool("git_pull", "Fetch, then fast-forward", &["remote?", "branch?"]),
            tool("git_push", "Send a branch", &["remote?", "branch?"]),
        ]);
    }
    if with.tasks {
        tools.extend([
            tool(
                "submit_task",
                "Let the swarm work on a request; verify is a command",
                &["request", "verify?"],
            ),
            tool("task_status", "State of a task", &["id"]),
            tool("apply_task", "Put a task's proven patch into the project", &["id"]),
        ]);
    }
    tools
}

/// A parameter is written as its name, `?` if it may be left out, `#` for a number, `*` for a list of texts.
fn tool(name: &str, description: &str, parameters: &[&str]) -> Tool {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for parameter in parameters {
        let name = parameter.trim_end_matches(['?', '#', '*']);
        let kind = match parameter.chars().last() {
            Some('#') => json!({"type": "integer"}),
            Some('*') => json!({"type": "array", "items": {"type": "string"}}),
            _ => json!({"type": "string"}),
        };
        properties.insert(name.to_owned(), kind);
        if !parameter.contains('?') {
            required.push(Value::from(name));
        }
    }
    let mut schema = Map::new();
    schema.insert("type".to_owned(), "object".into());
    schema.insert("properties".to_owned(), Value::Object(properties));
    if !required.is_empty() {
        schema.insert("required".to_owned(), Value::Array(required));
    }
    Tool { name: name.to_owned(), description: description.to_owned(), parameters: Value::Object(schema) }
}

fn plan() -> Tool {
    let step = json!({"type": "object", "properties": {
        "description": {"type": "string"},
        "status": {"enum": ["pending", "in_progress", "completed", "failed"]}
    }, "required": ["description"]});
    let steps = json!({"type": "object", "properties": {"steps": {"type": "array", "items": step}}, "required": ["steps"]});
    Tool {
        name: "plan".to_owned(),
        description: "Show your plan; call again as steps end".to_owned(),
        parameters: steps,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::budget::estimate;
    use crate::session::Asked;
    use crate::session::frame::frame;
    use crate::session::turn::PastCall;
    use crate::tool_call::{Dialect, declare};

    const ALL: Equipment = Equipment { window_tokens: 32_768, project: true, git: true, tasks: true };

    #[test]
    fn a_hello_leaves_the_window_to_the_work() {
        let prompt = format!("{}\n\n{}hello", frame("demo"), declare(&own_tools(ALL), Dialect::Native));
        assert!(estimate(&prompt) < 1_500, "{} tokens:\n{prompt}", estimate(&prompt));
    }

    #[test]
    fn small_windows_have_few_tools_or_none() {
        let names = |window_tokens, project| -> usize {
            own_tools(Equipment { window_tokens, project, ..ALL }).len()
        };
        assert_eq!([names(1_024, true), names(4_096, true), names(8_192, true)], [0, 5, 18]);
        assert_eq!(names(32_768, false), 0);
        assert_eq!(own_tools(Equipment { git: false, tasks: false, ..ALL }).len(), 7);
    }

    #[test]
    fn every_tool_can_be_asked_for_as_it_is_declared() {
        for tool in own_tools(ALL) {
            let mut arguments = Map::new();
            for (name, schema) in tool.parameters["properties"].as_object().unwrap() {
                let value = match schema["type"].as_str() {
                    Some("integer") => json!(1),
                    Some("array") => json!([]),
                    _ => json!("x"),
                };
                arguments.insert(name.clone(), value);
            }
            let call = PastCall { id: String::new(), name: tool.name.clone(), arguments };
            assert!(Asked::of(&call).is_ok(), "{}: {:?}", tool.name, Asked::of(&call));
        }
    }
}
