//! JSON as models write it: what has one sensible reading is read and named as a repair, the rest is refused.
//!
//! Crates for this (`llm_json`, `jsonrepair-rs`) complete what is missing with defaults, do not say what they
//! changed and want to be told where the value ends; a call needs the opposite of all three.

mod string;

pub(super) use string::opens;

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::fuel::Fuel;
use super::malformed::{Malformed, near};
use super::repair::Repair;

/// Deepest nesting read; arguments of real tools need five.
const MAX_DEPTH: usize = 48;

/// Where a value stands, which decides what may follow it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// By itself.
    Top,
    /// Before a colon.
    Key,
    /// Behind a colon.
    Member,
    /// In a list.
    Item,
    /// In the brackets of a pythonic call.
    Argument,
}

/// A value and where it ends.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Read {
    pub(super) value: Value,
    /// Bytes read.
    pub(super) end: usize,
    pub(super) repairs: BTreeSet<Repair>,
}

/// Reads the value that `text` begins with. `ended` says that the text stops where its writer meant to stop
/// (a closing mark follows) and was not merely cut off.
pub(super) fn value(text: &str, ended: bool, fuel: &Fuel) -> Result<Read, Malformed> {
    let mut strict = serde_json::Deserializer::from_str(text).into_iter::<Value>();
    if !fuel.take(text.len().min(1 << 12)) {
        return Err(Malformed::Tangled);
    }
    if let Some(Ok(value)) = strict.next()
        && (value.is_object() || value.is_array())
    {
        let end = strict.byte_offset();
        if !goes_on(&text[end..]) {
            return Ok(Read { value, end, repairs: BTreeSet::new() });
        }
    }
    let mut parser = Parser::new(text, ended, fuel);
    let value = parser.value(Place::Top)?;
    parser.take_extra_closers();
    Ok(Read { value, end: parser.at, repairs: parser.repairs })
}

/// Whether an object that is complete goes on all the same: `}, "key":`, a bracket closed too early, or
/// `}}`, one too many.
fn goes_on(rest: &str) -> bool {
    string::opens_member(rest.trim_start().strip_prefix(',').unwrap_or_default())
        || rest.starts_with(['}', ']'])
}

/// A parser over one text.
#[derive(Debug)]
pub(super) struct Parser<'a> {
    pub(super) text: &'a str,
    pub(super) at: usize,
    ended: bool,
    /// Closing brackets still owed, innermost last.
    owed: Vec<char>,
    pub(super) repairs: BTreeSet<Repair>,
    fuel: &'a Fuel,
}

impl<'a> Parser<'a> {
    pub(super) fn new(text: &'a str, ended: bool, fuel: &'a Fuel) -> Self {
        Self { text, at: 0, ended, owed: Vec::new(), repairs: BTreeSet::new(), fuel }
    }

    pub(super) fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    pub(super) fn bump(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += next.len_utf8();
        Some(next)
    }

    pub(super) fn owe(&mut self, closer: char) -> Result<(), Malformed> {
        self.owed.push(closer);
        if self.owed.len() > MAX_DEPTH { Err(Malformed::Tangled) } else { Ok(()) }
    }

    pub(super) fn settle(&mut self) {
        self.owed.pop();
    }

    fn mend(&mut self, repair: Repair) {
        self.repairs.insert(repair);
    }

    fn syntax(&self, expected: &str) -> Malformed {
        Malformed::Syntax { expected: expected.to_owned(), near: near(self.rest()) }
    }

