//! The object around a call: which key holds the name and which the arguments. Everybody has another.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::fuel::Fuel;
use super::malformed::{Malformed, near};
use super::name::{self, Meant};
use super::repair::Repair;
use super::{Call, Tool, arguments};

/// Keys that hold the tool's name.
const NAMES: [&str; 8] =
    ["name", "tool", "tool_name", "function", "function_name", "action", "recipient_name", "tool_call_name"];

/// Keys that hold the arguments.
const ARGUMENTS: [&str; 9] = [
    "arguments",
    "args",
    "parameters",
    "params",
    "input",
    "action_input",
    "tool_input",
    "kwargs",
    "argument",
];

/// Keys that hold whole calls.
const WRAPPERS: [&str; 8] =
    ["tool_calls", "tool_call", "function_call", "function", "calls", "tool_uses", "tool", "functioncall"];

/// Keys that say nothing about the call.
const ASIDE: [&str; 6] = ["id", "type", "index", "call_id", "tool_call_id", "description"];

/// A name and what was written as its arguments.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Written {
    pub(super) name: String,
    pub(super) arguments: Value,
    pub(super) repairs: BTreeSet<Repair>,
}

impl Written {
    /// Holds the call against the declared tools.
    pub(super) fn call(self, tools: &[Tool], fuel: &Fuel) -> Result<Call, Malformed> {
        let mut repairs = self.repairs;
        let names = |at: &[usize]| at.iter().map(|at| tools[*at].name.clone()).collect();
        let at = match name::tool(&self.name, tools) {
            Meant::Exactly(at) => at,
            Meant::Nearly(at) => {
                repairs.insert(Repair::ToolName);
                at
            }
            Meant::Unsure(near) => {
                return Err(Malformed::AmbiguousTool { name: self.name, tools: names(&near) });
            }
            Meant::Nothing => {
                let tools = tools.iter().map(|tool| tool.name.clone()).collect();
                return Err(Malformed::UnknownTool { name: self.name, tools });
            }
        };
        let arguments = arguments::fit(&tools[at], self.arguments, &mut repairs, fuel)?;
        Ok(Call { name: tools[at].name.clone(), arguments, repairs: repairs.into_iter().collect() })
    }
}

/// What a value is, seen as a call.
#[derive(Debug)]
pub(super) enum Envelope {
    /// Something else: a table, a schema, a piece of configuration.
    NotACall,
    /// One or more.
    Calls(Vec<Written>),
    /// A call that cannot be used.
    Malformed(Malformed),
}

/// Opens `value`, found without any mark (then only what is surely a call counts) or behind one.
pub(super) fn open(value: &Value, repairs: &BTreeSet<Repair>, tools: &[Tool]) -> Envelope {
    match value {
        Value::Array(items) => {
            let mut calls = Vec::new();
            let mut others = 0_usize;
            for item in items {
                match open(item, repairs, tools) {
                    Envelope::Calls(more) => calls.extend(more),
                    Envelope::NotACall => others += 1,
                    malformed @ Envelope::Malformed(_) => return malformed,
                }
            }
            match (calls.is_empty(), others) {
                (true, _) => Envelope::NotACall,
                (false, 0) => Envelope::Calls(calls),
                (false, _) => Envelope::Malformed(Malformed::NoCall { near: near(&value.to_string()) }),
            }
        }
        Value::Object(map) => object(map, repairs, tools),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Envelope::NotACall,
    }
}

fn object(map: &Map<String, Value>, repairs: &BTreeSet<Repair>, tools: &[Tool]) -> Envelope {
    for key in WRAPPERS {
        if let Some((_, inner @ (Value::Object(_) | Value::Array(_)))) = find(map, &[key])
            && let found @ (Envelope::Calls(_) | Envelope::Malformed(_)) = open(inner, repairs, tools)
        {
            return found;
        }
    }
    let name = NAMES
        .iter()
        .filter_map(|key| find(map, &[key]))
        .filter_map(|(key, name)| name.as_str().map(|name| (key, name)))
        .find(|(key, _)| *key != "function" || find(map, &["name"]).is_none());
    let arguments = find(map, &ARGUMENTS);
    match (name, arguments) {
        (Some((_, name)), Some((key, given))) => named(map, name, key, given, repairs, tools),
        (Some((key, name)), None) => flat(map, key, name, repairs, tools),
        (None, _) => keyed(map, repairs, tools),
    }
}

