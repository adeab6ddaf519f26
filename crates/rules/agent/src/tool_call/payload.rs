//! What stands behind a tag, a token or a fence: surely meant as a call, so that whatever is not one is
//! malformed.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

use super::envelope::{self, Envelope, Written};
use super::malformed::{Malformed, near};
use super::mark::{self, Mark};
use super::reader::{Outcome, Reader, after_fence, fence_end};
use super::repair::Repair;
use super::tagged::pattern;
use super::{lenient, name, plain, pythonic, tagged};

static ATTRIBUTE: LazyLock<Regex> =
    LazyLock::new(|| pattern(r#"^\s*name\s*=\s*["']([^"']+)["']\s*(?:arguments\s*=\s*["']?|>)\s*"#));
static NAME_TAG: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?is)<(?:name|tool_name)>\s*([\w.\-/]+)\s*</(?:name|tool_name)>"));
static ARGUMENTS_TAG: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?is)<(?:arguments|args|parameters|params|input)>\s*"));
/// A name right before its arguments, behind a mark.
static HEADED: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"^(?:function<｜tool▁sep｜>)?([A-Za-z_][\w.\-/]*)(?:<｜tool▁sep｜>)?\s*(?:\[CALL_ID\]\S*?)?\s*(?:\[ARGS\]|[(:])?\s*(?:```(?:json)?\s*)?\{",
    )
});
static FENCE: LazyLock<Regex> = LazyLock::new(|| pattern(r"^\s*(?:```|~~~)[\w+-]*[ \t]*\r?\n?"));

