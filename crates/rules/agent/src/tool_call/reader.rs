//! Reading at one mark what it announces: a bare object, a list, a call in code. What stands behind a tag or a
//! token is read in `payload`.

use super::envelope::{self, Envelope, Written};
use super::fuel::Fuel;
use super::malformed::{Malformed, near};
use super::mark::{self, Kind, Mark};
use super::read::{balanced, harmless, names_a_tool};
use super::repair::Repair;
use super::{Tool, lenient, name, plain, pythonic, tagged};

/// What one mark led to.
pub(super) enum Outcome {
    /// Nothing; go on at the offset.
    Nothing(usize),
    Calls(Vec<Written>, usize),
}

/// One reading's text and what it is held against.
pub(super) struct Reader<'a> {
    pub(super) text: &'a str,
    pub(super) tools: &'a [Tool],
    pub(super) fuel: &'a Fuel,
}

impl Reader<'_> {
    pub(super) fn outcome(&self, mark: &Mark) -> Result<Outcome, Malformed> {
        let rest = &self.text[mark.body..];
        match mark.kind {
            Kind::Wrap => self.wrapped(mark),
            Kind::Close => Err(Malformed::NoCall { near: near(&self.text[mark.start..]) }),
            Kind::Function => {
                let (written, end) = tagged::function(rest, self.tools, self.fuel)?;
                Ok(self.calls(vec![written], mark.body + end, false))
            }
            Kind::Plain => {
                let known = plain::head(rest)
                    .is_some_and(|name| name::tool(name, self.tools) != name::Meant::Nothing);
                if !known && !plain::has_end(rest) {
                    return Ok(Outcome::Nothing(mark.body + 1));
                }
                let (written, end) = plain::call(rest, self.tools)?;
                Ok(self.calls(vec![written], mark.body + end, false))
            }
            Kind::Object | Kind::List => self.bare(mark),
            Kind::Named(tool) => {
                let mut named = self.json_arguments(self.tools[tool].name.clone(), mark.body)?;
                named.0.repairs.insert(Repair::MissingOpenMark);
                Ok(self.calls(vec![named.0], named.1, false))
            }
            Kind::Line => self.lines(mark),
        }
    }

    /// Calls that end at `end`, with whatever closing marks stand there.
    pub(super) fn calls(&self, mut calls: Vec<Written>, end: usize, marked: bool) -> Outcome {
        let mut at = end;
        loop {
            let rest = &self.text[at..];
            // an opening mark with nothing behind it was meant to close
            let again =
                marked.then(|| mark::open_at(rest)).flatten().filter(|open| rest[*open..].trim().is_empty());
            let fence = after_fence(rest);
            let fenced = (fence.len() < rest.len()).then(|| mark::close_at(fence)).flatten();
            let close = mark::close_at(rest).or(again);
            match close.or_else(|| fenced.map(|close| rest.len() - fence.len() + close)) {
                Some(close) => at += close,
                None => break,
            }
        }
        if at > end
            && !marked
            && let Some(first) = calls.first_mut()
        {
            first.repairs.insert(Repair::MissingOpenMark);
        }
        Outcome::Calls(calls, at)
    }

    /// `{"name": …}` by itself, or a list of such, or of calls as code.
    fn bare(&self, mark: &Mark) -> Result<Outcome, Malformed> {
        let region = self.region(mark.body);
        if !self.fuel.take(region.len()) {
            return Ok(Outcome::Nothing(mark.body + 1));
        }
        if let Some(to) = harmless(self.text, mark, self.tools) {
            return Ok(Outcome::Nothing(to));
        }
        let rest = &self.text[mark.body..];
        let inside = rest[1..].trim_start();
        if mark.kind == Kind::List && !inside.starts_with('{') {
            let (calls, end) = pythonic::list(rest, false, self.tools, self.fuel)?;
            return Ok(self.calls(calls, mark.body + end, false));
        }
        let fenced = mark.start < mark.body;
        let limit = || {
            let fence = fenced.then(|| fence_end(rest)).flatten();
            fence.or_else(|| mark::close_in(rest).map(|(at, _)| at))
        };
        let speaks = || names_a_tool(region, mark.in_code, self.tools);
        let read = match self.value(rest, limit) {
            Ok(read) => read,
            Err(reason) if speaks() => return Err(reason),
            Err(_) => return Ok(Outcome::Nothing(mark.body + 1)),
        };
        let end = mark.body + read.end;
        match envelope::open(&read.value, &read.repairs, self.tools) {
            Envelope::Calls(calls) if mark.in_code && !self.all_declared(&calls) => Ok(Outcome::Nothing(end)),
            Envelope::Calls(calls) => Ok(self.calls(calls, end, false)),
            Envelope::Malformed(_) if mark.in_code && !speaks() => Ok(Outcome::Nothing(end)),
            Envelope::Malformed(reason) => Err(reason),
            // mended into something else although it names a tool: the mending went wrong
            Envelope::NotACall if !read.repairs.is_empty() && speaks() => {
                Err(Malformed::NoCall { near: near(rest) })
            }
            Envelope::NotACall => Ok(Outcome::Nothing(mark.body + 1)),
        }
    }

    fn all_declared(&self, calls: &[Written]) -> bool {
        calls.iter().all(|call| name::same(&call.name, self.tools).is_some())
    }

    /// The text that belongs to the object at `from`, as far as brackets can tell.
    fn region(&self, from: usize) -> &str {
        let rest = &self.text[from..];
        &rest[..balanced(rest).unwrap_or(rest.len())]
    }

    /// An object of arguments at `from`, for the tool `name`.
    pub(super) fn json_arguments(&self, name: String, from: usize) -> Result<(Written, usize), Malformed> {
        let rest = &self.text[from..];
        let read = self.value(rest, || mark::close_in(rest).map(|(at, _)| at))?;
        let mut end = from + read.end;
        // the bracket of `name({…})`
        if self.text[..from].trim_end().ends_with('(') {
            let behind = self.text[end..].trim_start();
            if behind.starts_with(')') {
                end = self.text.len() - behind.len() + 1;
            }
        }
        Ok((Written { name, arguments: read.value, repairs: read.repairs }, end))
    }

    /// Lines of calls in code, up to the end of the text; anything else makes them code.
    fn lines(&self, mark: &Mark) -> Result<Outcome, Malformed> {
        let rest = self.text[mark.body..].trim_end();
        let starts = |line: &str| {
            self.tools.iter().any(|tool| {
                line.strip_prefix(&tool.name).is_some_and(|behind| behind.trim_start().starts_with('('))
            })
        };
        let mut calls = Vec::new();
        let mut at = 0;
        loop {
            at += rest[at..].len() - rest[at..].trim_start().len();
            if at >= rest.len() {
                return Ok(self.calls(calls, mark.body + rest.len(), false));
            }
            if !starts(&rest[at..]) {
                return Ok(Outcome::Nothing(mark.body + 1));
            }
            match pythonic::call(&rest[at..], false, self.tools, self.fuel) {
                Ok((mut written, end)) => {
                    if !rest[at + end..].trim_start_matches([' ', ';']).starts_with(['\n', '\r'])
                        && !rest[at + end..].trim_start_matches([' ', ';']).is_empty()
                    {
                        return Ok(Outcome::Nothing(mark.body + 1));
                    }
                    written.repairs.insert(Repair::MissingOpenMark);
                    calls.push(written);
                    at += end;
                    at += rest[at..].len() - rest[at..].trim_start_matches([' ', ';']).len();
                }
                // a single line that is nothing but the attempt of a call
                Err(reason) if !rest.contains('\n') => return Err(reason),
                Err(_) => return Ok(Outcome::Nothing(mark.body + 1)),
            }
        }
    }

    /// The value that `rest` begins with. A whole one may contain the closing mark at `limit` in a string; a
    /// broken one ends before it.
    pub(super) fn value(
        &self,
        rest: &str,
        limit: impl FnOnce() -> Option<usize>,
    ) -> Result<lenient::Read, Malformed> {
        match lenient::value(rest, false, self.fuel) {
            Ok(read) if read.repairs.is_empty() => Ok(read),
            Err(Malformed::Tangled) => Err(Malformed::Tangled),
            _ => {
                let limit = limit();
                if !self.fuel.take(limit.unwrap_or(rest.len())) {
                    return Err(Malformed::Tangled);
                }
                lenient::value(&rest[..limit.unwrap_or(rest.len())], limit.is_some(), self.fuel)
            }
        }
    }
}

/// Where a closing fence begins.
pub(super) fn fence_end(text: &str) -> Option<usize> {
    text.find("\n```").or_else(|| text.find("\n~~~"))
}

/// The text behind the line of a closing fence, if there is one.
pub(super) fn after_fence(text: &str) -> &str {
    let behind = text.trim_start();
    let bare = behind.trim_start_matches(['`', '~']);
    if behind.len() - bare.len() >= 3 { bare.strip_prefix('\n').unwrap_or(bare) } else { text }
}