    /// Skips blanks and comments.
    pub(super) fn skip_blank(&mut self) {
        loop {
            let rest = self.rest();
            let blank =
                rest.len() - rest.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}').len();
            self.at += blank;
            let rest = self.rest();
            let comment = if rest.starts_with("//") || rest.starts_with('#') {
                rest.find('\n').unwrap_or(rest.len())
            } else if rest.starts_with("/*") {
                rest.find("*/").map_or(rest.len(), |end| end + 2)
            } else {
                break;
            };
            self.at += comment;
            self.mend(Repair::Comment);
        }
    }

    pub(super) fn value(&mut self, place: Place) -> Result<Value, Malformed> {
        self.skip_blank();
        if !self.fuel.take(1) {
            return Err(Malformed::Tangled);
        }
        match self.peek() {
            None => Err(Malformed::Truncated),
            Some('{') => self.object(),
            Some('[') => self.list(),
            Some(c) if string::opens(c) => self.joined_string(place).map(Value::String),
            Some('+' | '-' | '.' | '0'..='9') => self.number(),
            Some(c) if c.is_alphabetic() || matches!(c, '_' | '/' | '$' | '~' | '@') => self.word(place),
            Some(_) => Err(self.syntax("a value")),
        }
    }

    fn object(&mut self) -> Result<Value, Malformed> {
        self.owe('}')?;
        self.bump();
        let mut map = Map::new();
        loop {
            let commas = self.skip_commas();
            match self.peek() {
                None if commas > 0 && !self.ended => return Err(Malformed::Truncated),
                None => self.mend(Repair::MissingCloser),
                Some('}') => {
                    self.note_commas(commas, 0);
                    self.bump();
                    if self.owed.len() == 1 && goes_on_after(self.rest()) {
                        self.mend(Repair::ExtraCloser);
                        continue;
                    }
                }
                Some(']' | ')') if self.owed[..self.owed.len() - 1].contains(&self.peek().unwrap_or(']')) => {
                    self.mend(Repair::MissingCloser);
                }
                Some(']') => {
                    self.bump();
                    self.mend(Repair::ExtraCloser);
                    continue;
                }
                Some('{') if map.is_empty() && commas == 0 => {
                    self.mend(Repair::DoubledBrace);
                    let inner = self.object()?;
                    self.skip_blank();
                    if self.peek() == Some('}') {
                        self.bump();
                    }
                    self.settle();
                    return Ok(inner);
                }
                Some('{') if self.owed.contains(&']') && commas > 0 => {
                    // the next element of a list around this object, whose bracket was forgotten
                    self.mend(Repair::MissingCloser);
                    self.at = self.text[..self.at].rfind(',').unwrap_or(self.at);
                }
                Some(_) => {
                    self.note_commas(commas, usize::from(!map.is_empty()));
                    self.member(&mut map)?;
                    continue;
                }
            }
            self.settle();
            return Ok(Value::Object(map));
        }
    }

    fn member(&mut self, map: &mut Map<String, Value>) -> Result<(), Malformed> {
        let key = self.key()?;
        self.skip_blank();
        match self.peek() {
            None => return Err(Malformed::Truncated),
            Some(':') => {
                self.bump();
            }
            Some('=') => {
                self.bump();
                if self.peek() == Some('>') {
                    self.bump();
                }
                self.mend(Repair::Separator);
            }
            Some(_) => return Err(self.syntax("a colon")),
        }
        let value = self.value(Place::Member)?;
        // a key twice with two values has two readings
        if map.get(&key).is_some_and(|known| *known != value) {
            return Err(Malformed::Syntax { expected: "each key once".to_owned(), near: near(&key) });
        }
        map.insert(key, value);
        Ok(())
    }

    fn key(&mut self) -> Result<String, Malformed> {
        match self.peek() {
            Some(c) if string::opens(c) => self.string(Place::Key),
            Some(c) if c.is_alphabetic() || matches!(c, '_' | '$') => {
                let rest = self.rest();
                let end = rest.find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '$')));
                let Some(end) = end else { return Err(Malformed::Truncated) };
                self.at += end;
                self.mend(Repair::BareWord);
                Ok(rest[..end].to_owned())
            }
            Some(_) => Err(self.syntax("a key or a closing brace")),
            None => Err(Malformed::Truncated),
        }
    }

    fn list(&mut self) -> Result<Value, Malformed> {
        self.owe(']')?;
        self.bump();
        let mut items = Vec::new();
        loop {
            let commas = self.skip_commas();
            match self.peek() {
                None if commas > 0 && !self.ended => return Err(Malformed::Truncated),
                None => self.mend(Repair::MissingCloser),
                Some(']') => {
                    self.note_commas(commas, 0);
                    self.bump();
                }
                Some('}' | ')') => {
                    // an object or a call around the list closes: the list's bracket was forgotten
                    if self.owed.len() < 2 {
                        self.bump();
                        self.mend(Repair::ExtraCloser);
                        continue;
                    }
                    self.mend(Repair::MissingCloser);
                }
                Some(_)
                    if commas > 0
                        && self.owed.len() > 1
                        && self.owed[self.owed.len() - 2] == '}'
                        && string::opens_member(self.rest()) =>
                {
                    self.mend(Repair::MissingCloser);
                    self.at = self.text[..self.at].rfind(',').unwrap_or(self.at);
                }
                Some(_) => {
                    self.note_commas(commas, usize::from(!items.is_empty()));
                    items.push(self.value(Place::Item)?);
                    continue;
                }
            }
            self.settle();
            return Ok(Value::Array(items));
        }
    }

    fn skip_commas(&mut self) -> usize {
        let mut commas = 0;
        loop {
            self.skip_blank();
            if self.peek() != Some(',') {
                return commas;
            }
            self.bump();
            commas += 1;
        }
    }

    fn note_commas(&mut self, found: usize, wanted: usize) {
        if found > wanted {
            self.mend(Repair::ExtraComma);
        } else if found < wanted {
            self.mend(Repair::MissingComma);
        }
    }

    fn number(&mut self) -> Result<Value, Malformed> {
        let rest = self.rest();
        let part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.' | '_');
        let written = &rest[..rest.find(|c| !part(c)).unwrap_or(rest.len())];
        if written.len() == rest.len() && !self.ended {
            return Err(Malformed::Truncated);
        }
        let number = serde_json::from_str::<Value>(written).ok().or_else(|| {
            let mut plain = written.strip_prefix('+').unwrap_or(written).replace('_', "");
            if plain.starts_with('.') {
                plain.insert(0, '0');
            }
            if plain.ends_with('.') {
                plain.push('0');
            }
            self.repairs.insert(Repair::Number);
            serde_json::from_str(&plain).ok().filter(Value::is_number)
        });
        match number {
            Some(number) => {
                self.at += written.len();
                Ok(number)
            }
            None => Err(self.syntax("a number")),
        }
    }

    /// A literal, or a single word whose quotes were forgotten.
    fn word(&mut self, place: Place) -> Result<Value, Malformed> {
        let rest = self.rest();
        let part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | '$' | '~' | '@');
        let written = &rest[..rest.find(|c| !part(c)).unwrap_or(rest.len())];
        let behind = rest[written.len()..].trim_start_matches([' ', '\t', '\r']);
        let literal = match written {
            "true" | "True" | "TRUE" => Some(Value::Bool(true)),
            "false" | "False" | "FALSE" => Some(Value::Bool(false)),
            "null" | "None" | "NULL" | "Null" | "undefined" | "nil" => Some(Value::Null),
            _ => None,
        };
        let value = match literal {
            Some(value) => {
                if !matches!(written, "true" | "false" | "null") {
                    self.mend(Repair::Literal);
                }
                value
            }
            // a word may have gone on, a literal cannot
            None if behind.is_empty() && !self.ended => return Err(Malformed::Truncated),
            None if place == Place::Top || place == Place::Argument => return Err(self.syntax("a value")),
            None if behind.is_empty() || behind.starts_with([',', '}', ']', '\n']) => {
                self.mend(Repair::BareWord);
                Value::String(written.to_owned())
            }
            None => return Err(self.syntax("a value")),
        };
        self.at += written.len();
        Ok(value)
    }

    /// Closing brackets right behind the outermost value belong to it.
    fn take_extra_closers(&mut self) {
        while self.owed.is_empty() && matches!(self.peek(), Some('}' | ']')) {
            self.bump();
            self.mend(Repair::ExtraCloser);
        }
    }
}

/// Whether a member follows an object that was just closed.
fn goes_on_after(rest: &str) -> bool {
    rest.trim_start().strip_prefix(',').is_some_and(string::opens_member)
}
