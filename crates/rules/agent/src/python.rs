//! The shape of a Python file by its logical lines: where definitions, imports and docstrings stand. Not a
//! parser; it must also make sense of files and answers that no parser accepts.

use std::ops::Range;

/// One logical line: comments and blank lines are none, brackets and triple quotes join lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logical {
    /// First byte of its first physical line.
    pub start: usize,
    /// Byte after its newline.
    pub end: usize,
    /// Columns of white space before it.
    pub indent: usize,
    /// Where its text starts.
    pub text_start: usize,
}

impl Logical {
    /// The line without indentation and newline.
    pub fn text<'a>(&self, source: &'a str) -> &'a str {
        source[self.text_start..self.end].trim_end()
    }
}

/// A function or class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definition {
    /// Its name.
    pub name: String,
    /// The class around it, if its parent is one.
    pub class: Option<String>,
    /// Whether it is a class itself.
    pub is_class: bool,
    /// Columns of white space before it.
    pub indent: usize,
    /// All of it, decorators included.
    pub span: Range<usize>,
    /// From `def` to the colon.
    pub header: Range<usize>,
    /// What stands between the brackets of the header.
    pub params: String,
    /// The docstring without quotes.
    pub docstring: Option<String>,
    /// Bytes of the docstring's lines.
    pub docstring_span: Option<Range<usize>>,
    /// Whether there is no body worth the name: `pass`, `...`, `raise NotImplementedError`.
    pub is_stub: bool,
}

/// A statement at the left margin that is no definition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// Its bytes.
    pub span: Range<usize>,
    /// What it is.
    pub kind: StatementKind,
}

/// Kinds of statements at the left margin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StatementKind {
    /// `from __future__ import …`
    Future,
    /// `import …`, `from … import …`
    Import,
    /// A string alone.
    Docstring,
    /// `NAME = …`
    Assignment(String),
    /// Anything else.
    Other,
}

/// All of a file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outline {
    /// In order of their start; methods come after their class.
    pub definitions: Vec<Definition>,
    /// In order.
    pub statements: Vec<Statement>,
}

impl Outline {
    /// The outline of `source`.
    pub fn of(source: &str) -> Self {
        let lines = logical_lines(source);
        let definitions = definitions(source, &lines);
        let statements = lines
            .iter()
            .filter(|line| line.indent == 0 && !definitions.iter().any(|d| d.span.contains(&line.start)))
            .map(|line| Statement { span: line.start..line.end, kind: statement_kind(line.text(source)) })
            .collect();
        Self { definitions, statements }
    }

    /// The definition of `name`, in `class` if one is given, otherwise at the left margin.
    pub fn find(&self, name: &str, class: Option<&str>) -> Option<&Definition> {
        self.definitions
            .iter()
            .find(|d| d.name == name && d.class.as_deref() == class && (class.is_some() || d.indent == 0))
    }

    /// Definitions at the left margin.
    pub fn top(&self) -> impl Iterator<Item = &Definition> {
        self.definitions.iter().filter(|d| d.indent == 0)
    }
}

fn statement_kind(text: &str) -> StatementKind {
    if text.starts_with("from __future__") {
        return StatementKind::Future;
    }
    if text.starts_with("import ") || (text.starts_with("from ") && text.contains(" import")) {
        return StatementKind::Import;
    }
    if text.starts_with("\"\"\"") || text.starts_with("'''") {
        return StatementKind::Docstring;
    }
    match text.split_once('=') {
        Some((left, right)) if !right.starts_with('=') => {
            let name = left.split(':').next().unwrap_or(left).trim();
            if crate::syntax::is_identifier(name) {
                StatementKind::Assignment(name.to_owned())
            } else {
                StatementKind::Other
            }
        }
        Some(_) | None => StatementKind::Other,
    }
}

