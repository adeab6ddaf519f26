//! The text protocol: what a model is asked to write after its own form failed. No bracket, no quote and no
//! escape can go wrong in it.
//!
//! ```text
//! TOOL write_file
//! path: src/a.py
//! content: <<<
//! print("hello")
//! >>>
//! END
//! ```

use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex::Regex;
use serde_json::{Map, Value};

use super::envelope::Written;
use super::malformed::Malformed;
use super::name;
use super::repair::Repair;
use super::tagged::{pattern, typed};
use super::{Tool, arguments};

static HEAD: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"^TOOL[ \t:]+[`*]*([\w.\-/]+)[`*]*[ \t]*(?:\r?\n|$)"));
static FIELD: LazyLock<Regex> = LazyLock::new(|| pattern(r"^[ \t]*[`*]*([\w\-]+)[`*]*[ \t]*[:=][ \t]?(.*)$"));

/// The name behind `TOOL`, if `text` begins with such a line.
pub(super) fn head(text: &str) -> Option<&str> {
    HEAD.captures(text).and_then(|found| found.get(1)).map(|name| name.as_str())
}

/// Whether some line says `END`.
pub(super) fn has_end(text: &str) -> bool {
    text.lines().any(is_end)
}

/// `END`, perhaps with the model's own end behind it.
fn is_end(line: &str) -> bool {
    line.trim().strip_prefix("END").is_some_and(|behind| behind.is_empty() || behind.starts_with(['<', '`']))
}

/// The call that `text` begins with, and where it ends.
pub(super) fn call(text: &str, tools: &[Tool]) -> Result<(Written, usize), Malformed> {
    let Some(name) = head(text) else { return Err(Malformed::Truncated) };
    let mut reading = Fields::new(name, tools);
    let mut at = 0;
    let mut ended = false;
    for line in text.split_inclusive('\n').skip(1).scan(
        text.find('\n').map_or(text.len(), |at| at + 1),
        |at, line| {
            let from = *at;
            *at += line.len();
            Some((from, line))
        },
    ) {
        let (from, line) = line;
        let bare = line.trim_end_matches(['\n', '\r']);
        if reading.block.is_none() {
            if is_end(bare) {
                at = from + line.len();
                ended = true;
                break;
            }
            if head(line).is_some() {
                at = from;
                reading.repairs.insert(Repair::MissingCloseMark);
                ended = true;
                break;
            }
        }
        reading.line(bare)?;
        at = from + line.len();
    }
    if !ended {
        // without END nobody knows whether the last value is whole, unless it was closed by itself
        if !reading.closed {
            return Err(Malformed::Truncated);
        }
        reading.repairs.insert(Repair::MissingCloseMark);
    }
    let end = at.max(HEAD.find(text).map_or(0, |head| head.end()));
    reading.finish().map(|written| (written, end))
}

struct Fields<'a> {
    name: &'a str,
    tools: &'a [Tool],
    known: Vec<&'a str>,
    given: Map<String, Value>,
    repairs: BTreeSet<Repair>,
    /// The parameter whose value goes on over lines.
    open: Option<(String, Vec<String>)>,
    /// The fence that ends the value, while within one.
    block: Option<&'static str>,
    /// Whether the last line was the closing fence of a value.
    closed: bool,
}

impl<'a> Fields<'a> {
    fn new(name: &'a str, tools: &'a [Tool]) -> Self {
        let tool = name::tool(name, tools).index().map(|at| &tools[at]);
        let known = tool.and_then(arguments::properties).into_iter().flat_map(Map::keys);
        Self {
            name,
            tools,
            known: known.map(String::as_str).collect(),
            given: Map::new(),
            repairs: BTreeSet::new(),
            open: None,
            block: None,
            closed: false,
        }
    }

    fn line(&mut self, line: &str) -> Result<(), Malformed> {
        self.closed = false;
        if let Some(fence) = self.block {
            if line.trim() == fence {
                self.block = None;
                self.closed = true;
                return self.keep();
            }
            if let Some((_, lines)) = &mut self.open {
                lines.push(line.to_owned());
            }
            return Ok(());
        }
        let field =
            FIELD.captures(line).and_then(|found| Some((found.get(1)?.as_str(), found.get(2)?.as_str())));
        match field {
            // within a value of several lines only a declared name that is still missing begins the next one
            Some((key, value)) if self.open.is_none() || self.is_missing(key) => {
                self.keep()?;
                let value = value.trim_end();
                self.block = match value.trim() {
                    "<<<" => Some(">>>"),
                    "```" => Some("```"),
                    _ => None,
                };
                let first = if self.block.is_some() || value.is_empty() {
                    Vec::new()
                } else {
                    vec![value.to_owned()]
                };
                self.open = Some((key.to_owned(), first));
                Ok(())
            }
            _ => {
                match &mut self.open {
                    Some((_, lines)) => {
                        if lines.is_empty() && line.trim_start().starts_with("```") {
                            self.block = Some("```");
                        } else if lines.is_empty() && line.trim() == "<<<" {
                            self.block = Some(">>>");
                        } else {
                            lines.push(line.to_owned());
                        }
                    }
                    None if line.trim().is_empty() || line.trim().starts_with("```") => {}
                    None => {
                        let expected = "a line `parameter: value` or END".to_owned();
                        return Err(Malformed::Syntax { expected, near: super::malformed::near(line) });
                    }
                }
                Ok(())
            }
        }
    }

    fn is_missing(&self, key: &str) -> bool {
        let open = self.open.as_ref().map(|(open, _)| open.as_str());
        self.known.contains(&key) && !self.given.contains_key(key) && open != Some(key)
    }

    fn keep(&mut self) -> Result<(), Malformed> {
        let Some((parameter, lines)) = self.open.take() else { return Ok(()) };
        let text = lines.join("\n");
        let value = typed(self.name, &parameter, &text, self.tools);
        match self.given.insert(parameter.clone(), value) {
            Some(_) => Err(Malformed::Contradiction { tool: self.name.to_owned(), parameter }),
            None => Ok(()),
        }
    }

    fn finish(mut self) -> Result<Written, Malformed> {
        if self.block.is_some() {
            return Err(Malformed::Truncated);
        }
        self.keep()?;
        Ok(Written {
            name: self.name.to_owned(),
            arguments: Value::Object(self.given),
            repairs: self.repairs,
        })
    }
}
