//! One word per concept: names that say nothing are refused, and every file says why it exists.

use super::Breach;
use super::outline::Named;
use super::source::SourceFile;

/// Words that fit anything and therefore name nothing (docs/GLOSSARY.md).
const BANNED: &[&str] = &[
    "manager",
    "service",
    "services",
    "helper",
    "helpers",
    "util",
    "utils",
    "processor",
    "handler",
    "handlers",
    "data",
    "info",
    "common",
    "misc",
    "core",
];

/// Above this length a file must open by saying why it exists.
const SHORT_FILE_LINES: usize = 40;

pub(crate) fn check(files: &[SourceFile]) -> Vec<Breach> {
    files.iter().flat_map(check_file).collect()
}

fn check_file(file: &SourceFile) -> Vec<Breach> {
    let mut breaches = Vec::new();
    let stem = file.path.rsplit('/').next().unwrap_or_default().trim_end_matches(".rs");
    if stem == "mod" {
        breaches.push(Breach::new(&file.path, "a module is `foo.rs` beside `foo/`, never `mod.rs`"));
    }
    if !file.text.starts_with("//!") && file.text.lines().count() > SHORT_FILE_LINES {
        breaches.push(Breach::new(&file.path, "every file opens with a `//!` line that says why it exists"));
    }
    let own = Named { name: stem.to_owned(), line: 1 };
    for named in file.outline.types.iter().chain(&file.outline.modules).chain([&own]) {
        if let Some(word) = banned_word(&named.name) {
            let place = format!("{}:{}", file.path, named.line);
            let sentence =
                format!("`{}`: \"{word}\" names nothing; take a term of docs/GLOSSARY.md", named.name);
            breaches.push(Breach::new(place, sentence));
        }
    }
    breaches.extend(file.outline.postponed.iter().map(|found| {
        let sentence = format!("`{}`: leave it out, or assert today's behaviour with a note", found.name);
        Breach::new(format!("{}:{}", file.path, found.line), sentence)
    }));
    breaches
}

fn banned_word(name: &str) -> Option<String> {
    words(name).into_iter().find(|word| BANNED.contains(&word.as_str()))
}

/// `TaskManager` and `task_manager` are both `task`, `manager`.
fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut previous_lower = false;
    for letter in name.chars() {
        let starts = letter.is_uppercase() && previous_lower;
        previous_lower = letter.is_lowercase() || letter.is_numeric();
        if letter == '_' {
            words.push(String::new());
        } else if let Some(word) = words.last_mut().filter(|_| !starts) {
            word.extend(letter.to_lowercase());
        } else {
            words.push(letter.to_lowercase().collect());
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, text: &str, expected: &[&str]) {
        let breaches = super::check(&[SourceFile::parse(path, text)]);
        let places: Vec<&str> = breaches.iter().map(|breach| breach.place.as_str()).collect();
        assert_eq!(places, expected, "{path}: {text}");
    }

    #[test]
    fn banned_words_are_refused_in_types_modules_and_files() {
        check("a/task.rs", "struct Task;\nstruct TaskHandle;\nenum Metadata {}\n", &[]);
        check("a/task.rs", "struct Task;\nstruct TaskManager;\n", &["a/task.rs:2"]);
        check("a/task.rs", "trait DataSource {}\n", &["a/task.rs:1"]);
        check("a/lib.rs", "mod task_utils;\n", &["a/lib.rs:1"]);
        check("a/helpers.rs", "", &["a/helpers.rs:1"]);
        check("a/task.rs", "fn data() {}\n", &[]);
    }

    #[test]
    fn mod_rs_is_refused() {
        check("a/task/mod.rs", "", &["a/task/mod.rs"]);
    }

    #[test]
    fn a_long_file_must_say_why_it_exists() {
        let body = "const A: u8 = 1;\n".repeat(SHORT_FILE_LINES + 1);
        check("a/long.rs", &body, &["a/long.rs"]);
        check("a/long.rs", &format!("//! Why.\n{body}"), &[]);
        check("a/short.rs", "const A: u8 = 1;\n", &[]);
    }
}