fn definitions(source: &str, lines: &[Logical]) -> Vec<Definition> {
    let mut found: Vec<Definition> = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let text = line.text(source);
        let Some((is_class, name)) = header_name(text) else { continue };
        let mut start = line.start;
        for before in lines[..at].iter().rev() {
            if before.indent != line.indent || !before.text(source).starts_with('@') {
                break;
            }
            start = before.start;
        }
        let body: Vec<&Logical> =
            lines[at + 1..].iter().take_while(|next| next.indent > line.indent).collect();
        let end = body.last().map_or(line.end, |last| last.end);
        let header_end = line.text_start + header_length(text);
        let docstring = body.first().filter(|first| is_docstring(first.text(source)));
        let class = found
            .iter()
            .rev()
            .find(|outer| outer.indent < line.indent && outer.span.contains(&line.start))
            .filter(|outer| outer.is_class)
            .map(|outer| outer.name.clone());
        let inline = source[header_end..line.end].trim();
        found.push(Definition {
            name: name.to_owned(),
            class,
            is_class,
            indent: line.indent,
            span: start..end,
            header: line.text_start..header_end,
            params: params(text).unwrap_or_default().to_owned(),
            docstring: docstring.map(|first| unquote(first.text(source)).to_owned()),
            docstring_span: docstring.map(|first| first.start..first.end),
            is_stub: !is_class && is_stub(source, inline, &body[usize::from(docstring.is_some())..]),
        });
    }
    found
}

fn header_name(text: &str) -> Option<(bool, &str)> {
    let (is_class, rest) = match text.strip_prefix("class ") {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix("async ").unwrap_or(text).trim_start().strip_prefix("def ")?),
    };
    let rest = rest.trim_start();
    let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
    (end > 0).then_some((is_class, &rest[..end]))
}

/// What stands between the first brackets of a header.
pub fn params(header: &str) -> Option<&str> {
    let open = header.find('(')?;
    let close = crate::syntax::closing(&header[open..])?;
    Some(header[open + 1..open + close].trim())
}

/// Bytes up to and including the colon of a header; all of it when there is none.
fn header_length(text: &str) -> usize {
    let first = crate::syntax::split_top(text, ":")[0].len();
    if first < text.len() { first + 1 } else { text.len() }
}

fn is_docstring(text: &str) -> bool {
    let text = text.trim_start_matches(['r', 'R', 'u', 'U']);
    text.starts_with('"') || text.starts_with('\'')
}

fn unquote(text: &str) -> &str {
    text.trim_start_matches(['r', 'R', 'u', 'U']).trim_matches(['"', '\'']).trim()
}

fn is_stub(source: &str, inline: &str, body: &[&Logical]) -> bool {
    let hollow = |text: &str| {
        let text = text.split(" #").next().unwrap_or(text).trim_end().trim_end_matches(';');
        matches!(text, "pass" | "..." | "return NotImplemented")
            || text.starts_with("raise NotImplementedError")
    };
    if inline.is_empty() || inline.starts_with('#') {
        body.iter().all(|line| hollow(line.text(source)))
    } else {
        hollow(inline) && body.is_empty()
    }
}

/// The logical lines of `source`.
pub fn logical_lines(source: &str) -> Vec<Logical> {
    let mut lines = Vec::new();
    let mut at = 0;
    while at < source.len() {
        let rest = &source[at..];
        let blank = rest.find(|c: char| !matches!(c, ' ' | '\t' | '\r' | '\x0c')).unwrap_or(rest.len());
        let first = rest[blank..].chars().next();
        if matches!(first, None | Some('\n' | '#')) {
            at += rest.find('\n').map_or(rest.len(), |newline| newline + 1);
            continue;
        }
        let length = blank + logical_length(&rest[blank..]);
        lines.push(Logical {
            start: at,
            end: at + length,
            indent: columns(&rest[..blank]),
            text_start: at + blank,
        });
        at += length;
    }
    lines
}

