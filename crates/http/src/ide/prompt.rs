//! From what a client wants to what an engine is asked: turns become messages, which the model's own chat template
//! renders; tools are declared in the frame; calls of earlier turns stand as the model would have written them.

use edgecoder_agent::tool_call::{Dialect, Tool, declare};
use edgecoder_worker::{CompletionRequest, Format, Message, TextPrompt};
use serde_json::{Value, json};

use super::ask::{Ask, PastCall, Prompt, ToolChoice, Turn};

/// Temperature where several different answers are wanted and nobody says how different.
pub(super) const SEVERAL_TEMPERATURE: f32 = 0.7;

/// What the engine is asked. `grammar` says whether it can hold an answer to a schema; `seed` is used where the
/// client names none.
pub(super) fn request(ask: &Ask, grammar: bool, seed: u64, max_tokens: u32) -> CompletionRequest {
    let mut request = match &ask.prompt {
        Prompt::Chat(turns) => CompletionRequest::new(messages(turns, ask.offered()), max_tokens),
        Prompt::Text(text) => {
            CompletionRequest::text(TextPrompt::Continue { text: text.clone() }, max_tokens)
        }
        Prompt::Gap { prefix, suffix } => {
            let (prefix, suffix) = (prefix.clone(), suffix.clone());
            CompletionRequest::text(TextPrompt::Infill { prefix, suffix }, max_tokens)
        }
    };
    let sampling = &ask.sampling;
    request.temperature = sampling.temperature.unwrap_or(request.temperature);
    request.top_p = sampling.top_p.unwrap_or(request.top_p);
    request.top_k = sampling.top_k.unwrap_or(request.top_k);
    request.min_p = sampling.min_p.unwrap_or(request.min_p);
    request.repeat_penalty = sampling.repeat_penalty.unwrap_or(request.repeat_penalty);
    request.frequency_penalty = sampling.frequency_penalty.unwrap_or(request.frequency_penalty);
    request.presence_penalty = sampling.presence_penalty.unwrap_or(request.presence_penalty);
    request.seed = sampling.seed.unwrap_or(seed);
    request.stop.clone_from(&ask.stop);
    request.logprobs = ask.logprobs;
    request.format = format(ask, grammar);
    request
}

fn format(ask: &Ask, grammar: bool) -> Option<Format> {
    let held = |schema| Some(Format::JsonSchema { schema });
    match &ask.choice {
        ToolChoice::Required if grammar => held(any_call(&ask.tools)),
        ToolChoice::Named(name) if grammar => {
            held(any_call(ask.tools.iter().filter(|tool| &tool.name == name)))
        }
        ToolChoice::Auto | ToolChoice::None | ToolChoice::Required | ToolChoice::Named(_) => {
            ask.schema.clone().and_then(held)
        }
    }
}

/// The schema of a call of one of `tools`.
fn any_call<'a>(tools: impl IntoIterator<Item = &'a Tool>) -> Value {
    let call = |tool: &Tool| {
        let object = tool.parameters.get("type").and_then(Value::as_str) == Some("object");
        // A schema that points into itself would point elsewhere once it stands in another.
        let whole = object && !tool.parameters.to_string().contains("\"$ref\"");
        let parameters = if whole { tool.parameters.clone() } else { json!({"type": "object"}) };
        json!({
            "type": "object",
            "properties": {"name": {"const": tool.name}, "parameters": parameters},
            "required": ["name", "parameters"],
            "additionalProperties": false,
        })
    };
    let mut calls: Vec<Value> = tools.into_iter().map(call).collect();
    match calls.len() {
        1 => calls.remove(0),
        _ => json!({"anyOf": calls}),
    }
}

/// The conversation with the tools declared at its beginning.
fn messages(turns: &[Turn], tools: &[Tool]) -> Vec<Message> {
    let mut turns = turns.iter().peekable();
    let mut messages = Vec::with_capacity(turns.len() + 1);
    if !tools.is_empty() {
        let declared = declare(tools, Dialect::Native);
        messages.push(match turns.next_if(|turn| matches!(turn, Turn::System(_))) {
            Some(Turn::System(frame)) => Message::system(format!("{frame}\n\n{declared}")),
            Some(_) | None => Message::system(declared),
        });
    }
    messages.extend(turns.map(message));
    messages
}

