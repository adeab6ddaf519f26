//! Where an edit goes that says "put this function into this file": the exact bytes of a named definition,
//! where its type takes another member, and where another import goes.

use serde::Serialize;
use tree_sitter::Node;

use super::{Language, Symbol, outline};

/// A definition that an edit may replace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Definition {
    /// The definition; its byte range is what a replacement replaces, decorators included.
    pub symbol: Symbol,
    /// White space before its first line.
    pub indent: String,
    /// Start of the comment lines directly above it; the symbol's own start when there are none. An edit
    /// that brings its own documentation replaces from here.
    pub comment_start_byte: usize,
    /// For a type or module: where a further member is inserted, just before the line that closes it.
    pub append_byte: Option<usize>,
}

/// The imports at the top of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ImportBlock {
    /// Start of the first import; equals `end_byte` when there is none.
    pub start_byte: usize,
    /// Start of the line where a further import goes.
    pub end_byte: usize,
}

/// Every definition that `name` may mean, in the order of the text: `name`, `Parent.name` or
/// `Parent::name`. More than one: the caller decides or asks.
pub fn definitions(path: &str, text: &str, name: &str) -> Vec<Definition> {
    let wanted = name.replace("::", ".");
    let wanted = wanted.trim_start_matches('.');
    let suffix = format!(".{wanted}");
    let matches = |symbol: &Symbol| {
        let qualified = symbol.qualified_name();
        qualified == wanted || qualified.ends_with(&suffix)
    };
    outline(path, text)
        .symbols
        .into_iter()
        .filter(matches)
        .map(|symbol| definition(path, text, symbol))
        .collect()
}

fn definition(path: &str, text: &str, symbol: Symbol) -> Definition {
    let line_start = start_of_line(text, symbol.start_byte);
    let indent: String =
        text[line_start..symbol.start_byte].chars().take_while(|c| c.is_whitespace()).collect();
    let comment_start_byte = comment_start(text, line_start).unwrap_or(symbol.start_byte);
    let append_byte = append_byte(path, text, &symbol);
    Definition { symbol, indent, comment_start_byte, append_byte }
}

/// The first byte of the comment lines that end right above `line_start`.
fn comment_start(text: &str, line_start: usize) -> Option<usize> {
    let mut start = None;
    let mut at = line_start;
    while at > 0 {
        let above = start_of_line(text, at - 1);
        let line = text[above..at].trim();
        let comment = ["//", "/*", "* ", "*/", "# "].iter().any(|mark| line.starts_with(mark)) || line == "*";
        // `#!` belongs to the file, `//!` to the module, `#include` and the like are code.
        if !comment || line.starts_with("//!") {
            break;
        }
        start = Some(above + text[above..].len() - text[above..].trim_start().len());
        at = above;
    }
    start
}

fn append_byte(path: &str, text: &str, symbol: &Symbol) -> Option<usize> {
    use super::SymbolKind::{
        Class, Constant, Declaration, Enum, Function, Interface, Macro, Method, Module, Struct, Trait, Type,
    };
    match symbol.kind {
        Class | Enum | Interface | Module | Struct | Trait => {}
        Constant | Declaration | Function | Macro | Method | Type => return None,
    }
    if Language::of_path(path)? == Language::Python {
        return Some(end_of_line(text, symbol.end_byte));
    }
    let close = text[symbol.start_byte..symbol.end_byte].rfind('}')? + symbol.start_byte;
    let line = start_of_line(text, close);
    Some(if text[line..close].trim().is_empty() { line } else { close })
}

/// Where imports stand in `text`. Without any, the place after the file's header: shebang, licence comment,
/// module documentation, package clause. None for an unknown language.
pub fn import_block(path: &str, text: &str) -> Option<ImportBlock> {
    let language = Language::of_path(path)?;
    let tree = language.parse(text)?;
    let mut scan = Scan { language, text, first: None, last: None, header_end: 0 };
    scan.children(tree.root_node());
    let end = scan.last.unwrap_or(scan.header_end);
    let end_byte = if end == 0 { 0 } else { end_of_line(text, end) };
    Some(ImportBlock { start_byte: scan.first.unwrap_or(end_byte), end_byte })
}

struct Scan<'a> {
    language: Language,
    text: &'a str,
    first: Option<usize>,
    last: Option<usize>,
    header_end: usize,
}

impl Scan<'_> {
    /// True while further nodes may still be imports.
    fn children(&mut self, node: Node<'_>) -> bool {
        let mut cursor = node.walk();
        for child in node.named_children(&mut cursor) {
            let kind = child.kind();
            if self.language.is_import(kind) || self.requires(child) {
                self.first = self.first.or_else(|| Some(child.start_byte()));
                self.last = Some(child.end_byte());
            } else if self.is_guard(kind) {
                // The guard's own name and `#define` come first, then the includes.
                return self.children(child);
            } else if self.is_header(child) {
                if self.last.is_none() {
                    self.header_end = child.end_byte();
                }
            } else if !kind.contains("comment") {
                return false;
            }
        }
        true
    }

    /// `const x = require("x")`.
    fn requires(&self, node: Node<'_>) -> bool {
        let script = matches!(self.language, Language::JavaScript | Language::TypeScript | Language::Tsx);
        script
            && matches!(node.kind(), "lexical_declaration" | "variable_declaration")
            && self.text[node.byte_range()].contains("require(")
            && !self.text[node.byte_range()].contains("=>")
    }

    fn is_guard(&self, kind: &str) -> bool {
        matches!(self.language, Language::C | Language::Cpp) && matches!(kind, "preproc_ifdef" | "preproc_if")
    }

    fn is_header(&self, node: Node<'_>) -> bool {
        match node.kind() {
            "package_clause"
            | "package_declaration"
            | "hash_bang_line"
            | "shebang"
            | "inner_attribute_item" => true,
            // `#pragma once`, and the name and `#define` of an include guard.
            "preproc_call" | "preproc_def" | "identifier" => {
                matches!(self.language, Language::C | Language::Cpp)
            }
            // "use strict", or the module's documentation.
            "expression_statement" => node.named_child(0).is_some_and(|child| child.kind() == "string"),
            kind if kind.contains("comment") => self.is_header_comment(node),
            _ => false,
        }
    }

    /// A comment with an empty line after it speaks of the file; one without, of what follows.
    fn is_header_comment(&self, node: Node<'_>) -> bool {
        let comment = &self.text[node.byte_range()];
        let after = &self.text[node.end_byte()..];
        let gap = &after[..after.len() - after.trim_start().len()];
        let newlines = gap.matches('\n').count() + usize::from(comment.ends_with('\n'));
        comment.starts_with("//!") || comment.starts_with("#!") || newlines > 1
    }
}

fn start_of_line(text: &str, at: usize) -> usize {
    text[..at].rfind('\n').map_or(0, |newline| newline + 1)
}

/// The byte after the newline that ends the line of `at`; where `at` already starts a line, `at` itself.
fn end_of_line(text: &str, at: usize) -> usize {
    if at > 0 && text.as_bytes().get(at - 1) == Some(&b'\n') {
        return at;
    }
    text[at..].find('\n').map_or(text.len(), |newline| at + newline + 1)
}
