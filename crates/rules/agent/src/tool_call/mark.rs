//! Where in a text a call may begin. Looked at from the left, so that what lies before the next mark is prose
//! for certain, even while the text still grows.

mod begin;

use std::sync::LazyLock;

use regex::Regex;

use super::Tool;
use super::pythonic::part_of_name;
use super::tagged::{self, pattern};
use begin::{CLOSE, OPEN, PATIENCE, Verdict, head, list, object, part_of_tag, token};
pub(super) use begin::{close_at, close_in, open_at};

/// What may stand between a tool's name and the brace of its arguments.
static GAP: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r#"(?i)^["'`*]*\s*(?:[(:=]|->|\[ARGS\]|with(?: the)?(?: arguments| args| parameters)?:?|\n\s*(?:action[ _]input|arguments|args|input|parameters)\s*[:=])*\s*(?:```(?:json)?\s*)?\{"#,
    )
});
static PART_OF_GAP: LazyLock<Regex> =
    LazyLock::new(|| pattern(r#"^["'`*]*\s*[(:=\->\[\]A-Za-z_ \t\r\n`]*$"#));

/// What a mark announces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A tag, token or fence around a call.
    Wrap,
    /// The end of one that never began.
    Close,
    /// `<function=`.
    Function,
    /// `TOOL name`.
    Plain,
    /// An object.
    Object,
    /// A list of objects or of calls as code.
    List,
    /// A tool's name and then an object.
    Named(usize),
    /// A line that reads as a call in code.
    Line,
}

/// A place where a call may begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    /// The first byte that is not prose.
    pub(super) start: usize,
    /// Where the call itself begins.
    pub(super) body: usize,
    pub(super) kind: Kind,
    /// Whether it stands in a fence of a programming language.
    pub(super) in_code: bool,
}

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    Mark(Mark),
    /// What begins here may become one; only while the text grows.
    Unsure(usize),
    End,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Fence {
    at: usize,
    mark: char,
    count: usize,
    code: bool,
    /// Whether only blanks came since it opened, so that it belongs to what follows.
    fresh: bool,
}

/// The state of looking for marks; goes on where it stopped when the text has grown.
#[derive(Debug, Clone, Default)]
pub(super) struct Marks {
    pub(super) at: usize,
    fence: Option<Fence>,
    thinking: bool,
    /// Whether it is known that no further thinking closes.
    unclosed: bool,
    /// Whether a mark stood within closed thinking.
    pub(super) hidden: bool,
}

impl Marks {
    /// Looks from `at` on.
    pub(super) fn from(at: usize) -> Self {
        Self { at, ..Self::default() }
    }

    /// The next mark of `text` from here on; `ended` when nothing will be added to the text.
    pub(super) fn next(&mut self, text: &str, tools: &[Tool], ended: bool) -> Found {
        if self.thinking
            && let Some(end) = text[self.at..].find("</think>")
        {
            self.skip_thinking(&text[self.at..self.at + end]);
            self.at += end + "</think>".len();
        }
        while let Some(c) = text[self.at..].chars().next() {
            let verdict = self.look(text, c, tools, ended);
            let start = self.fence.filter(|fence| fence.fresh).map_or(self.at, |fence| fence.at);
            match verdict {
                Verdict::Yes(kind, body) => {
                    let in_code = self.fence.is_some_and(|fence| fence.code);
                    return Found::Mark(Mark { start, body, kind, in_code });
                }
                Verdict::Unsure => return Found::Unsure(start),
                Verdict::Skip(to) => {
                    if !matches!(c, '<' | '`' | '~')
                        && let Some(fence) = &mut self.fence
                    {
                        fence.fresh = false;
                    }
                    self.at = to;
                }
                Verdict::No => {
                    if !c.is_whitespace()
                        && let Some(fence) = &mut self.fence
                    {
                        fence.fresh = false;
                    }
                    self.at += c.len_utf8();
                }
            }
        }
        match self.fence {
            Some(fence) if fence.fresh && !ended => Found::Unsure(fence.at),
            _ => Found::End,
        }
    }

    /// Goes on behind a mark that was none.
    pub(super) fn pass(&mut self, to: usize) {
        self.at = to;
        if let Some(fence) = &mut self.fence {
            fence.fresh = false;
        }
    }

    fn look(&mut self, text: &str, c: char, tools: &[Tool], ended: bool) -> Verdict {
        let rest = &text[self.at..];
        let in_code = self.fence.is_some_and(|fence| fence.code);
        match c {
            '<' => self.tag(rest, ended),
            '`' | '~' if self.begins_line(text) => self.fence(rest, c, ended),
            '[' => match token(rest, ended) {
                Verdict::No if !in_code => list(rest, self.at, tools, ended),
                Verdict::No => Verdict::No,
                Verdict::Yes(kind, body) => Verdict::Yes(kind, self.at + body),
                unsure @ (Verdict::Unsure | Verdict::Skip(_)) => unsure,
            },
            '{' => match object(rest, ended) {
                Some(true) => Verdict::Yes(Kind::Object, self.at),
                Some(false) => Verdict::No,
                None => Verdict::Unsure,
            },
            c if c.is_alphabetic() || c == '_' => {
                let first = text[..self.at].chars().next_back().is_none_or(|c| !part_of_name(c));
                if first && !in_code { self.word(text, tools, ended) } else { Verdict::No }
            }
            _ => Verdict::No,
        }
    }

