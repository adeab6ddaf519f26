//! What a model is told about tools: short, because a small window pays for every word.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Malformed, Tool, arguments};
use crate::syntax::clip;

/// The form in which a model is asked to call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dialect {
    /// JSON in `<tool_call>` tags, or whatever the model was trained on.
    #[default]
    Native,
    /// Lines: `TOOL name`, `parameter: value`, `END`.
    Text,
}

/// Longest description repeated to a model, characters.
const MAX_DESCRIPTION: usize = 200;

/// The part of a system prompt that declares `tools`.
pub fn declare(tools: &[Tool], dialect: Dialect) -> String {
    let mut text = String::new();
    match dialect {
        Dialect::Native => {
            text.push_str("You may call these tools:\n");
            for tool in tools {
                let line = json!({"name": tool.name, "description": tool.description, "parameters": tool.parameters});
                _ = writeln!(text, "{line}");
            }
            text.push_str(
                "To call one, write only:\n<tool_call>\n{\"name\": \"…\", \"arguments\": {…}}\n</tool_call>\n",
            );
        }
        Dialect::Text => {
            text.push_str("You may call these tools:\n");
            for tool in tools {
                _ = writeln!(text, "{}: {}", signature(tool), clip(&tool.description, MAX_DESCRIPTION));
            }
            text.push_str(
                "To call one, write only these lines:\nTOOL name\nparameter: value\nEND\nA value of several lines stands between <<< and >>>:\ncontent: <<<\nfirst line\nsecond line\n>>>\n",
            );
        }
    }
    text
}

/// What to say after an answer that cannot be read.
pub(super) fn ask_again(reason: &Malformed, dialect: Dialect, tools: &[Tool]) -> String {
    match dialect {
        Dialect::Native => format!("Your tool call was not performed: {reason}. Write the whole call again."),
        Dialect::Text => {
            format!("Your tool call was not performed: {reason}.\n{}", declare(tools, Dialect::Text))
        }
    }
}

/// `read_file(path: string, limit?: integer)`.
fn signature(tool: &Tool) -> String {
    let required: Vec<&str> = arguments::required(tool).collect();
    let parameters: Vec<String> = arguments::properties(tool)
        .into_iter()
        .flatten()
        .map(|(name, schema)| {
            let mark = if required.contains(&name.as_str()) { "" } else { "?" };
            let choices = schema.get("enum").and_then(Value::as_array).map(|choices| {
                choices
                    .iter()
                    .map(|choice| choice.as_str().map_or_else(|| choice.to_string(), str::to_owned))
                    .collect::<Vec<_>>()
                    .join("|")
            });
            let kind = choices.unwrap_or_else(|| arguments::types(schema).join("|"));
            if kind.is_empty() { format!("{name}{mark}") } else { format!("{name}{mark}: {kind}") }
        })
        .collect();
    format!("{}({})", tool.name, parameters.join(", "))
}
