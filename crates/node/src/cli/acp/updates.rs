//! From the companion's events to what an editor shows. The same for what happens now and for what is replayed.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::{Value, json};

/// Translates the events of one session.
#[derive(Debug)]
pub(super) struct Teller {
    root: PathBuf,
    /// What is shown below each action that has no result yet.
    open: BTreeMap<String, Vec<Value>>,
}

/// An action that a person has to decide on.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Question {
    pub(super) id: String,
    /// Differences that follow before all of it is shown.
    pub(super) differences: u64,
    pub(super) title: String,
    pub(super) kind: &'static str,
    pub(super) input: Value,
}

impl Teller {
    pub(super) fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into(), open: BTreeMap::new() }
    }

    /// What the editor is told of an event.
    pub(super) fn tell(&mut self, event: &Value) -> Option<Value> {
        let text = |field: &str| event.get(field).and_then(Value::as_str).unwrap_or_default();
        let id = text("id").to_owned();
        match text("type") {
            "person" => Some(chunk("user_message_chunk", text("content"))),
            "text" => Some(chunk("agent_message_chunk", text("content"))),
            "status" => Some(chunk("agent_thought_chunk", &format!("{}\n", text("message")))),
            "tool_call" => {
                self.open.insert(id.clone(), Vec::new());
                Some(json!({
                    "sessionUpdate": "tool_call", "toolCallId": id, "title": text("title"), "kind": kind(text("tool")),
                    "status": if event["requires_approval"] == true { "pending" } else { "in_progress" },
                    "rawInput": event["args"], "locations": self.locations(&event["args"]),
                }))
            }
            "diff" => {
                let path = self.root.join(text("file"));
                let hunks = event["hunks"].as_array().cloned().unwrap_or_default();
                let content = self.open.entry(id.clone()).or_default();
                content.extend(hunks.iter().map(|hunk| difference(&path.display().to_string(), hunk)));
                content.extend(notes(event));
                Some(json!({"sessionUpdate": "tool_call_update", "toolCallId": id, "content": content}))
            }
            "tool_result" => {
                let mut content = self.open.remove(&id).unwrap_or_default();
                let failed = event.get("error").is_some();
                content.push(words(text(if failed { "error" } else { "result" })));
                let status = if failed { "failed" } else { "completed" };
                Some(
                    json!({"sessionUpdate": "tool_call_update", "toolCallId": id, "status": status, "content": content}),
                )
            }
            "shell_output" => {
                let output = json!({"stdout": event["stdout"], "stderr": event["stderr"], "exitCode": event["exit_code"]});
                Some(json!({"sessionUpdate": "tool_call_update", "toolCallId": id, "rawOutput": output}))
            }
            "plan" => Some(plan(event)),
            _ => None,
        }
    }

    /// Actions that will have no result any more.
    pub(super) fn give_up(&mut self) -> Vec<Value> {
        let open = std::mem::take(&mut self.open);
        let failed = |id| json!({"sessionUpdate": "tool_call_update", "toolCallId": id, "status": "failed"});
        open.into_keys().map(failed).collect()
    }

    /// What is shown below an action.
    pub(super) fn shown(&self, id: &str) -> Vec<Value> {
        self.open.get(id).cloned().unwrap_or_default()
    }

    fn locations(&self, args: &Value) -> Vec<Value> {
        let path = args.get("path").and_then(Value::as_str).filter(|path| !path.is_empty());
        path.map(|path| json!({"path": self.root.join(path).display().to_string()})).into_iter().collect()
    }
}

/// The question that an event puts, if it does.
pub(super) fn question(event: &Value) -> Option<Question> {
    let text = |field: &str| event.get(field).and_then(Value::as_str).unwrap_or_default();
    (text("type") == "tool_call" && event["requires_approval"] == true).then(|| Question {
        id: text("id").to_owned(),
        differences: event["diffs"].as_u64().unwrap_or(0),
        title: text("title").to_owned(),
        kind: kind(text("tool")),
        input: event["args"].clone(),
    })
}

fn chunk(kind: &str, text: &str) -> Value {
    json!({"sessionUpdate": kind, "content": {"type": "text", "text": text}})
}

fn words(text: &str) -> Value {
    json!({"type": "content", "content": {"type": "text", "text": text}})
}

fn notes(event: &Value) -> Vec<Value> {
    let notes = event["notes"].as_array().cloned().unwrap_or_default();
    notes.iter().filter_map(Value::as_str).map(words).collect()
}

