//! What a model writes when it was offered tools: read without a panic, never prose behind a tag, and the same
//! whether it arrives at once or in pieces.
#![no_main]

use edgecoder_agent::tool_call::{Malformed, Reading, Scanner, Tool, read};
use libfuzzer_sys::fuzz_target;
use serde_json::json;

fn tools() -> Vec<Tool> {
    let text = json!({"type": "string"});
    let tool = |name: &str, properties: serde_json::Value, required: &[&str]| Tool {
        name: name.to_owned(),
        description: String::new(),
        parameters: json!({"type": "object", "properties": properties, "required": required}),
    };
    vec![
        tool("read_file", json!({"path": text, "limit": {"type": "integer"}}), &["path"]),
        tool("search", json!({"query": text, "all": {"type": "boolean"}}), &["query"]),
        tool("list", json!({}), &[]),
    ]
}

fuzz_target!(|answer: &str| {
    let tools = tools();
    let whole = read(answer, &tools);
    if answer.starts_with("<tool_call>") && !answer.contains("think>") {
        assert_ne!(whole, Reading::Prose);
    }
    let mut scanner = Scanner::new(&tools);
    let mut shown = String::new();
    for piece in answer.split_inclusive(|c: char| !c.is_alphabetic()) {
        shown += scanner.push(piece);
    }
    let (reading, rest) = scanner.finish();
    assert_eq!(shown.clone() + &rest, answer);
    if let Reading::Malformed { at, reason } = &reading {
        assert!(*reason == Malformed::InThinking || shown.len() <= *at);
    }
    assert_eq!(reading, whole);
});
