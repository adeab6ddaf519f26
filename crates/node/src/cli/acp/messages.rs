//! What editors ask for, as far as we read it, and what they are told of us. Fields that we do not read are theirs.

use std::path::PathBuf;

use serde::Deserialize;
use serde_json::{Value, json};

use super::wire::{Fault, INVALID_PARAMS};

/// The version of the protocol that we speak.
const VERSION: u64 = 1;

/// `session/new`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct NewSession {
    pub(super) cwd: PathBuf,
    #[serde(default)]
    pub(super) mcp_servers: Vec<Value>,
}

/// `session/load` and `session/resume`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct LoadSession {
    pub(super) session_id: String,
    pub(super) cwd: PathBuf,
    #[serde(default)]
    pub(super) mcp_servers: Vec<Value>,
}

/// `session/list`.
#[derive(Debug, Default, Deserialize)]
pub(super) struct ListSessions {
    #[serde(default)]
    pub(super) cwd: Option<PathBuf>,
}

/// `session/set_mode`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SetMode {
    pub(super) session_id: String,
    pub(super) mode_id: String,
}

/// `session/prompt`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Prompt {
    pub(super) session_id: String,
    pub(super) prompt: Vec<Block>,
}

/// `session/cancel`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Cancel {
    pub(super) session_id: String,
}

/// A piece of a prompt.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Block {
    Text {
        text: String,
    },
    ResourceLink {
        uri: String,
        name: String,
    },
    Resource {
        resource: Embedded,
    },
    #[serde(other)]
    Other,
}

/// A text that the editor put in.
#[derive(Debug, Deserialize)]
pub(super) struct Embedded {
    uri: String,
    text: Option<String>,
}

/// What we are, and exactly what we can do.
pub(super) fn initialized() -> Value {
    json!({
        "protocolVersion": VERSION,
        "agentCapabilities": {
            "loadSession": true,
            "promptCapabilities": {"image": false, "audio": false, "embeddedContext": true},
            "mcpCapabilities": {"http": false, "sse": false},
            "sessionCapabilities": {"list": {}, "resume": {}},
        },
        "agentInfo": {"name": "edgecoder", "title": "EdgeCoder", "version": env!("CARGO_PKG_VERSION")},
        "authMethods": [],
    })
}

/// The modes of a session, the current one first named.
pub(super) fn modes(current: &str) -> Value {
    let mode =
        |id: &str, name: &str, description: &str| json!({"id": id, "name": name, "description": description});
    json!({"currentModeId": current, "availableModes": [
        mode("ask", "Ask", "Asks before it changes, runs or sends anything"),
        mode("edit", "Edit", "Changes ordinary files without asking; asks before everything else"),
        mode("read", "Read", "Only reads"),
    ]})
}

/// The parameters of a method.
pub(super) fn read<T: serde::de::DeserializeOwned>(params: Value) -> Result<T, Fault> {
    serde_json::from_value(params).map_err(|error| Fault::new(INVALID_PARAMS, error.to_string()))
}

/// The words of a prompt.
pub(super) fn words(blocks: Vec<Block>) -> Result<String, Fault> {
    let mut words = Vec::new();
    for block in blocks {
        words.push(match block {
            Block::Text { text } => text,
            Block::ResourceLink { uri, name } => format!("[{name}]({uri})"),
            Block::Resource { resource: Embedded { uri, text: Some(text) } } => {
                format!("<file uri={uri:?}>\n{text}\n</file>")
            }
            Block::Resource { resource: Embedded { text: None, .. } } | Block::Other => {
                return Err(Fault::new(
                    INVALID_PARAMS,
                    "prompt: only texts, links and embedded texts are read",
                ));
            }
        });
    }
    let words = words.join("\n");
    if words.trim().is_empty() {
        return Err(Fault::new(INVALID_PARAMS, "prompt: it says nothing"));
    }
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(blocks: Value) -> Result<String, i64> {
        words(serde_json::from_value(blocks).unwrap()).map_err(|fault| fault.code)
    }

    #[test]
    fn a_prompt_is_its_texts_links_and_embedded_files() {
        let blocks = json!([
            {"type": "text", "text": "look at"},
            {"type": "resource_link", "uri": "file:///a.py", "name": "a.py"},
            {"type": "resource", "resource": {"uri": "file:///b.py", "text": "x = 1"}},
        ]);
        assert_eq!(
            told(blocks).unwrap(),
            "look at\n[a.py](file:///a.py)\n<file uri=\"file:///b.py\">\nx = 1\n</file>"
        );
        for blocks in [
            json!([{"type": "image", "data": "", "mimeType": "image/png"}]),
            json!([{"type": "resource", "resource": {"uri": "file:///b", "blob": "AA=="}}]),
            json!([]),
            json!([{"type": "text", "text": " "}]),
        ] {
            assert_eq!(told(blocks), Err(INVALID_PARAMS));
        }
    }
}
