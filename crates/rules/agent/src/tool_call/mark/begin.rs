//! Telling from a text's first characters whether a mark begins there. Every question is answered the same
//! whether or not the text goes on, or is left open.

use std::sync::LazyLock;

use regex::Regex;

use super::Kind;
use crate::tool_call::pythonic::part_of_name;
use crate::tool_call::tagged::pattern;
use crate::tool_call::{Tool, lenient, name};

pub(super) static OPEN: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)^(?:<\|?\s*(?:tool[_ -]?(?:calls?|use)(?:[_ ]?(?:start|begin))?|function[_-]?calls?)\s*\|?(?:>|[\s{\[])|<tools>\s*[{\[]|<\|?python_tag\|?>|<｜tool▁calls?▁begin｜>|\[TOOL_CALLS?\])",
    )
});
pub(super) static CLOSE: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)^(?:<[/\\]\|?\s*(?:tool[_ -]?(?:calls?|use)|function[_-]?calls?|tools|function|invoke)\s*\|?>|<\|tool_calls?_end\|>|<｜tool▁calls?▁end｜>|\[/TOOL_CALLS?\])",
    )
});

/// Beginnings of tags; a text that ends within one may go on as a mark.
const STEMS: [&str; 16] = [
    "<tool",
    "<|tool",
    "</tool",
    "</|tool",
    "<\\tool",
    "<function",
    "<|function",
    "</function",
    "<invoke",
    "</invoke",
    "<|python_tag|>",
    "<python_tag>",
    "<｜tool▁call",
    "<think>",
    "</think>",
    "[/tool_calls]",
];

/// Longest text held back to see whether a mark is one, bytes.
pub(super) const PATIENCE: usize = 96;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    No,
    /// The text ends too early to tell.
    Unsure,
    Yes(Kind, usize),
    /// Nothing here, go on behind.
    Skip(usize),
}

/// What is looked at to tell a mark: the same whether or not the text goes on.
pub(super) fn head(text: &str) -> &str {
    let mut end = text.len().min(PATIENCE);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// `[TOOL_CALLS]` or a part of it at the end.
pub(super) fn token(rest: &str, ended: bool) -> Verdict {
    if let Some(open) = OPEN.find(head(rest)) {
        return Verdict::Yes(Kind::Wrap, open.end());
    }
    if let Some(close) = CLOSE.find(head(rest)) {
        return Verdict::Yes(Kind::Close, close.end());
    }
    let lower = head(rest).to_ascii_lowercase();
    if !ended && ("[tool_calls]".starts_with(&lower) || "[/tool_calls]".starts_with(&lower)) {
        return Verdict::Unsure;
    }
    Verdict::No
}

pub(super) fn part_of_tag(rest: &str) -> Verdict {
    let lower = rest.to_lowercase();
    let open =
        STEMS.iter().any(|stem| stem.starts_with(&lower) || (lower.starts_with(stem) && !closed(&lower)));
    if open { Verdict::Unsure } else { Verdict::No }
}

/// A tag that was closed and is no mark, except `<tools>`, which waits for a bracket.
fn closed(tag: &str) -> bool {
    tag.split_once('>').is_some_and(|(name, behind)| name != "<tools" || !behind.trim().is_empty())
}

/// Whether `rest`, from its brace, begins an object and not a block of code; none if it ends too early.
pub(super) fn object(rest: &str, ended: bool) -> Option<bool> {
    let inside = rest.trim_start_matches(|c: char| c == '{' || c.is_whitespace());
    let Some(first) = inside.chars().next() else { return ended.then_some(false) };
    if lenient::opens(first) || matches!(first, '\\' | '#' | '/') {
        return Some(true);
    }
    if !(first.is_alphabetic() || first == '_') {
        return Some(false);
    }
    let word = inside.find(|c: char| !part_of_name(c)).unwrap_or(inside.len());
    let behind = inside[word..].trim_start();
    if inside.len() - behind.len() > PATIENCE {
        return Some(false);
    }
    if behind.len() < 2 && !ended {
        return None;
    }
    let key = (behind.starts_with(':') && !behind.starts_with("::") && !behind.starts_with(":="))
        || (behind.starts_with('=') && !behind.starts_with("=>") && !behind.starts_with("=="));
    Some(key)
}

pub(super) fn list(rest: &str, at: usize, tools: &[Tool], ended: bool) -> Verdict {
    let inside = rest[1..].trim_start();
    let Some(first) = inside.chars().next() else {
        return if ended { Verdict::No } else { Verdict::Unsure };
    };
    if first == '{' {
        return match object(inside, ended) {
            Some(true) => Verdict::Yes(Kind::List, at),
            Some(false) => Verdict::No,
            None => Verdict::Unsure,
        };
    }
    if !(first.is_alphabetic() || first == '_') {
        return Verdict::No;
    }
    let end = inside.find(|c| !part_of_name(c)).unwrap_or(inside.len());
    let behind = inside[end..].trim_start_matches(' ');
    if end > PATIENCE {
        return Verdict::No;
    }
    if behind.is_empty() && !ended {
        return Verdict::Unsure;
    }
    let called = behind.starts_with('(') && name::tool(&inside[..end], tools).index().is_some();
    if called { Verdict::Yes(Kind::List, at) } else { Verdict::No }
}

/// Where the next closing mark begins and ends, or the next opening one begins.
pub(in crate::tool_call) fn close_in(text: &str) -> Option<(usize, usize)> {
    text.match_indices(['<', '[']).find_map(|(at, _)| {
        let rest = head(&text[at..]);
        CLOSE
            .find(rest)
            .map(|close| (at, at + close.end()))
            .or_else(|| OPEN.is_match(rest).then_some((at, at)))
    })
}

/// The closing mark that `text` begins with, behind blanks.
pub(in crate::tool_call) fn close_at(text: &str) -> Option<usize> {
    let blank = text.len() - text.trim_start().len();
    CLOSE.find(head(&text[blank..])).map(|close| blank + close.end())
}

/// The opening mark that `text` begins with, behind blanks.
pub(in crate::tool_call) fn open_at(text: &str) -> Option<usize> {
    let blank = text.len() - text.trim_start().len();
    let open = OPEN.find(head(&text[blank..]))?.as_str();
    Some(blank + open.trim_end_matches(|c: char| c.is_whitespace() || c == '{' || c == '[').len())
}
