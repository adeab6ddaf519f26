//! What was said in a session, by whom, in order: what the model reads again, and what is kept on disk.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// One turn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "who", rename_all = "snake_case")]
pub enum Turn {
    /// The frame that a client brings along.
    System {
        /// Its text.
        text: String,
    },
    /// The person.
    Person {
        /// What was said.
        text: String,
    },
    /// The model.
    Model {
        /// What it said.
        text: String,
        /// What it called.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        calls: Vec<PastCall>,
    },
    /// What came of a call.
    Tool {
        /// The call.
        id: String,
        /// The result, as the model reads it.
        text: String,
    },
}

/// A call that the model made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PastCall {
    /// Names the call in the session.
    pub id: String,
    /// The tool.
    pub name: String,
    /// Its arguments.
    pub arguments: Map<String, Value>,
}

impl Turn {
    /// Text that it takes in a prompt, without the calls' names.
    pub fn text(&self) -> &str {
        match self {
            Self::System { text }
            | Self::Person { text }
            | Self::Model { text, .. }
            | Self::Tool { text, .. } => text,
        }
    }
}

/// What stands for a result that never came: the session was cut off, by its person or by a crash.
const CUT_OFF: &str = "The call was cut off; nothing is known of its outcome.";

/// The turns with a result behind every call: a model that finds a call without one makes it again.
pub fn mended(turns: Vec<Turn>) -> Vec<Turn> {
    let mut whole = Vec::with_capacity(turns.len());
    let mut open: Vec<String> = Vec::new();
    for turn in turns {
        match &turn {
            Turn::Tool { id, .. } => {
                let Some(at) = open.iter().position(|one| one == id) else { continue };
                open.remove(at);
            }
            Turn::System { .. } | Turn::Person { .. } | Turn::Model { .. } => close(&mut whole, &mut open),
        }
        if let Turn::Model { calls, .. } = &turn {
            open.extend(calls.iter().map(|call| call.id.clone()));
        }
        whole.push(turn);
    }
    close(&mut whole, &mut open);
    whole
}

fn close(whole: &mut Vec<Turn>, open: &mut Vec<String>) {
    whole.extend(open.drain(..).map(|id| Turn::Tool { id, text: CUT_OFF.to_owned() }));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calls(ids: &[&str]) -> Turn {
        let call = |id: &&str| PastCall {
            id: (*id).to_owned(),
            name: "read_file".to_owned(),
            arguments: Map::new(),
        };
        Turn::Model { text: String::new(), calls: ids.iter().map(call).collect() }
    }

    fn tool(id: &str, text: &str) -> Turn {
        Turn::Tool { id: id.to_owned(), text: text.to_owned() }
    }

    #[test]
    fn every_call_has_one_result() {
        let person = Turn::Person { text: "go on".to_owned() };
        let whole =
            mended(vec![calls(&["a", "b"]), tool("a", "x"), tool("z", "nobody asked"), person.clone()]);
        assert_eq!(whole, [calls(&["a", "b"]), tool("a", "x"), tool("b", CUT_OFF), person]);
        assert_eq!(mended(vec![calls(&["a"])]), [calls(&["a"]), tool("a", CUT_OFF)]);
    }
}
