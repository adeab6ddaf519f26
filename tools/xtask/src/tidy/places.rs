//! The repository builds anywhere: no file names the machine it was written on or a private registry.

use std::fs;
use std::path::Path;

use anyhow::Context as _;

use super::Breach;
use super::source::{relative, walk};

/// Where Cargo.lock may take crates from.
const PUBLIC_SOURCE: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// A path of one component (`/app`, `/root`) is too common a string to look for.
const LEAST_COMPONENTS: usize = 2;

pub(crate) fn check(root: &Path) -> anyhow::Result<Vec<Breach>> {
    let here = [Some(root.to_path_buf()), std::env::home_dir()];
    let here: Vec<String> = here
        .into_iter()
        .flatten()
        .filter(|path| path.components().count() > LEAST_COMPONENTS)
        .map(|path| path.to_string_lossy().into_owned())
        .collect();
    let mut breaches = Vec::new();
    for path in walk(root)? {
        let bytes = fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
        // A model or a picture is no text and names nothing.
        let Ok(text) = String::from_utf8(bytes) else { continue };
        breaches.extend(check_text(&relative(root, &path), &text, &here));
    }
    Ok(breaches)
}

fn check_text(path: &str, text: &str, here: &[String]) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for (line, content) in (1..).zip(text.lines()) {
        if here.iter().any(|place| names_path(content, place)) {
            breaches.push(Breach::new(
                format!("{path}:{line}"),
                "names a folder of the machine it was written on",
            ));
        }
        if takes_crates_elsewhere(path, content) {
            breaches
                .push(Breach::new(format!("{path}:{line}"), "names a registry other than the public ones"));
        }
    }
    breaches
}

/// Whether `place` stands in the line as a whole path or as the start of one.
fn names_path(line: &str, place: &str) -> bool {
    line.match_indices(place).any(|(at, found)| {
        let before = line.get(..at).and_then(|text| text.chars().next_back());
        let after = line.get(at + found.len()..).and_then(|text| text.chars().next());
        let extends = |letter: char| letter.is_alphanumeric() || matches!(letter, '_' | '-' | '.');
        !before.is_some_and(extends) && !after.is_some_and(extends)
    })
}

fn takes_crates_elsewhere(path: &str, line: &str) -> bool {
    match path.rsplit('/').next() {
        Some("Cargo.lock") => {
            line.strip_prefix("source = ").is_some_and(|source| source.trim_matches('"') != PUBLIC_SOURCE)
        }
        Some("config.toml") if path.contains(".cargo/") => {
            line.contains("replace-with") || line.contains("[registries")
        }
        Some("package-lock.json") => line
            .trim_start()
            .strip_prefix("\"resolved\": \"")
            .is_some_and(|url| !url.starts_with("https://registry.npmjs.org/")),
        Some(".npmrc") => line.starts_with("registry"),
        Some("pip.conf" | "requirements.txt") => line.contains("index-url"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, text: &str, expected: usize) {
        assert_eq!(check_text(path, text, &["/srv/build".into()]).len(), expected, "{path}: {text}");
    }

    #[test]
    fn folders_of_this_machine_are_refused() {
        check("a.md", "see /srv/build/notes", 1);
        check("a.md", "cd /srv/build", 1);
        check("a.md", "cd /srv/builder", 0);
        check("a.md", "cd /opt/srv/build", 0);
    }

    #[test]
    fn crates_come_from_the_public_registries() {
        check("Cargo.lock", "source = \"registry+https://github.com/rust-lang/crates.io-index\"", 0);
        check("Cargo.lock", "source = \"registry+https://example.org/index\"", 1);
        check(".cargo/config.toml", "replace-with = \"mirror\"", 1);
        check("web/package-lock.json", "  \"resolved\": \"https://example.org/a.tgz\",", 1);
        check("web/package-lock.json", "  \"resolved\": \"https://registry.npmjs.org/a/-/a.tgz\",", 0);
    }
}
