//! Strings as models write them. The hard question is which quote ends one: it is the first behind which the
//! text goes on as the place of the string asks.

use super::{Parser, Place};
use crate::tool_call::malformed::Malformed;
use crate::tool_call::repair::Repair;

/// Characters looked at when a quote is tried as the end; keys and closers are short.
const HORIZON: usize = 160;

/// Whether a string may begin with `c`.
pub(in crate::tool_call) fn opens(c: char) -> bool {
    matches!(c, '"' | '\'' | '`' | '“' | '”' | '‘' | '’' | '„' | '«')
}

fn closes(open: char, c: char) -> bool {
    match open {
        '“' | '”' | '„' => matches!(c, '”' | '“' | '"'),
        '‘' | '’' => matches!(c, '’' | '‘' | '\''),
        '«' => c == '»',
        _ => c == open,
    }
}

/// Whether `text` goes on with a key and its colon.
pub(in crate::tool_call) fn opens_member(text: &str) -> bool {
    let text = clip(skip_comments(text));
    let mut chars = text.chars();
    let Some(first) = chars.next() else { return false };
    let behind = if opens(first) {
        let Some(end) = chars.as_str().find(|c| closes(first, c)) else { return false };
        let key = &chars.as_str()[..end];
        if key.is_empty() || !key.chars().all(|c| c.is_alphanumeric() || " _-.$".contains(c)) {
            return false;
        }
        chars.as_str()[end..].trim_start_matches(|c| closes(first, c))
    } else {
        let end = text.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(text.len());
        if end == 0 || first.is_numeric() {
            return false;
        }
        &text[end..]
    };
    behind.trim_start().starts_with([':', '='])
}

fn clip(text: &str) -> &str {
    text.char_indices().nth(HORIZON).map_or(text, |(end, _)| &text[..end])
}

fn skip_comments(text: &str) -> &str {
    let mut text = text.trim_start();
    loop {
        let behind = if text.starts_with("//") || text.starts_with('#') {
            text.split_once('\n').map_or("", |(_, rest)| rest)
        } else if let Some(comment) = text.strip_prefix("/*") {
            comment.split_once("*/").map_or("", |(_, rest)| rest)
        } else {
            return text;
        };
        text = behind.trim_start();
    }
}

