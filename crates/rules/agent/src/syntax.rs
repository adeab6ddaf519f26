//! Cutting expressions apart with respect for brackets and quotes; enough of a lexer for test output,
//! signatures and examples.

/// Whether `text` can name a function.
pub fn is_identifier(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(|c| c.is_alphabetic() || c == '_')
        && chars.all(|c| c.is_alphanumeric() || c == '_')
}

/// Splits at every `separator` that stands outside brackets and quotes.
pub fn split_top<'a>(text: &'a str, separator: &str) -> Vec<&'a str> {
    let mut parts = Vec::new();
    let mut from = 0;
    for at in top_level(text) {
        if at >= from && !separator.is_empty() && text[at..].starts_with(separator) {
            parts.push(&text[from..at]);
            from = at + separator.len();
        }
    }
    parts.push(&text[from..]);
    parts
}

/// The first call of `name` in `text`, up to its closing bracket: `f(1, g(2))`.
pub fn call_of<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    for (at, _) in text.match_indices(name) {
        let whole = !text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
        let open = at + name.len();
        if whole
            && !name.is_empty()
            && text[open..].starts_with('(')
            && let Some(close) = closing(&text[open..])
        {
            return Some(&text[at..=open + close]);
        }
    }
    None
}

/// Byte offset of the bracket that closes the one `text` starts with.
pub fn closing(text: &str) -> Option<usize> {
    let mut scan = Scan::default();
    for (at, c) in text.char_indices() {
        scan.take(c);
        if scan.depth == 0 && scan.quote.is_none() && matches!(c, ')' | ']' | '}') {
            return Some(at);
        }
    }
    None
}

/// Offsets of characters outside brackets and quotes.
fn top_level(text: &str) -> Vec<usize> {
    let mut scan = Scan::default();
    let mut offsets = Vec::new();
    for (at, c) in text.char_indices() {
        if scan.depth == 0 && scan.quote.is_none() {
            offsets.push(at);
        }
        scan.take(c);
    }
    offsets
}

#[derive(Default)]
struct Scan {
    depth: usize,
    quote: Option<char>,
    escaped: bool,
}

impl Scan {
    fn take(&mut self, c: char) {
        if let Some(quote) = self.quote {
            if self.escaped {
                self.escaped = false;
            } else if c == '\\' {
                self.escaped = true;
            } else if c == quote {
                self.quote = None;
            }
            return;
        }
        match c {
            '"' | '\'' => self.quote = Some(c),
            '(' | '[' | '{' => self.depth += 1,
            ')' | ']' | '}' => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
    }
}

/// At most `max` characters of `text`, cut at the end and marked.
pub fn clip(text: &str, max: usize) -> String {
    match text.char_indices().nth(max) {
        None => text.to_owned(),
        Some(_) if max == 0 => String::new(),
        Some(_) => text.chars().take(max - 1).chain(['…']).collect(),
    }
}

/// At most `max` characters of `text`: its start and its end, with a line between that says what is missing.
pub fn clip_middle(text: &str, max: usize) -> String {
    const MARK: usize = 40;
    let count = text.chars().count();
    if count <= max {
        return text.to_owned();
    }
    if max < 2 * MARK {
        return clip(text, max);
    }
    let keep = max - MARK;
    let (head, tail) = (keep / 3, keep - keep / 3);
    let start: String = text.chars().take(head).collect();
    let end: String = text.chars().skip(count - tail).collect();
    format!("{start}\n… {} characters left out …\n{end}", count - keep)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_and_quotes_protect_separators() {
        assert_eq!(split_top("f('a, b', [1, 2]), 3", ", "), ["f('a, b', [1, 2])", "3"]);
        assert_eq!(split_top("x == ' == '", " == "), ["x", "' == '"]);
        assert_eq!(split_top("", ","), [""]);
    }

    #[test]
    fn a_call_is_found_whole() {
        assert_eq!(call_of("assert not my_f(1) and f(g(2), ')') == 3", "f"), Some("f(g(2), ')')"));
        assert_eq!(call_of("f(1", "f"), None);
        assert_eq!(call_of("f(1)", ""), None);
    }

    #[test]
    fn clipping_keeps_both_ends_and_the_bound() {
        let text = "a".repeat(300) + "END";
        let cut = clip_middle(&text, 120);
        assert!(cut.ends_with("END") && cut.chars().count() <= 120, "{cut}");
        assert_eq!(clip("häuser", 4), "häu…");
        assert_eq!(clip("abc", 3), "abc");
    }
}
