//! What a repository's tests tell about a function: where it is imported from and what it should return.

use std::collections::BTreeMap;

use crate::scope::is_test_path;
use crate::syntax::{call_of, split_top};

/// A name that a test imports from a module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    /// Dotted.
    pub module: String,
    /// The name.
    pub name: String,
}

/// Something a test states: this call gives this literal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example {
    /// `f([1, 2])`
    pub call: String,
    /// `3`
    pub want: String,
}

/// Names that test files import, in order of path and line.
pub fn imports(texts: &BTreeMap<String, String>) -> Vec<Import> {
    let mut found = Vec::new();
    for (_, text) in texts.iter().filter(|(path, _)| is_test_path(path) && path.ends_with(".py")) {
        for line in text.lines().map(str::trim) {
            let Some((module, names)) =
                line.strip_prefix("from ").and_then(|rest| rest.split_once(" import "))
            else {
                continue;
            };
            for name in names.trim_matches(['(', ')', '\\']).split(',') {
                let name = name.split(" as ").next().unwrap_or(name).trim();
                if crate::syntax::is_identifier(name) {
                    found.push(Import { module: module.trim().to_owned(), name: name.to_owned() });
                }
            }
        }
    }
    found
}

/// Whether the file at `path` is the module `module`.
pub fn module_matches(module: &str, path: &str) -> bool {
    let file = module.trim_start_matches('.').replace('.', "/");
    !file.is_empty()
        && (path == format!("{file}.py")
            || path.ends_with(&format!("/{file}.py"))
            || path.ends_with(&format!("{file}/__init__.py")))
}

/// The file that is, or would be, the module `module`.
pub fn module_path(module: &str, existing: &[String]) -> String {
    if let Some(path) = existing.iter().find(|path| module_matches(module, path)) {
        return path.clone();
    }
    let file = module.trim_start_matches('.').replace('.', "/");
    let below_src = existing.iter().any(|path| path.starts_with("src/"));
    if below_src { format!("src/{file}.py") } else { format!("{file}.py") }
}

/// Examples for `name` in the tests, in order of path and line.
pub fn examples(name: &str, texts: &BTreeMap<String, String>) -> Vec<Example> {
    texts
        .iter()
        .filter(|(path, _)| is_test_path(path) && path.ends_with(".py"))
        .flat_map(|(_, text)| text.lines())
        .filter_map(|line| assertion(line.trim(), name))
        .collect()
}

/// What one line states about `name`.
pub fn assertion(line: &str, name: &str) -> Option<Example> {
    let (left, right) = if let Some(rest) = line.strip_prefix("assert ") {
        let claim = split_top(rest, ", ")[0];
        if let [left, right] = split_top(claim, " == ")[..] {
            (left, right)
        } else if let [left, right] = split_top(claim, " is ")[..] {
            (left, right)
        } else {
            match claim.strip_prefix("not ") {
                Some(call) => (call, "False"),
                None => (claim, "True"),
            }
        }
    } else {
        let open = line.find("assert").and_then(|at| line[at..].find('(').map(|open| at + open))?;
        let close = crate::syntax::closing(&line[open..])?;
        let arguments = split_top(&line[open + 1..open + close], ", ");
        match (line[..open].rsplit('.').next()?, &arguments[..]) {
            (
                "assertEqual" | "assertEquals" | "assertIs" | "assertListEqual" | "assertDictEqual",
                [a, b, ..],
            ) => (*a, *b),
            ("assertTrue", [a, ..]) => (*a, "True"),
            ("assertFalse", [a, ..]) => (*a, "False"),
            ("assertIsNone", [a, ..]) => (*a, "None"),
            _ => return None,
        }
    };
    let (left, right) = if call_of(left, name) == Some(strip_module(left.trim(), name)) {
        (left, right)
    } else {
        (right, left)
    };
    let call = call_of(left, name)?;
    let whole = call == strip_module(left.trim(), name);
    (whole && is_literal(right.trim())).then(|| Example { call: as_repr(call), want: as_repr(right.trim()) })
}

/// `module.f(1)` as `f(1)`.
fn strip_module<'a>(text: &'a str, name: &str) -> &'a str {
    match text.find(name) {
        Some(at)
            if text[..at].ends_with('.')
                && text[..at].chars().all(|c| c.is_alphanumeric() || "._".contains(c)) =>
        {
            &text[at..]
        }
        _ => text,
    }
}

fn is_literal(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit() || "-'\"[({".contains(c))
        || matches!(text, "True" | "False" | "None")
}

/// Double-quoted strings as Python prints them, which is how the model has seen them.
fn as_repr(text: &str) -> String {
    if text.contains(['\'', '\\']) { text.to_owned() } else { text.replace('"', "'") }
}
