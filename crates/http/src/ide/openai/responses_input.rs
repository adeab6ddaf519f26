//! Items of `/v1/responses` as turns of a conversation.

use edgecoder_agent::tool_call::Tool;
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::message::{CalledFunction, ChatRole, Content, past_call, text};
use crate::ide::ask::{ToolChoice, Turn};
use crate::ide::fault::Fault;

/// A text or a list of items.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged)]
#[schema(as = responses::Input)]
pub(in crate::ide) enum Input {
    Text(String),
    Items(Vec<Item>),
}

/// One item. Which fields it needs depends on its type.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = responses::Item)]
pub(in crate::ide) struct Item {
    /// `message`, `function_call`, `function_call_output`, `reasoning`.
    #[serde(default, rename = "type")]
    kind: Option<String>,
    #[serde(default)]
    role: Option<ChatRole>,
    #[serde(default)]
    content: Option<Content>,
    /// Of a `function_call`.
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    arguments: Option<String>,
    /// Of a `function_call_output`.
    #[serde(default)]
    output: Option<Content>,
}

/// A function that is offered.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = responses::FlatTool)]
pub(in crate::ide) struct FlatTool {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    parameters: Option<Value>,
}

/// `none`, `auto`, `required`, or one function.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged)]
#[schema(as = responses::FlatChoice)]
pub(in crate::ide) enum FlatChoice {
    Word(String),
    One {
        #[serde(rename = "type")]
        kind: String,
        name: Option<String>,
    },
}

/// The conversation that the items make.
pub(super) fn turns(input: Input) -> Result<Vec<Turn>, Fault> {
    let items = match input {
        Input::Text(text) => return Ok(vec![Turn::User(text)]),
        Input::Items(items) => items,
    };
    let mut turns = Vec::with_capacity(items.len());
    for (index, item) in items.into_iter().enumerate() {
        let field = format!("input[{index}]");
        match (item.kind.as_deref(), item.role) {
            (None | Some("message"), Some(role)) => {
                let content = item.content.ok_or_else(|| missing(&field, "content"))?;
                let text = text(&format!("{field}.content"), content)?;
                turns.push(match role {
                    ChatRole::System | ChatRole::Developer => Turn::System(text),
                    ChatRole::User => Turn::User(text),
                    ChatRole::Assistant => Turn::Assistant(text, Vec::new()),
                    ChatRole::Tool => return Err(missing(&field, "type")),
                });
            }
            (Some("function_call"), _) => {
                let name = item.name.ok_or_else(|| missing(&field, "name"))?;
                let arguments = item.arguments.unwrap_or_default();
                let call = past_call(CalledFunction { name, arguments });
                // Calls of one answer stand together, behind what it said.
                match turns.last_mut() {
                    Some(Turn::Assistant(_, calls)) => calls.push(call),
                    _ => turns.push(Turn::Assistant(String::new(), vec![call])),
                }
            }
            (Some("function_call_output"), _) => {
                let output = item.output.ok_or_else(|| missing(&field, "output"))?;
                turns.push(Turn::Tool(text(&format!("{field}.output"), output)?));
            }
            // What another model thought is nothing to go on from.
            (Some("reasoning"), _) => {}
            (kind, _) => {
                let words =
                    format!("`{field}.type`: items of type {:?} are not supported here", kind.unwrap_or("?"));
                return Err(Fault::of(format!("{field}.type"), words));
            }
        }
    }
    Ok(turns)
}

fn missing(field: &str, name: &str) -> Fault {
    let field = format!("{field}.{name}");
    Fault::of(&field, format!("Missing required parameter: '{field}'."))
}

/// The tools.
pub(super) fn tools(offered: Vec<FlatTool>) -> Result<Vec<Tool>, Fault> {
    let tool = |(index, tool): (usize, FlatTool)| match tool.name {
        Some(name) if tool.kind == "function" => Ok(Tool {
            name,
            description: tool.description.unwrap_or_default(),
            parameters: tool.parameters.unwrap_or_default(),
        }),
        Some(_) | None => {
            let field = format!("tools[{index}].type");
            let kind = tool.kind;
            let words =
                format!("`{field}`: {kind:?} is run by OpenAI and not here; only \"function\" is supported");
            Err(Fault::of(field, words))
        }
    };
    offered.into_iter().enumerate().map(tool).collect()
}

/// Whether one must be called.
pub(super) fn choice(choice: FlatChoice) -> Result<ToolChoice, Fault> {
    match choice {
        FlatChoice::Word(word) if word == "auto" => Ok(ToolChoice::Auto),
        FlatChoice::Word(word) if word == "none" => Ok(ToolChoice::None),
        FlatChoice::Word(word) if word == "required" => Ok(ToolChoice::Required),
        FlatChoice::One { kind, name: Some(name) } if kind == "function" => Ok(ToolChoice::Named(name)),
        FlatChoice::Word(_) | FlatChoice::One { .. } => {
            Err(Fault::of("tool_choice", "`tool_choice`: use \"auto\", \"none\", \"required\" or a function"))
        }
    }
}
