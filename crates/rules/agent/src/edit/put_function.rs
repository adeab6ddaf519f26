//! Placing functions into a Python file by their names: the only thing a very small model has to get right
//! is the function itself.

use super::block::{python_code, shifted};
use super::{EditError, with_line_ends_of};
use crate::python::{Definition, Outline, StatementKind};

/// Which function an answer should hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Wanted<'a> {
    /// Its name; without one, whatever the answer defines is taken.
    pub name: Option<&'a str>,
    /// The class it belongs to.
    pub class: Option<&'a str>,
}

/// The new text of a file and what was corrected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// The whole file.
    pub text: String,
    /// The function's code as the model wrote it, for a repair prompt.
    pub code: String,
    /// Corrections, for events.
    pub mended: Vec<String>,
}

/// Puts the answer's function into `file` (none: a new file).
pub fn put_function(file: Option<&str>, answer: &str, wanted: Wanted<'_>) -> Result<Placed, EditError> {
    let mut mended = Vec::new();
    let code = without_self_class(python_code(answer)?, wanted);
    let code = with_wanted_name(code, wanted, &mut mended)?;
    let mut text = file.unwrap_or_default().replace("\r\n", "\n");
    if let Some(tail) = unended(&text) {
        text.push_str(tail);
    }
    let parts = Outline::of(&code);
    for definition in parts.top() {
        let is_wanted = wanted.name.is_none_or(|name| name == definition.name);
        let body = &code[definition.span.clone()];
        if !is_wanted && Outline::of(&text).find(&definition.name, None).is_some() {
            continue; // a helper of the same name is the file's own
        }
        let is_test = definition.name.starts_with("test_") && wanted.name.is_some();
        if is_wanted {
            text = placed(&text, definition, body, wanted.class);
        } else if !is_test {
            text = appended(&text, body);
        }
    }
    text = with_constants(text, &code, &parts);
    text = with_imports(text, &code, &parts);
    let text = with_line_ends_of(file.unwrap_or_default(), text);
    if file == Some(text.as_str()) {
        return Err(EditError::Unchanged);
    }
    Ok(Placed { text, code: code.trim_end().to_owned(), mended })
}

fn unended(text: &str) -> Option<&'static str> {
    (!text.is_empty() && !text.ends_with('\n')).then_some("\n")
}

/// A method may come wrapped in its class; then only the method counts.
fn without_self_class(code: String, wanted: Wanted<'_>) -> String {
    let (Some(class), Some(name)) = (wanted.class, wanted.name) else { return code };
    let outline = Outline::of(&code);
    match outline.find(name, Some(class)) {
        Some(method) => shifted(&code[method.span.clone()], method.indent, ""),
        None => code,
    }
}

/// The wanted function must be there; a single function under another name is a slip of the pen.
fn with_wanted_name(code: String, wanted: Wanted<'_>, mended: &mut Vec<String>) -> Result<String, EditError> {
    let outline = Outline::of(&code);
    let Some(name) = wanted.name else {
        return if outline.top().next().is_some() { Ok(code) } else { Err(EditError::NoCode) };
    };
    if let Some(found) = outline.find(name, None) {
        // talk instead of a body leaves a header, and a stub is what there was before
        return if found.is_stub { Err(EditError::Hollow(name.to_owned())) } else { Ok(code) };
    }
    let functions: Vec<&Definition> =
        outline.top().filter(|d| !d.is_class && !d.name.starts_with("test")).collect();
    let [only] = functions[..] else { return Err(EditError::NoFunction(name.to_owned())) };
    mended.push(format!("{} renamed to {name}", only.name));
    Ok(renamed(&code, &only.name, name))
}

fn renamed(code: &str, from: &str, to: &str) -> String {
    let word = |c: char| c.is_alphanumeric() || c == '_';
    let mut out = String::new();
    let mut last = 0;
    for (at, _) in code.match_indices(from) {
        let alone = !code[..at].ends_with(word) && !code[at + from.len()..].starts_with(word);
        if alone && at >= last {
            out.push_str(&code[last..at]);
            out.push_str(to);
            last = at + from.len();
        }
    }
    out + &code[last..]
}

fn placed(text: &str, new: &Definition, body: &str, class: Option<&str>) -> String {
    let outline = Outline::of(text);
    if let Some(old) = outline.find(&new.name, class) {
        return replaced(text, old, new, body);
    }
    match class.and_then(|class| outline.find(class, None)) {
        Some(class) => {
            let at = class.span.end;
            let indent = outline
                .definitions
                .iter()
                .find(|d| d.class.as_deref() == Some(class.name.as_str()))
                .map_or(4, |method| method.indent);
            let method = shifted(body, 0, &" ".repeat(indent));
            format!("{}\n{method}{}", &text[..at], &text[at..])
        }
        None => appended(text, body),
    }
}

