//! Reading a whole answer: from mark to mark, each read in its own form.

use std::sync::LazyLock;

use regex::Regex;

use super::fuel::Fuel;
use super::malformed::Malformed;
use super::mark::{Found, Kind, Mark, Marks};
use super::reader::{Outcome, Reader};
use super::tagged::pattern;
use super::{Call, Reading, Tool, lenient, name};

/// Longest answer that is read for calls, bytes; far above any model's output limit here.
pub const MAX_BYTES: usize = 1 << 20;

/// A key that holds a tool's name, and the name.
static NAMED: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r#"(?i)(?:^|[^\w])["'“”‘’`\\]*(?:name|tool|tool_name|function|function_name|action)["'“”‘’`\\]*\s*[:=]\s*["'“”‘’`\\]+([\w.\-/: ]{1,64})"#,
    )
});
static ARGUED: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r#"(?i)["'“”‘’`\\]*(?:arguments|args|parameters|params|input|action_input|tool_input)["'“”‘’`\\]*\s*[:=]\s*["'“”‘’`\\]*\{"#,
    )
});
static LEFT_OVER: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"(?m)<\|(?:im_end|eot_id|eom_id|end_of_text|endoftext)\|>|</s>|^[ \t]*(?:```|~~~)\w*[ \t]*$")
});

/// What `text` is, given the `tools` that were declared.
pub fn read(text: &str, tools: &[Tool]) -> Reading {
    let mut marks = Marks::from(thinking_end(text));
    let orphan = marks.at > 0;
    let fuel = Fuel::of(text);
    let mut calls: Vec<Call> = Vec::new();
    let mut prose = String::new();
    let mut kept = marks.at;
    while let Found::Mark(mark) = marks.next(text, tools, true) {
        let malformed = |reason| Reading::Malformed { at: mark.start, reason };
        if text.len() > MAX_BYTES {
            return malformed(Malformed::TooLong { bytes: text.len() });
        }
        let outcome = Reader { text, tools, fuel: &fuel }.outcome(&mark);
        match outcome {
            Ok(Outcome::Nothing(to)) => marks.pass(to.max(mark.body).max(marks.at + 1)),
            Ok(Outcome::Calls(written, end)) => {
                for written in written {
                    match written.call(tools, &fuel) {
                        Ok(call) => calls.push(call),
                        Err(reason) => return malformed(reason),
                    }
                }
                prose.push_str(&text[kept..mark.start]);
                kept = end;
                marks.pass(end.max(marks.at + 1).min(text.len()));
            }
            Err(reason) => return malformed(reason),
        }
        if fuel.is_empty() {
            let speaks = !calls.is_empty() || names_a_tool(text, false, tools);
            return if speaks { malformed(Malformed::Tangled) } else { Reading::Prose };
        }
    }
    let hidden = marks.hidden || (orphan && hides(&text[..thinking_end(text)], tools));
    if calls.is_empty() {
        let at = text.find("<think>").unwrap_or(0);
        return if hidden {
            Reading::Malformed { at, reason: Malformed::InThinking }
        } else {
            Reading::Prose
        };
    }
    prose.push_str(&text[kept.min(text.len())..]);
    Reading::Calls { prose: LEFT_OVER.replace_all(&prose, "").trim().to_owned(), calls }
}

/// Where thinking ends whose beginning the template wrote; 0 if there is none.
fn thinking_end(text: &str) -> usize {
    match (text.find("<think>"), text.find("</think>")) {
        (open, Some(close)) if open.is_none_or(|open| close < open) => close + "</think>".len(),
        _ => 0,
    }
}

fn hides(thinking: &str, tools: &[Tool]) -> bool {
    let mut marks = Marks::default();
    matches!(marks.next(thinking, tools, true), Found::Mark(Mark { kind: Kind::Wrap | Kind::Function, .. }))
}

/// Whether what stands at an object's or list's mark cannot be a call, and where it ends: it closes, and does
/// not name a tool in any way. Stays true however the text goes on.
pub(super) fn harmless(text: &str, mark: &Mark, tools: &[Tool]) -> Option<usize> {
    match mark.kind {
        Kind::Object | Kind::List => {
            let end = mark.body + balanced(&text[mark.body..])?;
            // an object that was closed too early may go on
            let rest = text[end..].trim_start();
            let goes_on = rest.is_empty() || rest.starts_with([',', '}', ']', '"', '\'']);
            (!speaks_of_a_call(&text[mark.body..end], mark.in_code, tools) && !goes_on)
                .then_some(mark.body + 1)
        }
        Kind::Wrap | Kind::Close | Kind::Function | Kind::Plain | Kind::Named(_) | Kind::Line => None,
    }
}

/// Bytes up to the bracket that closes the first one.
pub(super) fn balanced(text: &str) -> Option<usize> {
    let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => quoted = !quoted,
            '{' | '[' if !quoted => depth += 1,
            '}' | ']' if !quoted => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
    }
    None
}

fn speaks_of_a_call(region: &str, in_code: bool, tools: &[Tool]) -> bool {
    names_a_tool(region, in_code, tools)
        || (!in_code && ARGUED.is_match(region) && NAMED.is_match(region))
        || (!in_code && tools.iter().any(|tool| has_word(region, &tool.name)))
}

/// Whether a tool's name stands where a call has it.
pub(super) fn names_a_tool(region: &str, in_code: bool, tools: &[Tool]) -> bool {
    let named = NAMED.captures_iter(region).filter_map(|found| found.get(1)).any(|name| {
        let name = name.as_str().trim();
        if in_code {
            name::same(name, tools).is_some()
        } else {
            !matches!(name::tool(name, tools), name::Meant::Nothing)
        }
    });
    named || (!in_code && tools.iter().any(|tool| has_quoted(region, &tool.name)))
}

fn has_word(region: &str, word: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    region
        .match_indices(word)
        .any(|(at, _)| !region[..at].ends_with(part) && !region[at + word.len()..].starts_with(part))
}

fn has_quoted(region: &str, word: &str) -> bool {
    region.match_indices(word).any(|(at, _)| {
        region[..at].ends_with(lenient::opens)
            && region[at + word.len()..].starts_with(|c| lenient::opens(c) || c == '\\')
    })
}
