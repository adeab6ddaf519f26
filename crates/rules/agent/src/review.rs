//! What of a patch a person must look at, however green its tests are: files that run by themselves or decide what
//! runs, and characters that make code look like other code.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use edgecoder_base::{Change, Concern, Patch, ReviewNote};
use globset::GlobSet;

use crate::scope;

const BUILD: &[&str] = &[
    "**/{Makefile,makefile,GNUmakefile,*.mk,justfile,CMakeLists.txt,*.cmake,meson.build,SConstruct,wscript}",
    "**/{build.rs,build.zig,build.xml,gulpfile.*,Gruntfile.*,webpack.config.*,rollup.config.*,vite.config.*}",
    "**/{Dockerfile*,Containerfile*,docker-compose*.y*ml,compose.y*ml,BUILD,BUILD.bazel,WORKSPACE,*.bzl,flake.nix}",
    "**/{configure,configure.ac,Rakefile,Taskfile.y*ml,tsconfig*.json,babel.config.*,.babelrc*}",
];
const HOOKS: &[&str] = &[
    "**/{hooks,.githooks,git-hooks}/**",
    "**/{.vscode,.idea,.zed,.claude,.cursor,.gemini}/**",
    "**/{AGENTS.md,CLAUDE.md,GEMINI.md,.cursorrules,.editorconfig,.lintstagedrc*,lefthook.y*ml}",
];
const LICENCES: &[&str] = &["**/{LICENSE,LICENCE,COPYING,NOTICE,UNLICENSE}*", "**/LICENSES/**"];

static BUILD_SET: LazyLock<GlobSet> = LazyLock::new(|| scope::builtin(BUILD));
static HOOK_SET: LazyLock<GlobSet> = LazyLock::new(|| scope::builtin(HOOKS));
static LICENCE_SET: LazyLock<GlobSet> = LazyLock::new(|| scope::builtin(LICENCES));

/// Characters of a word that are shown.
const WORD_CHARS: usize = 40;

/// The notes on `patch`, in the order of its files. `before` is the text that a change replaces, where it is text.
pub fn notes(patch: &Patch, before: impl Fn(&Change) -> Option<String>) -> Vec<ReviewNote> {
    let mut notes = Vec::new();
    for change in &patch.changes {
        notes.extend(by_path(&change.path));
        if let Some(after) = &change.after {
            notes.extend(by_text(&change.path, before(change).as_deref().unwrap_or_default(), after));
        }
    }
    notes
}

fn by_path(path: &str) -> Option<ReviewNote> {
    let concern = if scope::is_automation(path) || HOOK_SET.is_match(path) {
        Concern::Automation
    } else if scope::declares_dependencies(path) {
        Concern::Dependencies
    } else if BUILD_SET.is_match(path) {
        Concern::Build
    } else if LICENCE_SET.is_match(path) {
        Concern::Licence
    } else if scope::is_test_path(path) {
        Concern::Tests
    } else {
        return None;
    };
    Some(ReviewNote { concern, path: path.to_owned(), line: None, detail: String::new() })
}

/// The first added line of each kind: one is enough to look, and a file full of them is one note.
fn by_text(path: &str, before: &str, after: &str) -> Vec<ReviewNote> {
    if after.is_ascii() && !after.bytes().any(|byte| byte.is_ascii_control()) {
        return Vec::new();
    }
    let old: BTreeSet<&str> = before.split('\n').collect();
    let mut found: Vec<ReviewNote> = Vec::new();
    for (number, line) in (1..).zip(after.split('\n')).filter(|(_, line)| !old.contains(line)) {
        let mut note = |concern, detail: String| {
            if !found.iter().any(|note| note.concern == concern) {
                found.push(ReviewNote { concern, path: path.to_owned(), line: Some(number), detail });
            }
        };
        let first = number == 1;
        // A mark of byte order at the very beginning and the old line end of a line are seen by every editor.
        let plain = line.strip_suffix('\r').unwrap_or(line);
        let plain = if first { plain.strip_prefix('\u{feff}').unwrap_or(plain) } else { plain };
        if let Some(c) = plain.chars().find(|&c| is_invisible(c)) {
            note(Concern::Invisible, format!("U+{:04X}", u32::from(c)));
        }
        if let Some(word) = words(plain).find(|word| mixes_alphabets(word)) {
            note(Concern::Lookalike, spelled(word));
        }
    }
    found
}