/// A piece of a diff as the texts before and after it.
fn difference(path: &str, hunk: &Value) -> Value {
    let (mut old, mut new) = (String::new(), String::new());
    for line in hunk["content"].as_str().unwrap_or_default().split_inclusive('\n') {
        let (mark, rest) = line.split_at_checked(1).unwrap_or(("", line));
        if mark != "+" {
            old.push_str(rest);
        }
        if mark != "-" {
            new.push_str(rest);
        }
    }
    let created = hunk["oldLines"] == 0 && hunk["oldStart"] == 0;
    let old = if created { Value::Null } else { Value::from(old) };
    json!({"type": "diff", "path": path, "oldText": old, "newText": new})
}

fn plan(event: &Value) -> Value {
    let entry = |step: &Value| {
        let said = step["description"].as_str().unwrap_or_default();
        let (status, said) = match step["status"].as_str().unwrap_or("pending") {
            "failed" => ("completed", format!("(given up) {said}")),
            status => (status, said.to_owned()),
        };
        json!({"content": said, "priority": "medium", "status": status})
    };
    let entries: Vec<Value> = event["steps"].as_array().into_iter().flatten().map(entry).collect();
    json!({"sessionUpdate": "plan", "entries": entries})
}

/// The protocol's kind of a tool.
fn kind(tool: &str) -> &'static str {
    match tool {
        "read_file" | "list_directory" | "git_status" | "git_diff" | "git_log" | "task_status" => "read",
        "search_files" => "search",
        "write_file" | "edit_file" | "keep_changes" | "apply_task" => "edit",
        "fast_forward" => "edit",
        "git_fetch" | "git_pull" => "fetch",
        "run_shell" | "git_commit" | "git_branch" | "git_push" => "execute",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edit_is_shown_asked_about_and_finished() {
        let mut teller = Teller::new("/p");
        let call = json!({"type": "tool_call", "id": "a", "tool": "edit_file", "args": {"path": "x.py"},
            "requires_approval": true, "class": "write", "title": "edit x.py", "diffs": 1});
        let told = teller.tell(&call).unwrap();
        assert_eq!(
            (&told["status"], &told["kind"], &told["locations"][0]["path"]),
            (&json!("pending"), &json!("edit"), &json!("/p/x.py"))
        );
        assert_eq!(question(&call).unwrap().differences, 1);
        let hunk =
            json!({"oldStart": 1, "oldLines": 2, "newStart": 1, "newLines": 2, "content": " a\n-b\n+c\n"});
        let diff =
            json!({"type": "diff", "id": "a", "file": "x.py", "hunks": [hunk], "notes": ["look here"]});
        let told = teller.tell(&diff).unwrap();
        let expected = json!({"type": "diff", "path": "/p/x.py", "oldText": "a\nb\n", "newText": "a\nc\n"});
        assert_eq!((&told["content"][0], told["content"].as_array().unwrap().len()), (&expected, 2));
        let result = json!({"type": "tool_result", "id": "a", "result": "written: x.py"});
        let told = teller.tell(&result).unwrap();
        assert_eq!((&told["status"], told["content"].as_array().unwrap().len()), (&json!("completed"), 3));
        assert!(teller.give_up().is_empty());
    }

    #[test]
    fn what_has_no_result_is_given_up_and_a_new_file_has_no_old_text() {
        let mut teller = Teller::new("/p");
        teller.tell(&json!({"type": "tool_call", "id": "a", "tool": "run_shell", "args": {}, "requires_approval": false}));
        assert_eq!(teller.give_up()[0]["status"], "failed");
        let hunk = json!({"oldStart": 0, "oldLines": 0, "newStart": 1, "newLines": 1, "content": "+x\n"});
        assert_eq!(
            difference("/p/x", &hunk),
            json!({"type": "diff", "path": "/p/x", "oldText": null, "newText": "x\n"})
        );
    }

    #[test]
    fn plans_and_words_have_their_kinds() {
        let mut teller = Teller::new("/p");
        let steps = json!([{"index": 0, "description": "look", "status": "in_progress"}, {"index": 1, "description": "mend", "status": "failed"}]);
        let told = teller.tell(&json!({"type": "plan", "steps": steps, "status": "executing"})).unwrap();
        assert_eq!(
            told["entries"][1],
            json!({"content": "(given up) mend", "priority": "medium", "status": "completed"})
        );
        for (event, kind) in [("person", "user_message_chunk"), ("text", "agent_message_chunk")] {
            assert_eq!(teller.tell(&json!({"type": event, "content": "x"})).unwrap()["sessionUpdate"], kind);
        }
        assert_eq!(teller.tell(&json!({"type": "done"})), None);
    }
}
