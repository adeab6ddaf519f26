//! What a source file defines and what it mentions, read with tree-sitter: plain values for prompts, for
//! ranking, and for edits that name a function instead of quoting it. Broken code gives what can be read.

mod definition;
mod edit;
mod language;
mod outline;

use std::collections::BTreeMap;

use serde::Serialize;

pub use edit::{Definition, ImportBlock, definitions, import_block};
pub use language::Language;

/// Longest text that is parsed, bytes: beyond it a file is generated, and no prompt will quote it.
pub const MAX_TEXT_BYTES: usize = 1024 * 1024;

/// What a symbol is. `Declaration` is a function without its body (C prototypes, interface methods).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the words are those of the languages")]
pub enum SymbolKind {
    Function,
    Method,
    Declaration,
    Class,
    Struct,
    Enum,
    Interface,
    Trait,
    Type,
    Module,
    Constant,
    Macro,
}

/// One definition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Symbol {
    /// Its own name, unqualified.
    pub name: String,
    /// What it is.
    pub kind: SymbolKind,
    /// The definition up to its body, on one line.
    pub signature: String,
    /// First line, counted from 1, with decorators and attributes.
    pub start_line: usize,
    /// Last line, inclusive.
    pub end_line: usize,
    /// First byte, with decorators and attributes.
    pub start_byte: usize,
    /// Byte after the last.
    pub end_byte: usize,
    /// The type, class or module it belongs to; nested ones joined by `.`.
    pub parent: Option<String>,
}

impl Symbol {
    /// `parent.name`, the way edits name it.
    pub fn qualified_name(&self) -> String {
        match &self.parent {
            Some(parent) => format!("{parent}.{}", self.name),
            None => self.name.clone(),
        }
    }
}

/// A file's symbols in the order of the text, and how often it mentions each identifier.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Outline {
    /// What is defined.
    pub symbols: Vec<Symbol>,
    /// What is mentioned, definitions included.
    pub references: BTreeMap<String, usize>,
}

/// Symbols and references in one parse. Empty for an unknown language or a text that is too long.
pub fn outline(path: &str, text: &str) -> Outline {
    outline::read(path, text).unwrap_or_default()
}

/// What `text` defines.
pub fn symbols(path: &str, text: &str) -> Vec<Symbol> {
    outline(path, text).symbols
}

/// The identifiers in `text`, with their counts.
pub fn references(path: &str, text: &str) -> BTreeMap<String, usize> {
    outline(path, text).references
}