fn columns(blank: &str) -> usize {
    blank.chars().fold(0, |column, c| if c == '\t' { column / 4 * 4 + 4 } else { column + 1 })
}

/// Bytes of the logical line that `text` starts with, its newline included.
fn logical_length(text: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        match c {
            '"' | '\'' => at += string_length(&text[at..], c),
            '#' => at += text[at..].find('\n').unwrap_or(text.len() - at),
            '\\' => at += 1 + text[at + 1..].chars().next().map_or(0, char::len_utf8),
            '\n' if depth == 0 || starts_definition(&text[at + 1..]) => return at + 1,
            '(' | '[' | '{' => {
                depth += 1;
                at += 1;
            }
            ')' | ']' | '}' => {
                depth = depth.saturating_sub(1);
                at += 1;
            }
            _ => at += c.len_utf8(),
        }
    }
    text.len()
}

/// A definition at the margin ends even a bracket that was never closed.
fn starts_definition(text: &str) -> bool {
    ["def ", "class ", "async def ", "@"].iter().any(|word| text.starts_with(word))
}

fn string_length(text: &str, quote: char) -> usize {
    let triple: String = std::iter::repeat_n(quote, 3).collect();
    if let Some(inside) = text.strip_prefix(&triple) {
        return inside.find(&triple).map_or(text.len(), |end| end + 6);
    }
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        if c == '\n' && !escaped {
            return at;
        }
        if c == quote && !escaped {
            return at + 1;
        }
        escaped = c == '\\' && !escaped;
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "\"\"\"Module.\"\"\"\nimport os\n\nLIMIT = 3\n\n\n@cache\ndef a(x, y=(1, 2)):\n    '''Doc\n\n  odd.\n    '''\n    s = \"\"\"\ndef fake():\n\"\"\"\n    return (\n1)\n\n\nclass B(object):\n    def c(self):\n        ...\n\n    # a comment at the end\n\nif True:\n    pass\n";

    #[test]
    fn an_outline_sees_through_strings_and_brackets() {
        let outline = Outline::of(SOURCE);
        let seen: Vec<_> =
            outline.definitions.iter().map(|d| (d.name.as_str(), d.class.as_deref(), d.is_stub)).collect();
        assert_eq!(seen, [("a", None, false), ("B", None, false), ("c", Some("B"), true)]);
        let a = outline.find("a", None).unwrap();
        assert!(SOURCE[a.span.clone()].starts_with("@cache") && SOURCE[a.span.clone()].ends_with("\n1)\n"));
        assert_eq!(&SOURCE[a.header.clone()], "def a(x, y=(1, 2)):");
        assert_eq!(a.params, "x, y=(1, 2)");
        let kinds: Vec<_> = outline.statements.iter().map(|s| s.kind.clone()).collect();
        assert_eq!(
            kinds,
            [
                StatementKind::Docstring,
                StatementKind::Import,
                StatementKind::Assignment("LIMIT".into()),
                StatementKind::Other
            ]
        );
    }

    #[test]
    fn stubs_are_recognised_in_every_dress() {
        for (source, stub) in [
            ("def f(x): pass\n", true),
            ("def f(x): ...", true),
            ("def f(x):\n    \"\"\"Doc.\"\"\"\n", true),
            ("def f(x):\n    \"\"\"Doc.\"\"\"\n    raise NotImplementedError(\"later\")\n", true),
            ("def f(x):\n    # TODO\n    pass  # later\n", true),
            ("def f(x) -> int: return 1\n", false),
            ("def f(x):\n    return 1\n", false),
            ("def f(x):\n    pass\n    return 1\n", false),
        ] {
            assert_eq!(Outline::of(source).definitions[0].is_stub, stub, "{source}");
        }
    }

    #[test]
    fn an_open_bracket_does_not_swallow_the_next_definition() {
        let outline = Outline::of("def f(x):\n    return (x\n\ndef g():\n    pass\n");
        assert_eq!(outline.definitions.len(), 2);
    }
}