/// What a reader cannot see: controls but the tab, marks of direction, joiners, fillers, tags, selectors of variants.
pub(crate) fn is_invisible(c: char) -> bool {
    (c.is_control() && c != '\t')
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}'
            | '\u{fe00}'..='\u{fe0e}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_ascii())
}

/// A word with Latin letters and with letters of another alphabet that look like Latin ones.
fn mixes_alphabets(word: &str) -> bool {
    word.chars().any(|c| c.is_ascii_alphabetic()) && word.chars().any(looks_latin)
}

fn looks_latin(c: char) -> bool {
    "\u{391}\u{392}\u{395}\u{396}\u{397}\u{399}\u{39a}\u{39c}\u{39d}\u{39f}\u{3a1}\u{3a4}\u{3a5}\u{3a7}\u{3bd}\u{3bf}\u{3c1}".contains(c)
        || matches!(c, '\u{400}'..='\u{52f}' | '\u{531}'..='\u{587}' | '\u{13a0}'..='\u{13f5}')
        || matches!(c, '\u{ff21}'..='\u{ff3a}' | '\u{ff41}'..='\u{ff5a}' | '\u{1d400}'..='\u{1d7ff}')
}

/// A word so that nothing in it looks like something else.
fn spelled(word: &str) -> String {
    let letter = |c: char| if c.is_ascii() { c.to_string() } else { format!("<U+{:04X}>", u32::from(c)) };
    word.chars().take(WORD_CHARS).map(letter).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The notes on one file, as text.
    fn noted(path: &str, before: Option<&str>, after: &str) -> Vec<String> {
        let mut patch = Patch::default();
        patch.set(path, None, Some(after.to_owned()));
        notes(&patch, |_| before.map(str::to_owned)).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn files_that_run_by_themselves_or_decide_what_runs_are_shown_apart() {
        let check = |path: &str, expected: &str| {
            let note = if expected.is_empty() { vec![] } else { vec![format!("{path} {expected}")] };
            assert_eq!(noted(path, None, "x"), note);
        };
        for path in [
            ".github/workflows/ci.yml",
            ".husky/pre-commit",
            "tools/hooks/x",
            ".vscode/tasks.json",
            "AGENTS.md",
        ] {
            check(path, "runs by itself");
        }
        for path in ["Makefile", "sub/CMakeLists.txt", "Dockerfile.dev", "vite.config.ts"] {
            check(path, "changes how the project is built");
        }
        for path in ["Cargo.lock", "web/package.json", "uv.lock", "go.sum"] {
            check(path, "changes dependencies");
        }
        check("build.rs", "runs by itself");
        check("LICENSE-MIT", "changes the licence");
        check("tests/test_a.py", "changes a test");
        for path in ["src/lib.rs", "README.md", "make.py", "licensing.py", "builder/x.rs"] {
            check(path, "");
        }
    }

    #[test]
    fn characters_that_deceive_are_named_with_their_line() {
        let check = |before: Option<&str>, after: &str, expected: &[&str]| {
            assert_eq!(noted("a.py", before, after), expected, "{after:?}");
        };
        let invisible =
            |line: u32, c: &str| format!("a.py:{line} has invisible or direction-changing characters: {c}");
        check(None, "x = 1\n", &[]);
        check(None, "x = 1\ny = '\u{202e}\u{2066}admin'\n", &[&invisible(2, "U+202E")]);
        check(None, "a\u{200b}b = 1\nc\u{200b}d = 1\n", &[&invisible(1, "U+200B")]);
        check(None, "x = '\u{1b}[2K'\n", &[&invisible(1, "U+001B")]);
        check(None, "x = 1\r\ny = 2\r\n", &[]);
        check(None, "x = 1\r y = 2\n", &[&invisible(1, "U+000D")]);
        check(None, "\u{feff}x = 1\n", &[]);
        // What stood there before is no part of the change.
        check(Some("s = '\u{200b}'\n"), "s = '\u{200b}'\nx = 1\n", &[]);
        let lookalike = "a.py:1 has letters that look like others: p<U+0430>ssword";
        check(None, "p\u{430}ssword = 1\n", &[lookalike]);
        // Whole words of another language are none of it, nor are accents and signs.
        check(
            None,
            "# \u{43f}\u{440}\u{438}\u{432}\u{435}\u{442} world, caf\u{e9}, \u{3bc}s, \u{394}x\n",
            &[],
        );
    }
}