/// The first of `keys` in any case.
fn find<'a>(map: &'a Map<String, Value>, keys: &[&str]) -> Option<(&'a str, &'a Value)> {
    keys.iter().find_map(|key| {
        map.iter()
            .find(|(found, _)| found.eq_ignore_ascii_case(key) || name::plain(found) == name::plain(key))
            .map(|(found, value)| (found.as_str(), value))
    })
}

/// `{"name": …, "arguments": …}`.
fn named(
    map: &Map<String, Value>,
    name: &str,
    key: &str,
    given: &Value,
    repairs: &BTreeSet<Repair>,
    tools: &[Tool],
) -> Envelope {
    let meant = name::tool(name, tools);
    let looks = match given {
        Value::Object(_) => true,
        Value::String(text) => text.trim().is_empty() || text.trim_start().starts_with('{'),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => false,
    };
    if is_declaration(given) {
        // a tool's description repeated: one of ours is no answer, one of somebody else's is text
        return match meant {
            Meant::Exactly(_) => Envelope::Malformed(Malformed::NoCall { near: near(name) }),
            Meant::Nearly(_) | Meant::Unsure(_) | Meant::Nothing => Envelope::NotACall,
        };
    }
    if meant == Meant::Nothing && !looks {
        return Envelope::NotACall;
    }
    let mut repairs = repairs.clone();
    let mut given = given.clone();
    // a bracket closed too early leaves parameters beside the arguments
    if let (Some(at), Value::Object(inside)) = (meant.index(), &mut given)
        && let Some(known) = arguments::properties(&tools[at])
    {
        for (stray, value) in map.iter().filter(|(stray, _)| *stray != key && known.contains_key(*stray)) {
            if value.as_str() != Some(name) && !ASIDE.contains(&stray.as_str()) && !inside.contains_key(stray)
            {
                inside.insert(stray.clone(), value.clone());
                repairs.insert(Repair::FlatArguments);
            }
        }
    }
    Envelope::Calls(vec![Written { name: name.to_owned(), arguments: given, repairs }])
}

fn is_declaration(given: &Value) -> bool {
    given.get("type").and_then(Value::as_str) == Some("object") && given.get("properties").is_some()
}

/// `{"tool": …, "path": …}`: a name and the parameters beside it.
fn flat(
    map: &Map<String, Value>,
    key: &str,
    name: &str,
    repairs: &BTreeSet<Repair>,
    tools: &[Tool],
) -> Envelope {
    let meant = name::tool(name, tools);
    let at = match meant {
        Meant::Exactly(at) | Meant::Nearly(at) => at,
        Meant::Nothing => return Envelope::NotACall,
        Meant::Unsure(near) => {
            let tools = near.iter().map(|at| tools[*at].name.clone()).collect();
            return Envelope::Malformed(Malformed::AmbiguousTool { name: name.to_owned(), tools });
        }
    };
    let tool = &tools[at];
    let given: Map<String, Value> = map
        .iter()
        .filter(|(other, _)| *other != key && !ASIDE.contains(&other.as_str()))
        .map(|(other, value)| (other.clone(), value.clone()))
        .collect();
    if !given.is_empty()
        && arguments::properties(tool).is_some_and(|known| {
            given.keys().all(|other| {
                name::meant(other, &known.keys().map(String::as_str).collect::<Vec<_>>()).index().is_none()
            })
        })
    {
        return Envelope::Malformed(Malformed::NoParameters { tool: tool.name.clone() });
    }
    let mut repairs = repairs.clone();
    repairs.insert(Repair::FlatArguments);
    Envelope::Calls(vec![Written { name: name.to_owned(), arguments: Value::Object(given), repairs }])
}

/// `{"read_file": {…}}`.
fn keyed(map: &Map<String, Value>, repairs: &BTreeSet<Repair>, tools: &[Tool]) -> Envelope {
    let own: Vec<&String> = map.keys().filter(|key| name::same(key, tools).is_some()).collect();
    match own[..] {
        [] => Envelope::NotACall,
        [key] if map.len() == 1 && (map[key].is_object() || map[key].is_string()) => {
            let mut repairs = repairs.clone();
            repairs.insert(Repair::NameAsKey);
            Envelope::Calls(vec![Written { name: key.clone(), arguments: map[key].clone(), repairs }])
        }
        [key, ..] => Envelope::Malformed(Malformed::NoParameters { tool: key.clone() }),
    }
}
