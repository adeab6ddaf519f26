//! Calls written as code: `[read_file(path="a.py"), search(query="x")]`, `read_file({"path": "a.py"})`.

use serde_json::{Map, Value};

use super::envelope::Written;
use super::fuel::Fuel;
use super::lenient::{Parser, Place};
use super::malformed::{Malformed, near};
use super::name;
use super::repair::Repair;
use super::{Tool, arguments};

/// Characters of a tool's name in code.
pub(super) fn part_of_name(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | '.')
}

/// The calls in the list that `text` begins with, and where the list ends.
pub(super) fn list(
    text: &str,
    ended: bool,
    tools: &[Tool],
    fuel: &Fuel,
) -> Result<(Vec<Written>, usize), Malformed> {
    let mut calls = Vec::new();
    let mut at = 1; // the opening bracket
    loop {
        let rest = &text[at..];
        at += rest.len() - rest.trim_start_matches([' ', '\t', '\r', '\n', ',']).len();
        match text[at..].chars().next() {
            Some(']') => return Ok((calls, at + 1)),
            Some(c) if part_of_name(c) => {
                let (written, end) = call(&text[at..], ended, tools, fuel)?;
                calls.push(written);
                at += end;
            }
            None if !calls.is_empty() => {
                mend(&mut calls, Repair::MissingCloser);
                return Ok((calls, at));
            }
            None => return Err(Malformed::Truncated),
            Some(_) => {
                let expected = "a call or a closing bracket".to_owned();
                return Err(Malformed::Syntax { expected, near: near(&text[at..]) });
            }
        }
    }
}

fn mend(calls: &mut [Written], repair: Repair) {
    if let Some(last) = calls.last_mut() {
        last.repairs.insert(repair);
    }
}

/// The call that `text` begins with, and where it ends.
pub(super) fn call(
    text: &str,
    ended: bool,
    tools: &[Tool],
    fuel: &Fuel,
) -> Result<(Written, usize), Malformed> {
    let end = text.find(|c| !part_of_name(c)).ok_or(Malformed::Truncated)?;
    let name = text[..end].to_owned();
    let mut parser = Parser::new(text, ended, fuel);
    parser.at = end;
    parser.skip_blank();
    if parser.bump() != Some('(') {
        return Err(Malformed::NoCall { near: near(text) });
    }
    parser.owe(')')?;
    let arguments = within(&mut parser, &name, tools)?;
    let (end, repairs) = (parser.at, parser.repairs);
    Ok((Written { name, arguments, repairs }, end))
}

/// What stands between the brackets, which are closed here.
fn within(parser: &mut Parser<'_>, name: &str, tools: &[Tool]) -> Result<Value, Malformed> {
    let mut given = Map::new();
    loop {
        parser.skip_blank();
        let rest = parser.rest();
        match parser.peek() {
            None => {
                parser.repairs.insert(Repair::MissingCloser);
                break;
            }
            Some(')') => {
                parser.bump();
                break;
            }
            Some(',') => _ = parser.bump(),
            Some('*') => parser.at += rest.len() - rest.trim_start_matches('*').len(),
            Some('{') if given.is_empty() => {
                if let Value::Object(map) = parser.value(Place::Argument)? {
                    given = map;
                }
            }
            Some(_) => {
                let (parameter, value) = argument(parser, name, tools)?;
                if given.insert(parameter.clone(), value).is_some() {
                    return Err(Malformed::Contradiction { tool: name.to_owned(), parameter });
                }
            }
        }
    }
    parser.settle();
    Ok(Value::Object(given))
}

fn argument(parser: &mut Parser<'_>, name: &str, tools: &[Tool]) -> Result<(String, Value), Malformed> {
    let rest = parser.rest();
    let word = &rest[..rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len())];
    let behind = rest[word.len()..].trim_start();
    if !word.is_empty() && behind.starts_with(['=', ':']) && !behind.starts_with("==") {
        if behind.starts_with(':') {
            parser.repairs.insert(Repair::Separator);
        }
        parser.at = parser.text.len() - behind.len() + 1;
        return parser.value(Place::Argument).map(|value| (word.to_owned(), value));
    }
    // by position: clear only where there is one parameter
    let tool = name::tool(name, tools).index().map(|at| &tools[at]);
    let mut known = tool.and_then(arguments::properties).into_iter().flat_map(Map::keys);
    match (known.next(), known.next()) {
        (Some(only), None) => {
            parser.repairs.insert(Repair::SoleParameter);
            parser.value(Place::Argument).map(|value| (only.clone(), value))
        }
        _ => Err(Malformed::NoParameters { tool: name.to_owned() }),
    }
}
