//! Changing files: every change is a patch, whole files with the hash of what they replace, which applies exactly or
//! not at all. What a person approved is what is written, whatever happened to the files meanwhile.

use edgecoder_agent::review;
use edgecoder_agent::session::{ApprovalClass, shown};
use edgecoder_base::snapshot::limits;
use edgecoder_base::{BlobHash, Change, Concern, Patch, ReviewNote};
use edgecoder_workspace::patch::{ApplyMode, apply_to_directory};
use edgecoder_workspace::project::{Standing, hunks};

use super::{Deed, Hands, Prepared};
use crate::error::blocking;
use crate::event::DiffFile;

impl Hands {
    pub(super) async fn write(&self, path: String, content: String) -> Result<Prepared, String> {
        let path = self.file_path(&path)?;
        let at = path.clone();
        let before = match self.with_project(move |project| project.read(&at)).await? {
            Standing::Missing => None,
            Standing::Text(file) => Some((file.hash, file.text)),
            Standing::Binary(_) | Standing::TooLarge(_) | Standing::NotAFile => {
                return Err(format!("{} exists and is no text file", shown::line(&path)));
            }
            Standing::Ignored => {
                return Err(format!("{} is withheld by .edgecoderignore", shown::line(&path)));
            }
        };
        let verb = if before.is_some() { "replace" } else { "create" };
        changed(verb, path, before, content)
    }

    pub(super) async fn edit(&self, path: String, old: String, new: String) -> Result<Prepared, String> {
        let path = self.file_path(&path)?;
        let file = self.text_file(&path).await?;
        let after = replaced(&file.text, &old, &new)?;
        changed("edit", path, Some((file.hash, file.text)), after)
    }

    /// Writes a patch: all of it, or nothing.
    pub(super) async fn apply(&self, patch: Patch) -> Result<String, String> {
        let root = self.root.clone();
        let names: Vec<String> = patch.changes.iter().map(|change| change.path.clone()).collect();
        let applied = blocking(move || apply_to_directory(&root, &patch, ApplyMode::Write)).await;
        applied.map_err(|error| error.message)?.map_err(|error| error.to_string())?;
        Ok(format!("written: {}", names.join(", ")))
    }

    /// A patch as an action, classed by what it touches. `before` tells the texts that it replaces.
    pub(super) fn patching(verb: &str, patch: Patch, before: impl Fn(&Change) -> Option<String>) -> Prepared {
        let notes = review::notes(&patch, &before);
        let class = if notes.iter().any(protects) { ApprovalClass::Protected } else { ApprovalClass::Write };
        let diff = |change: &Change| {
            let old = before(change).unwrap_or_default();
            let new = change.after.as_deref().unwrap_or_default();
            let notes = notes.iter().filter(|note| note.path == change.path).map(ToString::to_string);
            DiffFile { file: change.path.clone(), hunks: hunks(&old, new), notes: notes.collect() }.clipped()
        };
        let diffs = patch.changes.iter().map(diff).collect();
        let names: Vec<&str> = patch.changes.iter().map(|change| change.path.as_str()).collect();
        let title = format!("{verb} {}", shown::line(&names.join(", ")));
        Prepared { diffs, ..Prepared::of(class, title, Deed::Apply(patch)) }
    }

    fn file_path(&self, path: &str) -> Result<String, String> {
        let path = self.path(path)?;
        if path.is_empty() { Err("the project itself is no file".to_owned()) } else { Ok(path) }
    }
}

/// Whether a note is about what runs by itself or decides what runs, or about what a reader cannot see.
fn protects(note: &ReviewNote) -> bool {
    match note.concern {
        Concern::Automation
        | Concern::Build
        | Concern::Dependencies
        | Concern::Invisible
        | Concern::Lookalike => true,
        Concern::Licence | Concern::Tests => false,
    }
}

fn changed(
    verb: &str,
    path: String,
    before: Option<(BlobHash, String)>,
    after: String,
) -> Result<Prepared, String> {
    if after.len() as u64 > limits::MAX_FILE_BYTES {
        return Err(format!("{} would be too large", shown::line(&path)));
    }
    let (hash, old) = before.map_or((None, None), |(hash, old)| (Some(hash), Some(old)));
    if old.as_deref() == Some(after.as_str()) {
        return Err(format!("{} already is so: nothing would change", shown::line(&path)));
    }
    let mut patch = Patch::default();
    patch.set(&path, hash, Some(after));
    Ok(Hands::patching(verb, patch, |_| old.clone()))
}

/// The text with the one place replaced; nothing in either text means more than itself.
fn replaced(text: &str, old: &str, new: &str) -> Result<String, String> {
    if old.is_empty() {
        return Err("old_string is empty: use write_file to write a whole file".to_owned());
    }
    let mut places = text.match_indices(old);
    let Some((at, _)) = places.next() else {
        return Err("old_string does not occur in the file: read it and copy the text exactly".to_owned());
    };
    // Overlapping places count too: `aa` stands twice in `aaa`.
    let step = at + text[at..].chars().next().map_or(1, char::len_utf8);
    if text[step..].contains(old) {
        return Err("old_string occurs more than once: give more of the text around it".to_owned());
    }
    Ok(format!("{}{new}{}", &text[..at], &text[at + old.len()..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hole_07_a_replacement_means_nothing_but_itself() {
        let check = |text: &str, old: &str, new: &str, expected: &str| {
            assert_eq!(replaced(text, old, new).as_deref(), Ok(expected));
        };
        check("a b c", "b", "$& $1 \\0 $$", "a $& $1 \\0 $$ c");
        check("x.*y", ".*", "\\n", "x\\ny");
        check("é = 1\r\n", "1\r\n", "2\r\n", "é = 2\r\n");
        for (text, old, words) in [
            ("a a", "a", "more than once"),
            ("aaa", "aa", "more than once"),
            ("a", "b", "does not occur"),
            ("a", "", "empty"),
        ] {
            assert!(replaced(text, old, "x").unwrap_err().contains(words), "{text} {old}");
        }
    }

    #[test]
    fn hole_07_what_runs_by_itself_or_deceives_is_protected() {
        let class = |path: &str, after: &str| {
            changed("create", path.to_owned(), None, after.to_owned()).unwrap().class
        };
        for path in [
            ".vscode/tasks.json",
            ".husky/pre-commit",
            "AGENTS.md",
            "Makefile",
            "package.json",
            "build.rs",
            ".claude/settings.json",
        ] {
            assert_eq!(class(path, "x\n"), ApprovalClass::Protected, "{path}");
        }
        assert_eq!(class("src/a.py", "x = 1\n"), ApprovalClass::Write);
        assert_eq!(class("src/a.py", "x = '\u{202e}'\n"), ApprovalClass::Protected);
    }
}
