//! Messages of a chat as OpenAI writes them, as turns of a conversation.

use edgecoder_agent::tool_call::Tool;
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::ide::ask::{PastCall, ToolChoice, Turn};
use crate::ide::fault::Fault;

/// One message.
#[derive(Debug, Deserialize, ToSchema)]
pub(in crate::ide) struct ChatMessage {
    /// `system`, `developer`, `user`, `assistant` or `tool`.
    pub(in crate::ide) role: ChatRole,
    /// A text or a list of parts.
    #[serde(default)]
    pub(in crate::ide) content: Option<Content>,
    /// Calls the assistant made.
    #[serde(default)]
    pub(in crate::ide) tool_calls: Option<Vec<ToolCall>>,
    /// The call that a tool's message answers.
    #[serde(default)]
    pub(in crate::ide) tool_call_id: Option<String>,
}

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::ide) enum ChatRole {
    System,
    Developer,
    User,
    Assistant,
    Tool,
}

/// What is said.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged)]
pub(in crate::ide) enum Content {
    Text(String),
    Parts(Vec<Part>),
}

/// A part of it.
#[derive(Debug, Deserialize, ToSchema)]
pub(in crate::ide) struct Part {
    /// `text`; `refusal` in earlier answers.
    #[serde(rename = "type")]
    pub(in crate::ide) kind: String,
    #[serde(default)]
    pub(in crate::ide) text: Option<String>,
    #[serde(default)]
    pub(in crate::ide) refusal: Option<String>,
}

/// A call of a function.
#[derive(Debug, Deserialize, ToSchema)]
pub(in crate::ide) struct ToolCall {
    pub(in crate::ide) function: CalledFunction,
}

/// The function and its arguments.
#[derive(Debug, Deserialize, ToSchema)]
pub(in crate::ide) struct CalledFunction {
    pub(in crate::ide) name: String,
    /// JSON as text.
    #[serde(default)]
    pub(in crate::ide) arguments: String,
}

/// A tool that is offered.
#[derive(Debug, Deserialize, ToSchema)]
pub(in crate::ide) struct OfferedTool {
    /// `function`.
    #[serde(rename = "type")]
    pub(in crate::ide) kind: String,
    #[serde(default)]
    pub(in crate::ide) function: Option<OfferedFunction>,
}

/// A function that is offered.
#[derive(Debug, Deserialize, ToSchema)]
pub(in crate::ide) struct OfferedFunction {
    pub(in crate::ide) name: String,
    #[serde(default)]
    pub(in crate::ide) description: Option<String>,
    /// JSON Schema of its arguments.
    #[serde(default)]
    pub(in crate::ide) parameters: Option<Value>,
}

/// `none`, `auto`, `required`, or one function.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged)]
pub(in crate::ide) enum Choice {
    Word(String),
    One { function: ChosenFunction },
}

/// The function that must be called.
#[derive(Debug, Deserialize, ToSchema)]
pub(in crate::ide) struct ChosenFunction {
    pub(in crate::ide) name: String,
}

/// The conversation.
pub(in crate::ide) fn turns(messages: Vec<ChatMessage>) -> Result<Vec<Turn>, Fault> {
    messages.into_iter().enumerate().map(|(index, message)| turn(index, message)).collect()
}

fn turn(index: usize, message: ChatMessage) -> Result<Turn, Fault> {
    let field = format!("messages[{index}].content");
    if message.role == ChatRole::Tool && message.tool_call_id.is_none() {
        let field = format!("messages[{index}].tool_call_id");
        return Err(Fault::of(&field, format!("`{field}`: a tool's message names the call it answers")));
    }
    let silent = message.role == ChatRole::Assistant && message.tool_calls.is_some();
    let text = match message.content {
        Some(content) => text(&field, content)?,
        None if silent => String::new(),
        None => return Err(Fault::of(&field, format!("`{field}`: a message needs a content"))),
    };
    Ok(match message.role {
        ChatRole::System | ChatRole::Developer => Turn::System(text),
        ChatRole::User => Turn::User(text),
        ChatRole::Tool => Turn::Tool(text),
        ChatRole::Assistant => {
            let calls = message.tool_calls.unwrap_or_default();
            Turn::Assistant(text, calls.into_iter().map(|call| past_call(call.function)).collect())
        }
    })
}

/// The text of a content.
pub(super) fn text(field: &str, content: Content) -> Result<String, Fault> {
    match content {
        Content::Text(text) => Ok(text),
        Content::Parts(parts) => {
            let mut texts = Vec::with_capacity(parts.len());
            for (index, part) in parts.into_iter().enumerate() {
                let field = format!("{field}[{index}]");
                texts.push(match part.kind.as_str() {
                    "text" | "input_text" | "output_text" => part.text.unwrap_or_default(),
                    "refusal" => part.refusal.unwrap_or_default(),
                    kind => {
                        let words = format!(
                            "`{field}`: parts of type {kind:?} are not supported: the model reads text"
                        );
                        return Err(Fault::of(field, words));
                    }
                });
            }
            Ok(texts.join("\n"))
        }
    }
}

/// Arguments that are no JSON are shown to the model as they were.
pub(in crate::ide) fn past_call(function: CalledFunction) -> PastCall {
    let CalledFunction { name, arguments } = function;
    PastCall { name, arguments: serde_json::from_str(&arguments).unwrap_or(Value::String(arguments)) }
}

/// The tools.
pub(in crate::ide) fn tools(offered: Vec<OfferedTool>) -> Result<Vec<Tool>, Fault> {
    let tool = |(index, tool): (usize, OfferedTool)| match tool.function {
        Some(function) if tool.kind == "function" => Ok(Tool {
            name: function.name,
            description: function.description.unwrap_or_default(),
            parameters: function.parameters.unwrap_or_default(),
        }),
        Some(_) | None => {
            let field = format!("tools[{index}].type");
            let words =
                format!("`{field}`: only tools of type \"function\", with a `function`, are supported");
            Err(Fault::of(field, words))
        }
    };
    offered.into_iter().enumerate().map(tool).collect()
}

/// Whether one must be called.
pub(in crate::ide) fn choice(choice: Choice) -> Result<ToolChoice, Fault> {
    match choice {
        Choice::Word(word) => match word.as_str() {
            "auto" => Ok(ToolChoice::Auto),
            "none" => Ok(ToolChoice::None),
            "required" => Ok(ToolChoice::Required),
            _ => Err(Fault::of(
                "tool_choice",
                "`tool_choice`: use \"auto\", \"none\", \"required\" or a function",
            )),
        },
        Choice::One { function } => Ok(ToolChoice::Named(function.name)),
    }
}
