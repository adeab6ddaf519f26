//! Calls written as XML: Qwen3-Coder's `<function=…><parameter=…>`, `<invoke name="…">`, GLM's pairs of
//! `<arg_key>` and `<arg_value>`.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex::Regex;
use serde_json::{Map, Value};

use super::envelope::Written;
use super::fuel::Fuel;
use super::malformed::{Malformed, near};
use super::repair::Repair;
use super::{Tool, arguments, lenient, name};

#[expect(clippy::expect_used, reason = "a literal pattern either compiles in the first test or never")]
pub(super) fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("a literal pattern")
}

static FUNCTION: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r#"(?i)^<(?:function|invoke)(?:\s*=\s*|\s+name\s*=\s*)["']?([^"'>\s<{]+)["']?[ \t]*>?"#)
});
static END: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?i)^</(?:function|invoke)>"));
static PARAMETER: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r#"(?i)<(?:parameter|param|arg|argument)(?:\s*=\s*|\s+name\s*=\s*)["']?([^"'>\s<]+)["']?[ \t]*>?"#,
    )
});
static PARAMETER_END: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?i)</(?:parameter|param|arg|argument)>"));
static OUTER_END: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"(?i)</(?:function|invoke|tool_calls?|function_calls?)>|<(?:function|invoke)(?:=|\s+name)")
});
static PAIR: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?s)<arg_key>\s*(.*?)\s*(?:</arg_key>)?\s*<arg_value>(.*?)(?:</arg_value>|(?P<open><arg_key>|$))",
    )
});

/// Whether `text` begins with a function's tag.
pub(super) fn begins(text: &str) -> bool {
    FUNCTION.is_match(text)
}

/// The call that `text` begins with, and where it ends.
pub(super) fn function(text: &str, tools: &[Tool], fuel: &Fuel) -> Result<(Written, usize), Malformed> {
    let Some(open) = FUNCTION.captures(text) else { return Err(Malformed::NoCall { near: near(text) }) };
    let name = open.get(1).map_or("", |name| name.as_str()).to_owned();
    let mut body = Body { text, at: open.get(0).map_or(0, |open| open.end()), repairs: BTreeSet::new() };
    if !text[..body.at].trim_end().ends_with('>') {
        body.repairs.insert(Repair::MissingCloser);
    }
    let mut given = Value::Object(Map::new());
    loop {
        body.skip_blank();
        let rest = body.rest();
        if !fuel.take(64) {
            return Err(Malformed::Tangled);
        }
        if let Some(end) = END.find(rest) {
            body.at += end.end();
            break;
        }
        match PARAMETER.captures(rest).filter(|found| found.get(0).is_some_and(|found| found.start() == 0)) {
            Some(found) => {
                let parameter = found.get(1).map_or("", |name| name.as_str());
                body.at += found.get(0).map_or(0, |found| found.end());
                let written = body.parameter()?;
                let value = typed(&name, parameter, written, tools);
                if let Value::Object(given) = &mut given
                    && given.insert(parameter.to_owned(), value).is_some()
                {
                    return Err(Malformed::Contradiction { tool: name, parameter: parameter.to_owned() });
                }
            }
            // Llama's form: the arguments as one object
            None if rest.starts_with('{') && given.as_object().is_some_and(Map::is_empty) => {
                let read = lenient::value(rest, OUTER_END.is_match(rest), fuel)?;
                body.at += read.end;
                body.repairs.extend(read.repairs);
                given = read.value;
            }
            None if rest.is_empty() || rest.starts_with('<') => {
                body.repairs.insert(Repair::MissingCloseMark);
                break;
            }
            None => {
                let expected = "a parameter or the end of the function".to_owned();
                return Err(Malformed::Syntax { expected, near: near(rest) });
            }
        }
    }
    Ok((Written { name, arguments: given, repairs: body.repairs }, body.at))
}

struct Body<'a> {
    text: &'a str,
    at: usize,
    repairs: BTreeSet<Repair>,
}

impl<'a> Body<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn skip_blank(&mut self) {
        self.at = self.text.len() - self.rest().trim_start().len();
    }

    /// The text of a parameter up to its closing tag, or to what must come behind it.
    fn parameter(&mut self) -> Result<&'a str, Malformed> {
        let rest = self.rest();
        let own = PARAMETER_END.find(rest);
        let next = PARAMETER.find(rest).map(|next| next.start());
        let outer = OUTER_END.find(rest).map(|outer| outer.start());
        let before = |limit: Option<usize>, at: usize| limit.is_none_or(|limit| at < limit);
        let (value, end) = match own {
            Some(own) if before(next, own.start()) => (&rest[..own.start()], own.end()),
            _ => {
                let end = [next, outer].into_iter().flatten().min().ok_or(Malformed::Truncated)?;
                self.repairs.insert(Repair::MissingCloseMark);
                (&rest[..end], end)
            }
        };
        self.at += end;
        // the form puts a line end before and behind the value
        let value = value.strip_prefix("\r\n").or_else(|| value.strip_prefix('\n')).unwrap_or(value);
        Ok(value.strip_suffix("\r\n").or_else(|| value.strip_suffix('\n')).unwrap_or(value))
    }
}

/// The value that a parameter's text stands for: text itself, unless the schema asks for something else.
pub(super) fn typed(tool: &str, parameter: &str, text: &str, tools: &[Tool]) -> Value {
    let known = name::tool(tool, tools).index().and_then(|at| arguments::properties(&tools[at]));
    let wanted = known.and_then(|known| {
        let names: Vec<&str> = known.keys().map(String::as_str).collect();
        name::meant(parameter, &names).index().map(|at| arguments::types(&known[names[at]]))
    });
    match wanted {
        Some(wanted) if !wanted.is_empty() && !wanted.contains(&"string") => {
            serde_json::from_str(text.trim()).unwrap_or_else(|_| Value::String(text.trim().to_owned()))
        }
        _ => Value::String(text.to_owned()),
    }
}

/// GLM's form: the name in a line, then pairs of tags.
pub(super) fn pairs(text: &str, tools: &[Tool]) -> Result<Written, Malformed> {
    let (name, _) = text.split_once("<arg_key>").unwrap_or((text, ""));
    let name = name.trim();
    if name.is_empty() {
        return Err(Malformed::NoCall { near: near(text) });
    }
    let mut given = Map::new();
    let mut repairs = BTreeSet::new();
    let mut at = name.len();
    while let Some(pair) = PAIR.captures_at(text, at) {
        let part = |index: usize| pair.get(index).map_or("", |part| part.as_str());
        if let Some(open) = pair.name("open") {
            if open.as_str().is_empty() {
                return Err(Malformed::Truncated);
            }
            repairs.insert(Repair::MissingCloseMark);
        }
        at = pair
            .name("open")
            .or_else(|| pair.get(0))
            .map_or(text.len(), |end| if pair.name("open").is_some() { end.start() } else { end.end() });
        let parameter = part(1).to_owned();
        let value = typed(name, &parameter, part(2), tools);
        if given.insert(parameter.clone(), value).is_some() {
            return Err(Malformed::Contradiction { tool: name.to_owned(), parameter });
        }
    }
    Ok(Written { name: name.to_owned(), arguments: Value::Object(given), repairs })
}