impl Reader<'_> {
    /// What stands behind a tag, a token or a fence.
    pub(super) fn wrapped(&self, mark: &Mark) -> Result<Outcome, Malformed> {
        let body = mark.body + FENCE.find(&self.text[mark.body..]).map_or(0, |fence| fence.end());
        let mut body = self.text.len() - self.text[body..].trim_start_matches(['>', ':']).trim_start().len();
        while let Some(inner) = mark::open_at(&self.text[body..])
            .filter(|_| body > mark.body || !self.text[body..].trim().is_empty())
        {
            let next = self.text[body + inner..].trim_start();
            if next.is_empty() {
                break;
            }
            body = self.text.len() - next.len();
        }
        let fenced = self.text[mark.start..].starts_with(['`', '~']);
        let rest = &self.text[body..];
        let end = if fenced { fence_end(rest) } else { mark::close_in(rest).map(|(start, _)| start) };
        let limit = end.map(|end| body + end);
        let (mut calls, end) = self.payload(body, limit)?;
        if calls.is_empty() {
            return Err(Malformed::NoCall { near: near(&self.text[mark.start..]) });
        }
        let end = end.max(
            limit.filter(|limit| !self.text[end.min(*limit)..*limit].contains(['{', '<'])).unwrap_or(end),
        );
        let tag = self.text[mark.start..].starts_with('<') && !self.text[mark.start..].starts_with("<|p");
        if tag
            && mark::close_at(&self.text[end..]).is_none()
            && let Some(last) = calls.last_mut()
        {
            last.repairs.insert(Repair::MissingCloseMark);
        }
        let end = if fenced { self.text.len() - after_fence(&self.text[end..]).len() } else { end };
        Ok(self.calls(calls, end, true))
    }

    /// The calls at `from`; `limit` is where their closing mark stands, if there is one.
    fn payload(&self, from: usize, limit: Option<usize>) -> Result<(Vec<Written>, usize), Malformed> {
        let ended = limit.is_some();
        let rest = &self.text[from..];
        let region = &self.text[from..limit.unwrap_or(self.text.len())];
        if let Some(found) = ATTRIBUTE.captures(region) {
            let name = found.get(1).map_or("", |name| name.as_str()).to_owned();
            let (written, end) =
                self.json_arguments(name, from + found.get(0).map_or(0, |found| found.end()))?;
            return Ok((vec![written], end));
        }
        if let Some(at) = region.find("<function").or_else(|| region.find("<invoke"))
            && tagged::begins(&region[at..])
        {
            return self.functions(from + at);
        }
        if rest.starts_with("<function") || rest.starts_with("<invoke") {
            return self.functions(from);
        }
        if region.contains("<arg_key>") {
            return Ok((vec![tagged::pairs(region, self.tools)?], from + region.len()));
        }
        if let Some(name) = NAME_TAG.captures(region) {
            return self.named_by_tag(from, region, &name);
        }
        if name::same(region.trim(), self.tools).is_some() {
            let arguments = Value::Object(serde_json::Map::new());
            let name = region.trim().to_owned();
            return Ok((vec![Written { name, arguments, repairs: BTreeSet::new() }], from + region.len()));
        }
        if plain::head(rest).is_some() {
            let (written, end) = plain::call(rest, self.tools)?;
            return Ok((vec![written], from + end));
        }
        if rest.starts_with('[') && !rest[1..].trim_start().starts_with(['{', '"', '\'']) {
            let (calls, end) = pythonic::list(rest, ended, self.tools, self.fuel)?;
            return Ok((calls, from + end));
        }
        if rest.starts_with(['{', '[']) {
            return self.sequence(from, limit);
        }
        if HEADED.is_match(rest) {
            return self.headed(from);
        }
        if rest.starts_with(|c: char| c.is_alphabetic() || c == '_') && region.contains('(') {
            let (written, end) = pythonic::call(rest, ended, self.tools, self.fuel)?;
            return Ok((vec![written], from + end));
        }
        if let Some(at) = region.find('{') {
            return self.sequence(from + at, limit);
        }
        Err(if region.trim().is_empty() || ended {
            Malformed::NoCall { near: near(rest) }
        } else {
            Malformed::Truncated
        })
    }

    fn functions(&self, from: usize) -> Result<(Vec<Written>, usize), Malformed> {
        let (mut calls, mut at) = (Vec::new(), from);
        loop {
            let (written, end) = tagged::function(&self.text[at..], self.tools, self.fuel)?;
            calls.push(written);
            at += end;
            let next = self.text[at..].trim_start();
            if !tagged::begins(next) {
                return Ok((calls, at));
            }
            at = self.text.len() - next.len();
        }
    }

    fn named_by_tag(
        &self,
        from: usize,
        region: &str,
        name: &regex::Captures<'_>,
    ) -> Result<(Vec<Written>, usize), Malformed> {
        let written = name.get(1).map_or("", |name| name.as_str()).to_owned();
        let Some(tag) = ARGUMENTS_TAG.find(region) else {
            return Err(Malformed::NoParameters { tool: written });
        };
        let (written, end) = self.json_arguments(written, from + tag.end())?;
        Ok((vec![written], end.max(from + region.len())))
    }

    /// `name{…}`, `name[ARGS]{…}`, one after the other.
    fn headed(&self, from: usize) -> Result<(Vec<Written>, usize), Malformed> {
        let (mut calls, mut at) = (Vec::new(), from);
        while let Some(found) = HEADED.captures(&self.text[at..]) {
            let name = found.get(1).map_or("", |name| name.as_str()).to_owned();
            let (written, end) =
                self.json_arguments(name, at + found.get(0).map_or(0, |found| found.end()) - 1)?;
            calls.push(written);
            let next = self.text[end..].trim_start_matches(|c: char| c.is_whitespace() || ",;".contains(c));
            let next = next.strip_prefix("[TOOL_CALLS]").unwrap_or(next).trim_start();
            at = end;
            if HEADED.is_match(next) {
                at = self.text.len() - next.len();
            }
        }
        Ok((calls, at))
    }

    /// JSON values, one after the other, each a call or a list of calls.
    fn sequence(&self, from: usize, limit: Option<usize>) -> Result<(Vec<Written>, usize), Malformed> {
        let (mut calls, mut at) = (Vec::new(), from);
        loop {
            let read = self.object_at(at, limit)?;
            match envelope::open(&read.value, &read.repairs, self.tools) {
                Envelope::Calls(more) => calls.extend(more),
                Envelope::Malformed(reason) => return Err(reason),
                Envelope::NotACall => return Err(Malformed::NoCall { near: near(&self.text[at..]) }),
            }
            at += read.end;
            let next = self.text[at..].trim_start_matches(|c: char| c.is_whitespace() || ",;".contains(c));
            if !next.starts_with('{') {
                return Ok((calls, at));
            }
            at = self.text.len() - next.len();
        }
    }

    /// The value at `at`, escaped once too often or not.
    fn object_at(&self, at: usize, limit: Option<usize>) -> Result<lenient::Read, Malformed> {
        let rest = &self.text[at..];
        if rest.starts_with("{\\\"") {
            let region = self.text[at..limit.unwrap_or(self.text.len())].trim_end();
            let quoted = format!("\"{}\"", region.replace('\n', "\\n"));
            if let Ok(Value::String(inner)) = serde_json::from_str(&quoted) {
                let mut read = lenient::value(&inner, true, self.fuel)?;
                read.repairs.insert(Repair::DoubleEncoding);
                read.end = region.len();
                return Ok(read);
            }
        }
        self.value(rest, || limit.map(|limit| limit.saturating_sub(at)))
    }
}
