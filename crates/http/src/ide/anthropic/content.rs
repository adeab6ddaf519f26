//! Contents of Anthropic's messages as turns: one message may hold texts, calls and what came of calls.

use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::ide::ask::{PastCall, Turn};
use crate::ide::fault::Fault;

/// A text or a list of blocks.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged)]
#[schema(as = anthropic::Content)]
pub(in crate::ide) enum Content {
    Text(String),
    Blocks(Vec<Block>),
}

/// One block. Which fields it needs depends on its type.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = anthropic::Block)]
pub(in crate::ide) struct Block {
    /// `text`, `tool_use`, `tool_result`, `thinking`.
    #[serde(rename = "type")]
    kind: String,
    text: Option<String>,
    /// The tool of a `tool_use`.
    name: Option<String>,
    /// Its input.
    input: Option<Value>,
    /// What came of a `tool_result`.
    #[schema(value_type = Option<Object>)]
    content: Option<Value>,
    #[serde(default)]
    is_error: bool,
}

/// Whose message it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turned {
    User,
    Assistant,
}

impl Content {
    /// Its text, where nothing else is allowed.
    pub(super) fn into_text(self, field: &str) -> Result<String, Fault> {
        match self {
            Self::Text(text) => Ok(text),
            Self::Blocks(blocks) => {
                let texts = blocks.into_iter().enumerate().map(|(index, block)| match block.kind.as_str() {
                    "text" => Ok(block.text.unwrap_or_default()),
                    kind => Err(unreadable(&format!("{field}.{index}"), kind)),
                });
                Ok(texts.collect::<Result<Vec<_>, _>>()?.join("\n"))
            }
        }
    }
}

/// The turns that a message consists of.
pub(super) fn turns(field: &str, content: Content, whose: Turned) -> Result<Vec<Turn>, Fault> {
    let blocks = match content {
        Content::Text(text) => return Ok(vec![spoken(whose, text, Vec::new())]),
        Content::Blocks(blocks) => blocks,
    };
    let (mut turns, mut texts, mut calls) = (Vec::new(), Vec::new(), Vec::new());
    for (index, block) in blocks.into_iter().enumerate() {
        let field = format!("{field}.{index}");
        match (block.kind.as_str(), whose) {
            ("text", _) => texts.push(block.text.unwrap_or_default()),
            ("tool_use", Turned::Assistant) => {
                let name =
                    block.name.ok_or_else(|| Fault::of(&field, format!("{field}.name: Field required")))?;
                calls.push(PastCall { name, arguments: block.input.unwrap_or_default() });
            }
            ("tool_result", Turned::User) => turns.push(Turn::Tool(result(&field, block)?)),
            ("thinking" | "redacted_thinking", Turned::Assistant) => {}
            (kind, _) => return Err(unreadable(&field, kind)),
        }
    }
    let said = !texts.is_empty() || !calls.is_empty();
    if said || turns.is_empty() {
        turns.push(spoken(whose, texts.join("\n"), calls));
    }
    Ok(turns)
}

fn spoken(whose: Turned, text: String, calls: Vec<PastCall>) -> Turn {
    match whose {
        Turned::User => Turn::User(text),
        Turned::Assistant => Turn::Assistant(text, calls),
    }
}

/// What a tool gave: a text, or blocks of text.
fn result(field: &str, block: Block) -> Result<String, Fault> {
    let text = match block.content {
        None => String::new(),
        Some(content) => {
            let content: Content = serde_json::from_value(content)
                .map_err(|_| Fault::of(field, format!("{field}.content: a text or a list of blocks")))?;
            content.into_text(&format!("{field}.content"))?
        }
    };
    Ok(if block.is_error { format!("Error: {text}") } else { text })
}

fn unreadable(field: &str, kind: &str) -> Fault {
    Fault::of(field, format!("{field}: blocks of type {kind:?} are not supported here: the model reads text"))
}
