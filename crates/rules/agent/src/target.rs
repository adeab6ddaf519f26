//! Which function of which file a request means. A very small model is asked for one function only, so the
//! agent must know where it belongs and must leave the place out of the words it passes on.

pub mod request;
pub mod tests;

use std::collections::BTreeMap;

use crate::python::Outline;
use crate::scope::is_test_path;
use crate::syntax::call_of;
pub use request::{Intent, Request};

/// A function to write and where it goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The file.
    pub path: String,
    /// The function's name; none when the request names none and nothing else does.
    pub function: Option<String>,
    /// Its parameters as written, without the receiver for methods.
    pub params: Option<String>,
    /// The class it belongs to.
    pub class: Option<String>,
    /// The docstring of the existing definition.
    pub docstring: Option<String>,
    /// Code of the existing definition, if it is more than a stub.
    pub existing: Option<String>,
    /// How it was found.
    pub because: &'static str,
}

/// Finds the target from the request and the texts read; `existing` names every file, read or not, and `hint`
/// is the output of a failing verifier.
pub fn resolve(
    request: &Request,
    texts: &BTreeMap<String, String>,
    existing: &[String],
    hint: &str,
) -> Option<Target> {
    let outlines: BTreeMap<&str, Outline> = texts
        .iter()
        .filter(|(path, _)| path.ends_with(".py") && !is_test_path(path))
        .map(|(path, text)| (path.as_str(), Outline::of(text)))
        .collect();
    let imports = tests::imports(texts);
    let (function, because) = function_name(request, &outlines, &imports, hint);
    let name = function.as_deref();
    let path = path_of(request, name, &outlines, &imports, existing)?;
    let old = outlines.get(path.as_str()).and_then(|outline| {
        let name = name?;
        outline.find(name, request.class.as_deref()).or_else(|| only_method(outline, name))
    });
    let text = texts.get(&path).map_or("", String::as_str);
    Some(Target {
        params: params(request, name, old, texts),
        class: request.class.clone().or_else(|| old.and_then(|old| old.class.clone())),
        docstring: old.and_then(|old| old.docstring.clone()).filter(|doc| !doc.is_empty()),
        existing: old.filter(|old| !old.is_stub).map(|old| code_of(old, text)),
        path,
        function,
        because,
    })
}

fn function_name(
    request: &Request,
    outlines: &BTreeMap<&str, Outline>,
    imports: &[tests::Import],
    hint: &str,
) -> (Option<String>, &'static str) {
    if let Some(name) = &request.function {
        return (Some(name.clone()), "the request names it");
    }
    let in_place = |path: &str| request.path.as_deref().is_none_or(|wanted| wanted == path);
    let stubs: Vec<&str> = outlines
        .iter()
        .filter(|(path, _)| in_place(path))
        .flat_map(|(_, outline)| outline.definitions.iter().filter(|d| d.is_stub).map(|d| d.name.as_str()))
        .collect();
    let missing = imports.iter().find(|import| {
        !outlines.values().any(|outline| outline.definitions.iter().any(|d| d.name == import.name))
            && outlines.keys().any(|path| tests::module_matches(&import.module, path))
            || hint.contains(&format!("cannot import name '{}'", import.name))
    });
    // A stub that a test asks for, else one that stands alone, else what a test imports in vain.
    if let Some(stub) = stubs.iter().find(|stub| imports.iter().any(|import| import.name == **stub)) {
        return (Some((*stub).to_owned()), "a stub that a test imports");
    }
    if let [stub] = stubs[..] {
        return (Some(stub.to_owned()), "the only stub");
    }
    if let Some(import) = missing {
        return (Some(import.name.clone()), "a test imports it");
    }
    // pytest marks the failing line, unittest shows it bare; both are assertions or start with the mark
    let shown = |line: &str| line.trim_start().starts_with('>') || line.contains("assert");
    let called = |name: &str| hint.lines().any(|line| shown(line) && call_of(line, name).is_some());
    let failing = outlines
        .iter()
        .filter(|(path, _)| in_place(path))
        .flat_map(|(_, outline)| outline.top().filter(|d| !d.is_class))
        .find(|d| called(&d.name));
    match failing {
        Some(definition) if request.intent == Intent::Fix => {
            (Some(definition.name.clone()), "a failing test calls it")
        }
        _ => (None, "the request alone"),
    }
}

fn path_of(
    request: &Request,
    name: Option<&str>,
    outlines: &BTreeMap<&str, Outline>,
    imports: &[tests::Import],
    existing: &[String],
) -> Option<String> {
    if let Some(path) = &request.path {
        // "in lists.py" for src/lists.py, if that is the only one
        let below: Vec<&String> =
            existing.iter().filter(|known| known.ends_with(&format!("/{path}"))).collect();
        return match (existing.contains(path), &below[..]) {
            (false, [only]) => Some((*only).clone()),
            _ => Some(path.clone()),
        };
    }
    if let Some(name) = name {
        if let Some((path, _)) = outlines.iter().find(|(_, o)| o.definitions.iter().any(|d| d.name == name)) {
            return Some((*path).to_owned());
        }
        if let Some(import) = imports.iter().find(|import| import.name == name) {
            return Some(tests::module_path(&import.module, existing));
        }
    }
    let mut named =
        outlines.keys().filter(|path| !path.ends_with("__init__.py") && !path.ends_with("setup.py"));
    match (named.next(), named.next(), name) {
        (Some(only), None, _) => Some((*only).to_owned()),
        (_, _, Some(name)) => Some(format!("{}.py", name.to_lowercase())),
        (None, _, None) => Some("solution.py".to_owned()),
        (_, _, None) => None,
    }
}

/// Without the docstring: the request says that already, and the model knows no code with both.
fn code_of(old: &crate::python::Definition, text: &str) -> String {
    let whole = match &old.docstring_span {
        Some(doc) => format!("{}{}", &text[old.span.start..doc.start], &text[doc.end..old.span.end]),
        None => text[old.span.clone()].to_owned(),
    };
    crate::edit::block::shifted(whole.trim_end(), old.indent, "").trim_end().to_owned()
}

fn only_method<'a>(outline: &'a Outline, name: &str) -> Option<&'a crate::python::Definition> {
    let mut found = outline.definitions.iter().filter(|d| d.name == name);
    found.next().filter(|_| found.next().is_none())
}

fn params(
    request: &Request,
    name: Option<&str>,
    old: Option<&crate::python::Definition>,
    texts: &BTreeMap<String, String>,
) -> Option<String> {
    request.params.clone().or_else(|| old.map(|old| old.params.clone())).or_else(|| {
        // A test that calls with keywords or a fixed number tells how many, not which names: leave those out.
        let name = name?;
        let example = tests::examples(name, texts).into_iter().next()?;
        (example.call == format!("{name}()")).then(String::new)
    })
}