    fn begins_line(&self, text: &str) -> bool {
        let before = text[..self.at].trim_end_matches([' ', '\t', '\u{feff}']);
        before.is_empty() || before.ends_with('\n')
    }

    fn tag(&mut self, rest: &str, ended: bool) -> Verdict {
        if let Some(inside) = rest.strip_prefix("<think>").filter(|_| !self.thinking && !self.unclosed) {
            let from = self.at + "<think>".len();
            return match inside.find("</think>") {
                Some(end) => {
                    self.skip_thinking(&inside[..end]);
                    Verdict::Skip(from + end + "</think>".len())
                }
                None => {
                    self.thinking = !ended;
                    self.unclosed = ended;
                    Verdict::Skip(from)
                }
            };
        }
        let head = head(rest);
        if tagged::begins(head) {
            return Verdict::Yes(Kind::Function, self.at);
        }
        if let Some(open) = OPEN.find(head) {
            // what follows a tag without its bracket belongs to the call
            let tag = open.as_str().trim_end_matches(|c: char| c.is_whitespace() || c == '{' || c == '[');
            return Verdict::Yes(Kind::Wrap, self.at + tag.len());
        }
        if let Some(close) = CLOSE.find(head) {
            return Verdict::Yes(Kind::Close, self.at + close.end());
        }
        if ended || rest.len() > PATIENCE { Verdict::No } else { part_of_tag(rest) }
    }

    fn skip_thinking(&mut self, inside: &str) {
        self.thinking = false;
        self.hidden |= inside.match_indices(['<', '[']).any(|(at, _)| {
            let rest = head(&inside[at..]);
            OPEN.is_match(rest) || tagged::begins(rest)
        });
    }

    fn fence(&mut self, rest: &str, mark: char, ended: bool) -> Verdict {
        let count = rest.chars().take_while(|c| *c == mark).count();
        let line = head(rest).find('\n');
        if line.is_none() && rest.len() > PATIENCE {
            return Verdict::No;
        }
        if line.is_none() && !ended {
            return Verdict::Unsure;
        }
        let info = rest[count..line.unwrap_or(rest.len())].trim().to_ascii_lowercase();
        let behind = self.at + line.map_or(rest.len(), |line| line + 1);
        if count < 3 || info.contains(mark) {
            return Verdict::No;
        }
        if let Some(open) = self.fence {
            if open.mark == mark && open.count <= count && info.is_empty() {
                self.fence = None;
                return Verdict::Skip(behind);
            }
            return Verdict::No;
        }
        if info.starts_with("tool") || info.starts_with("function_call") {
            return Verdict::Yes(Kind::Wrap, behind);
        }
        let data = ["", "json", "json5", "jsonc", "jsonl", "xml", "text", "txt", "plaintext", "markdown"];
        let code = !data.contains(&info.as_str());
        self.fence = Some(Fence { at: self.at, mark, count, code, fresh: !code });
        Verdict::Skip(behind)
    }

    /// A name of a tool with its arguments behind it, or the head of the text protocol.
    fn word(&self, text: &str, tools: &[Tool], ended: bool) -> Verdict {
        let rest = &text[self.at..];
        let begins_line = self.begins_line(text);
        let open = !ended && rest.len() <= PATIENCE;
        if begins_line && (rest.starts_with("TOOL") || "TOOL".starts_with(rest)) {
            let line = head(rest).find('\n').map(|end| &rest[..end]);
            if line.is_none() && open {
                return Verdict::Unsure;
            }
            let line = line.or_else(|| (rest.len() <= PATIENCE).then_some(rest));
            if line.is_some_and(|line| super::plain::head(line).is_some()) {
                return Verdict::Yes(Kind::Plain, self.at);
            }
        }
        let end = rest.find(|c| !part_of_name(c)).unwrap_or(rest.len());
        let (word, behind) = rest.split_at(end);
        if behind.is_empty() && open {
            let begun = |tool: &Tool| {
                tool.name.get(..word.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(word))
            };
            return if tools.iter().any(begun) { Verdict::Unsure } else { Verdict::Skip(self.at + end) };
        }
        let Some(tool) = tools.iter().position(|tool| tool.name.eq_ignore_ascii_case(word)) else {
            return Verdict::Skip(self.at + end.max(1));
        };
        if let Some(gap) = GAP.find(head(behind)) {
            let brace = self.at + end + gap.end() - 1;
            match object(&text[brace..], ended) {
                Some(true) => return Verdict::Yes(Kind::Named(tool), brace),
                None => return Verdict::Unsure,
                // no parameters at all
                Some(false) if text[brace + 1..].trim_start().starts_with('}') => {
                    return Verdict::Yes(Kind::Named(tool), brace);
                }
                Some(false) => {}
            }
        }
        if begins_line && behind.starts_with('(') {
            return Verdict::Yes(Kind::Line, self.at);
        }
        if !ended && behind.len() <= PATIENCE && PART_OF_GAP.is_match(behind) {
            Verdict::Unsure
        } else {
            Verdict::No
        }
    }
}