impl Parser<'_> {
    /// A string, or several joined by `+`.
    pub(super) fn joined_string(&mut self, place: Place) -> Result<String, Malformed> {
        let mut whole = self.string(place)?;
        loop {
            let rest = self.rest().trim_start();
            let more = rest.strip_prefix('+').map(str::trim_start).filter(|next| next.starts_with(opens));
            let Some(next) = more else { return Ok(whole) };
            self.at = self.text.len() - next.len();
            self.repairs.insert(Repair::Concatenation);
            whole.push_str(&self.string(place)?);
        }
    }

    pub(super) fn string(&mut self, place: Place) -> Result<String, Malformed> {
        let start = self.at;
        let Some(open) = self.bump() else { return Err(Malformed::Truncated) };
        let triple: String = std::iter::repeat_n(open, 2).collect();
        if matches!(open, '"' | '\'') && self.rest().starts_with(&triple) && place != Place::Key {
            return self.tripled(&triple, open);
        }
        match open {
            '"' => {}
            '\'' | '`' => _ = self.repairs.insert(Repair::SingleQuotes),
            _ => _ = self.repairs.insert(Repair::SmartQuotes),
        }
        let mut text = String::new();
        loop {
            match self.bump() {
                None => return self.without_end(start + open.len_utf8()),
                Some('\\') => self.escape(&mut text),
                Some(c) if closes(open, c) => {
                    if self.ends(place) {
                        return Ok(text);
                    }
                    self.repairs.insert(Repair::InnerQuote);
                    text.push(c);
                }
                Some('\n') => {
                    self.repairs.insert(Repair::RawLine);
                    text.push('\n');
                }
                Some(c) => text.push(c),
            }
        }
    }

    fn tripled(&mut self, two: &str, quote: char) -> Result<String, Malformed> {
        let body = &self.rest()[two.len()..];
        let fence = format!("{two}{quote}");
        let Some(end) = body.find(&fence) else { return Err(Malformed::Truncated) };
        self.repairs.insert(Repair::TripleQuotes);
        let from = self.at + two.len();
        self.at = from;
        let mut text = String::new();
        while self.at < from + end {
            match self.bump() {
                Some('\\') => self.escape(&mut text),
                Some(c) => text.push(c),
                None => break,
            }
        }
        self.at = self.at.max(from + end) + fence.len();
        Ok(text)
    }

    /// What stands behind a backslash.
    fn escape(&mut self, text: &mut String) {
        match self.bump() {
            Some('n') => text.push('\n'),
            Some('t') => text.push('\t'),
            Some('r') => text.push('\r'),
            Some('b') => text.push('\u{8}'),
            Some('f') => text.push('\u{c}'),
            Some(c @ ('"' | '\\' | '/')) => text.push(c),
            Some('u') => match self.unicode() {
                Some(c) => text.push(c),
                None => {
                    self.repairs.insert(Repair::Escape);
                    text.push_str("\\u");
                }
            },
            Some(c) => {
                self.repairs.insert(Repair::Escape);
                if !matches!(c, '\'' | '`' | '\n') {
                    text.push('\\');
                }
                text.push(c);
            }
            None => text.push('\\'),
        }
    }

    fn unicode(&mut self) -> Option<char> {
        let unit = |text: &str| text.get(..4).and_then(|hex| u32::from_str_radix(hex, 16).ok());
        let high = unit(self.rest())?;
        if let Some(c) = char::from_u32(high) {
            self.at += 4;
            return Some(c);
        }
        let low = self.rest().get(4..).and_then(|rest| rest.strip_prefix("\\u")).and_then(unit)?;
        let joined = (high & 0x3ff) << 10 | (low & 0x3ff);
        let c = char::from_u32(joined + 0x1_0000).filter(|_| (0xdc00..0xe000).contains(&low))?;
        self.at += 10;
        Some(c)
    }

    /// Whether the quote just read ends a string at `place`.
    fn ends(&self, place: Place) -> bool {
        let rest = self.rest();
        let next = rest.trim_start();
        let Some(first) = next.chars().next() else { return true };
        let behind = &next[first.len_utf8()..];
        match (place, first) {
            (Place::Key, first) => matches!(first, ':' | '='),
            (Place::Top, _) => false,
            (_, '}' | ']' | ')') => self.closes_well(next),
            (Place::Member, ',') => self.goes_on_as_object(behind),
            (Place::Item, ',') => {
                let behind = behind.trim_start();
                behind.starts_with(|c: char| opens(c) || c.is_alphanumeric() || "[{]-/#".contains(c))
            }
            (Place::Argument, ',') => opens_member(behind) || behind.trim_start().starts_with(')'),
            (Place::Member, '"' | '\'') => opens_member(next),
            (Place::Item, '"' | '\'') => next.len() < rest.len(),
            (Place::Member | Place::Item, '/' | '#') => rest.contains('\n') && next != skip_comments(next),
            (_, '+') => behind.trim_start().starts_with(opens),
            // a forgotten comma at the end of a line
            (Place::Member, _) => rest[..rest.len() - next.len()].contains('\n') && opens_member(next),
            _ => false,
        }
    }

    /// Behind a comma: a key, a forgotten closer before the next element, or nothing but closers.
    fn goes_on_as_object(&self, behind: &str) -> bool {
        let behind = skip_comments(behind);
        behind.is_empty()
            || opens_member(behind)
            || (behind.starts_with('{') && self.owed.contains(&']'))
            || (behind.starts_with(['}', ']', ',']) && self.closes_well(behind.trim_start_matches(',')))
    }

    /// Whether `next`, a run of closing brackets, ends what is open here as a call would, and not as code
    /// within a string would.
    fn closes_well(&self, next: &str) -> bool {
        let after = next.trim_start_matches(|c: char| c.is_whitespace() || "}])".contains(c));
        let closers = next[..next.len() - after.len()].chars().filter(|c| !c.is_whitespace()).count();
        let after = skip_comments(after);
        let Some(first) = after.chars().next() else { return true };
        if closers < self.owed.len() {
            return match first {
                ',' => {
                    let behind = after[1..].trim_start();
                    opens_member(behind) || behind.starts_with(['{', '}', ']']) || behind.starts_with(opens)
                }
                '"' => opens_member(after),
                '{' => self.owed.contains(&']'),
                _ => false,
            };
        }
        !(opens(first) || matches!(first, '\\' | ')' | ';' | '+' | ':' | '('))
            || (first == '`' && after.starts_with("```"))
    }

    /// A string that runs to the end of the text. Only when its writer meant to stop there, and the brackets
    /// that are owed stand at the end, was nothing but the quote forgotten.
    fn without_end(&mut self, from: usize) -> Result<String, Malformed> {
        let raw = self.text[from..].trim_end();
        let mut kept = raw;
        for closer in self.owed.iter() {
            match kept.trim_end().strip_suffix(*closer) {
                Some(shorter) => kept = shorter,
                None => return Err(Malformed::Truncated),
            }
        }
        let kept = kept.trim_end();
        if !self.ended
            || self.owed.is_empty()
            || kept.contains(['\n', '\\', '"', '{', '}'])
            || kept.is_empty()
        {
            return Err(Malformed::Truncated);
        }
        self.repairs.insert(Repair::MissingQuote);
        self.at = from + kept.len();
        Ok(kept.to_owned())
    }
}