/// A stub keeps its header, decorators and docstring when the parameters have the same names: those belong
/// to the person, with their types and defaults.
fn replaced(text: &str, old: &Definition, new: &Definition, body: &str) -> String {
    let indent = &text[old.header.start - old.indent.min(old.header.start)..old.header.start];
    let indent = if indent.trim().is_empty() { indent } else { "" };
    let same = !old.is_class && !new.is_class && names(&old.params) == names(&new.params);
    let offset = new.span.start;
    let header_end = new.header.end - offset;
    let new_text = if same && !body[header_end..].starts_with([' ', '\t']) {
        let mut inner = &body[header_end..];
        let bare = old.span.start + indent.len() == old.header.start;
        let own_decorators = if bare { &body[..new.header.start - offset] } else { "" };
        let mut kept = shifted(own_decorators, 0, indent) + &text[old.span.start..old.header.end];
        if let Some(doc) = &old.docstring_span {
            kept.push('\n');
            kept.push_str(text[doc.clone()].trim_end());
            if let Some(own) = &new.docstring_span {
                inner = &body[own.end - offset..];
                kept.push('\n');
            }
        }
        let inner = shifted(inner.trim_start_matches('\n'), 0, indent);
        format!("{}\n{inner}", kept.trim_end())
    } else {
        let decorators = &text[old.span.start..old.header.start - indent.len()];
        let own = body.trim_start().starts_with('@');
        format!("{}{}", if own { "" } else { decorators }, shifted(body, 0, indent))
    };
    format!("{}{new_text}{}", &text[..old.span.start], &text[old.span.end..])
}

/// Names of parameters without stars, types and defaults.
pub fn names(params: &str) -> Vec<&str> {
    crate::syntax::split_top(params, ",")
        .into_iter()
        .map(|param| param.split([':', '=']).next().unwrap_or(param).trim().trim_start_matches('*'))
        .filter(|param| !param.is_empty() && *param != "/")
        .collect()
}

fn appended(text: &str, body: &str) -> String {
    // What runs as a script stays last, or it would run before the function exists.
    let main = text.find("\nif __name__").map_or(text.len(), |at| at + 1);
    let (head, tail) = text.split_at(main);
    let head = head.trim_end();
    let gap = if head.is_empty() { "" } else { "\n\n\n" };
    let tail = if tail.is_empty() { String::new() } else { format!("\n\n{tail}") };
    format!("{head}{gap}{}\n{tail}", body.trim_end())
}

/// Constants that the function uses come before the first definition.
fn with_constants(text: String, code: &str, parts: &Outline) -> String {
    let known = Outline::of(&text);
    let defined = |name: &str| {
        known.statements.iter().any(|s| matches!(&s.kind, StatementKind::Assignment(own) if own == name))
    };
    let used_by_functions = |name: &str| parts.top().any(|d| code[d.span.clone()].contains(name));
    let missing: String = parts
        .statements
        .iter()
        .filter(|s| matches!(&s.kind, StatementKind::Assignment(name) if !defined(name) && used_by_functions(name)))
        .map(|s| &code[s.span.clone()])
        .collect();
    if missing.is_empty() {
        return text;
    }
    let at = known.top().next().map_or(text.len(), |first| first.span.start);
    format!("{}{}\n\n{}", &text[..at], missing.trim_end(), prefixed_newline(&text[at..]))
}

fn prefixed_newline(rest: &str) -> String {
    if rest.starts_with('\n') { rest.to_owned() } else { format!("\n{rest}") }
}

/// Imports that the file lacks go below those it has.
fn with_imports(text: String, code: &str, parts: &Outline) -> String {
    let outline = Outline::of(&text);
    let have: Vec<&str> = outline.statements.iter().map(|s| text[s.span.clone()].trim()).collect();
    let missing: Vec<&str> = parts
        .statements
        .iter()
        .filter(|s| s.kind == StatementKind::Import)
        .map(|s| code[s.span.clone()].trim())
        .filter(|import| !have.contains(import))
        .collect();
    if missing.is_empty() {
        return text;
    }
    let last = |wanted: &[StatementKind]| {
        outline.statements.iter().filter(|s| wanted.contains(&s.kind)).map(|s| s.span.end).next_back()
    };
    let imports = missing.join("\n");
    if let Some(at) = last(&[StatementKind::Import, StatementKind::Future]) {
        return format!("{}{imports}\n{}", &text[..at], &text[at..]);
    }
    let at =
        outline.statements.first().filter(|s| s.kind == StatementKind::Docstring).map_or(0, |s| s.span.end);
    let gap = if at == 0 { "" } else { "\n" };
    format!("{}{gap}{imports}\n\n\n{}", &text[..at], text[at..].trim_start_matches('\n'))
}

/// Puts the functions of every fenced block into the file that the block names; `only` is the file of a block
/// that names none.
pub fn apply(
    answer: &str,
    sources: &super::Sources<'_>,
    only: Option<&str>,
) -> Result<super::Edited, EditError> {
    let mut edited = super::Edited::default();
    for block in super::block::blocks(&answer.replace("\r\n", "\n")) {
        let (path, text) = match (super::whole_file::path_of(&block), only) {
            (Some(found), _) => found,
            (None, Some(only)) => (only.to_owned(), block.text.clone()),
            (None, None) => return Err(EditError::NoPath),
        };
        let current = match edited.texts.get(&path) {
            Some(text) => Some(text.clone()),
            None => sources.get(&path)?.map(str::to_owned),
        };
        let placed = put_function(current.as_deref(), &format!("```\n{text}```"), Wanted::default())?;
        edited.mended.extend(placed.mended);
        edited.texts.insert(path, placed.text);
    }
    if edited.texts.is_empty() { Err(EditError::NoBlock("fenced block with a function")) } else { Ok(edited) }
}
