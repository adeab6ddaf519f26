//! The languages that can be read, and which file is written in which.

use serde::Serialize;
use tree_sitter::{Parser, Tree};

use super::MAX_TEXT_BYTES;

/// A language with a grammar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names speak")]
pub enum Language {
    Python,
    JavaScript,
    TypeScript,
    Tsx,
    Rust,
    Go,
    Java,
    C,
    Cpp,
}

impl Language {
    /// By the extension of `path`. Headers count as C++, whose grammar reads C too.
    pub fn of_path(path: &str) -> Option<Self> {
        let name = path.rsplit('/').next().unwrap_or(path);
        let (_, extension) = name.rsplit_once('.')?;
        match extension.to_ascii_lowercase().as_str() {
            "py" | "pyi" => Some(Self::Python),
            "js" | "jsx" | "mjs" | "cjs" => Some(Self::JavaScript),
            "ts" | "mts" | "cts" => Some(Self::TypeScript),
            "tsx" => Some(Self::Tsx),
            "rs" => Some(Self::Rust),
            "go" => Some(Self::Go),
            "java" => Some(Self::Java),
            "c" => Some(Self::C),
            "cc" | "cpp" | "cxx" | "c++" | "h" | "hh" | "hpp" | "hxx" | "inl" => Some(Self::Cpp),
            _ => None,
        }
    }

    fn grammar(self) -> tree_sitter::Language {
        match self {
            Self::Python => tree_sitter_python::LANGUAGE,
            Self::JavaScript => tree_sitter_javascript::LANGUAGE,
            Self::TypeScript => tree_sitter_typescript::LANGUAGE_TYPESCRIPT,
            Self::Tsx => tree_sitter_typescript::LANGUAGE_TSX,
            Self::Rust => tree_sitter_rust::LANGUAGE,
            Self::Go => tree_sitter_go::LANGUAGE,
            Self::Java => tree_sitter_java::LANGUAGE,
            Self::C => tree_sitter_c::LANGUAGE,
            Self::Cpp => tree_sitter_cpp::LANGUAGE,
        }
        .into()
    }

    /// The syntax tree, errors and all; none when the text is too long.
    pub(super) fn parse(self, text: &str) -> Option<Tree> {
        if text.len() > MAX_TEXT_BYTES {
            return None;
        }
        let mut parser = Parser::new();
        parser.set_language(&self.grammar()).ok()?;
        parser.parse(text, None)
    }

    /// Node kinds that are imports at the top of a file.
    pub(super) fn is_import(self, kind: &str) -> bool {
        match self {
            Self::Python => {
                matches!(kind, "import_statement" | "import_from_statement" | "future_import_statement")
            }
            Self::JavaScript | Self::TypeScript | Self::Tsx => kind == "import_statement",
            Self::Rust => matches!(kind, "use_declaration" | "extern_crate_declaration"),
            Self::Go | Self::Java => kind == "import_declaration",
            Self::C | Self::Cpp => kind == "preproc_include",
        }
    }
}