fn message(turn: &Turn) -> Message {
    match turn {
        Turn::System(text) => Message::system(text.as_str()),
        Turn::User(text) => Message::user(text.as_str()),
        Turn::Assistant(text, calls) => {
            let written = calls.iter().map(written);
            let parts: Vec<String> =
                (!text.is_empty()).then(|| text.clone()).into_iter().chain(written).collect();
            Message::assistant(parts.join("\n"))
        }
        Turn::Tool(text) => Message::tool(text.as_str()),
    }
}

/// The form in which tools are declared, and most models were trained.
fn written(call: &PastCall) -> String {
    let PastCall { name, arguments } = call;
    format!("<tool_call>\n{}\n</tool_call>", json!({"name": name, "arguments": arguments}))
}

/// Tokens of a prompt at most: no token is shorter than a byte; the rest is what templates put around turns.
pub(super) fn most_tokens(request: &CompletionRequest) -> u32 {
    /// Marks of a turn, as the longest templates write them.
    const TURN: usize = 48;
    /// A frame that some templates add when there is none.
    const FRAME: usize = 192;
    let content: usize = request.messages.iter().map(|message| message.content.len() + TURN).sum();
    let text = match &request.text {
        Some(TextPrompt::Continue { text }) => text.len(),
        Some(TextPrompt::Infill { prefix, suffix }) => prefix.len() + suffix.len(),
        None => 0,
    };
    u32::try_from(content + text + FRAME).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tool(name: &str) -> Tool {
        let parameters = json!({"type": "object", "properties": {"path": {"type": "string"}}});
        Tool { name: name.to_owned(), description: "d".to_owned(), parameters }
    }

    #[test]
    fn tools_stand_in_the_frame_and_earlier_calls_as_they_were_written() {
        let call = PastCall { name: "read".to_owned(), arguments: json!({"path": "a"}) };
        let turns = vec![
            Turn::System("Be brief.".to_owned()),
            Turn::User("Read a.".to_owned()),
            Turn::Assistant("Yes.".to_owned(), vec![call]),
            Turn::Tool("text".to_owned()),
        ];
        let mut ask = Ask::new("m", Prompt::Chat(turns));
        ask.tools = vec![tool("read")];
        let asked = request(&ask, false, 7, 9);
        assert_eq!(asked.messages.len(), 4);
        assert!(asked.messages[0].content.starts_with("Be brief.\n\nYou may call these tools:\n"));
        let written = "Yes.\n<tool_call>\n{\"arguments\":{\"path\":\"a\"},\"name\":\"read\"}\n</tool_call>";
        assert_eq!(asked.messages[2], Message::assistant(written));
        assert_eq!((asked.seed, asked.max_tokens, asked.format), (7, 9, None));
        ask.choice = ToolChoice::None;
        assert_eq!(request(&ask, true, 7, 9).messages[0], Message::system("Be brief."));
    }

    #[test]
    fn a_call_that_must_come_is_held_to_its_form_where_the_engine_can() {
        let mut ask = Ask::new("m", Prompt::Chat(vec![Turn::User("x".to_owned())]));
        ask.tools = vec![tool("a"), tool("b")];
        ask.tools[1].parameters = json!({"type": "object", "properties": {"p": {"$ref": "#/$defs/x"}}});
        ask.choice = ToolChoice::Required;
        let Some(Format::JsonSchema { schema }) = request(&ask, true, 0, 1).format else {
            panic!("no schema")
        };
        assert_eq!(schema["anyOf"][0]["properties"]["name"]["const"], "a");
        assert_eq!(schema["anyOf"][1]["properties"]["parameters"], json!({"type": "object"}));
        assert_eq!(request(&ask, false, 0, 1).format, None);
        ask.choice = ToolChoice::Named("b".to_owned());
        let Some(Format::JsonSchema { schema }) = request(&ask, true, 0, 1).format else {
            panic!("no schema")
        };
        assert_eq!(schema["properties"]["name"]["const"], "b");
    }
}
