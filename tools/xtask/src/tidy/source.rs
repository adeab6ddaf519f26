//! Finds the files that are ours and reads each Rust file once.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::outline::Outline;

/// Built or fetched things, and what git keeps for itself.
const NOT_OURS: &[&str] = &["target", "node_modules", "__pycache__", ".git"];

/// A Rust file with what the checks need to know about it.
#[derive(Debug)]
pub(crate) struct SourceFile {
    /// Relative to the workspace, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
    pub(crate) outline: Outline,
    /// The whole file is compiled for tests only.
    pub(crate) is_test: bool,
}

impl SourceFile {
    /// Lines that end up in the product: all but the test items.
    pub(crate) fn production_lines(&self) -> usize {
        if self.is_test {
            return 0;
        }
        self.text.lines().count().saturating_sub(self.outline.test_lines)
    }

    #[cfg(test)]
    pub(crate) fn parse(path: &str, text: &str) -> Self {
        let outline = Outline::of(text).unwrap();
        Self { path: path.into(), text: text.into(), outline, is_test: in_test_folder(path) }
    }
}

/// Every `.rs` file below crates/ and tools/.
pub(crate) fn rust_files(root: &Path) -> anyhow::Result<Vec<SourceFile>> {
    let mut files = Vec::new();
    for path in
        ["crates", "tools"].iter().map(|top| walk(&root.join(top))).collect::<Result<Vec<_>, _>>()?.concat()
    {
        if path.extension().is_none_or(|extension| extension != "rs") {
            continue;
        }
        let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        let outline = Outline::of(&text).with_context(|| format!("parsing {}", path.display()))?;
        let path = relative(root, &path);
        let is_test = in_test_folder(&path);
        files.push(SourceFile { path, text, outline, is_test });
    }
    mark_test_modules(&mut files);
    Ok(files)
}

/// All files below a folder, in a stable order. Links are not followed.
pub(crate) fn walk(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_path_buf()];
    while let Some(folder) = open.pop() {
        let entries = fs::read_dir(&folder).with_context(|| format!("listing {}", folder.display()))?;
        for entry in entries {
            let entry = entry?;
            let kind = entry.file_type()?;
            // In a linked work tree `.git` is a file.
            if NOT_OURS.iter().any(|name| entry.file_name() == *name) {
                continue;
            }
            if kind.is_dir() {
                open.push(entry.path());
            } else if kind.is_file() {
                found.push(entry.path());
            }
        }
    }
    found.sort();
    Ok(found)
}

/// A path as people write it in this repository.
pub(crate) fn relative(root: &Path, path: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).to_string_lossy().replace('\\', "/")
}

fn in_test_folder(path: &str) -> bool {
    path.split('/').any(|part| part == "tests" || part == "benches")
}

/// `#[cfg(test)] mod cases;` makes cases.rs and everything below cases/ test code.
fn mark_test_modules(files: &mut [SourceFile]) {
    let stems: BTreeSet<String> = files
        .iter()
        .flat_map(|file| {
            let folder = module_folder(&file.path);
            file.outline.test_modules.iter().map(move |module| format!("{folder}/{module}"))
        })
        .collect();
    for file in files {
        let stem = file.path.trim_end_matches(".rs");
        file.is_test |= stems.iter().any(|test| {
            stem.strip_prefix(test.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        });
    }
}

/// The folder in which a file's child modules lie.
fn module_folder(path: &str) -> String {
    let stem = path.trim_end_matches(".rs");
    match stem.rsplit_once('/') {
        Some((folder, "lib" | "main")) => folder.to_owned(),
        _ => stem.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_declared_for_tests_is_test_code_with_its_children() {
        let mut files = vec![
            SourceFile::parse("crates/a/src/lib.rs", "#[cfg(test)]\nmod cases;\nmod casesque;\n"),
            SourceFile::parse("crates/a/src/cases.rs", ""),
            SourceFile::parse("crates/a/src/cases/deep.rs", ""),
            SourceFile::parse("crates/a/src/casesque.rs", ""),
        ];
        mark_test_modules(&mut files);
        let tests: Vec<bool> = files.iter().map(|file| file.is_test).collect();
        assert_eq!(tests, [false, true, true, false]);
    }

    #[test]
    fn test_items_are_not_production_lines() {
        let file = SourceFile::parse(
            "crates/a/src/lib.rs",
            "fn f() {}\n\n#[cfg(test)]\nmod tests {\n    fn g() {}\n}\n",
        );
        assert_eq!(file.production_lines(), 2);
    }
}
