//! Names that one file system tells apart and another takes for the same, or for a device. A tree that holds two of
//! them is another tree on the next machine, and somebody may have meant it to be.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use unicode_normalization::UnicodeNormalization;

/// Devices of Windows, in every folder and whatever follows the first dot.
const DEVICES: &[&str] = &["con", "prn", "aux", "nul", "conin$", "conout$"];
/// Families of devices: one digit follows, which may be written small and high.
const NUMBERED_DEVICES: &[&str] = &["com", "lpt"];

/// Whether a file of this name is a device where Windows decides.
pub(super) fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().trim_end().to_lowercase();
    let numbered = |family: &&str| {
        let digit = stem.strip_prefix(*family).unwrap_or_default();
        let mut digits = digit.chars();
        matches!((digits.next(), digits.next()), (Some('0'..='9' | '¹' | '²' | '³'), None))
    };
    DEVICES.contains(&stem.as_str()) || NUMBERED_DEVICES.iter().any(numbered)
}

/// A path as the least discerning file system sees it: without case, and letters taken apart into their parts.
fn folded(path: &str) -> Cow<'_, str> {
    if path.is_ascii() {
        return match path.bytes().any(|byte| byte.is_ascii_uppercase()) {
            true => path.to_ascii_lowercase().into(),
            false => path.into(),
        };
    }
    // By way of capitals, which letters share that have several small forms.
    path.nfd().flat_map(char::to_uppercase).flat_map(char::to_lowercase).nfd().collect::<String>().into()
}

/// Paths taken so far, each of which may stand beside all others anywhere.
#[derive(Debug, Default)]
pub struct PortablePaths<'a> {
    files: BTreeMap<Cow<'a, str>, &'a str>,
    folders: BTreeSet<String>,
}

impl<'a> PortablePaths<'a> {
    /// Takes `path`, or names the one it would be mixed up with: the same, or a file where this one needs a folder, or
    /// a folder in its place.
    pub fn take(&mut self, path: &'a str) -> Result<(), &'a str> {
        let key = folded(path);
        let folders = || key.match_indices('/').map(|(at, _)| &key[..at]);
        if let Some(other) = self.files.get(&key) {
            return Err(other);
        }
        if let Some(other) = folders().find_map(|folder| self.files.get(folder)) {
            return Err(other);
        }
        if self.folders.contains(key.as_ref()) {
            return Err(path);
        }
        for folder in folders() {
            if !self.folders.contains(folder) {
                self.folders.insert(folder.to_owned());
            }
        }
        self.files.insert(key, path);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(paths: &[&str], expected: Result<(), &str>) {
        let mut taken = PortablePaths::default();
        let outcome = paths.iter().try_for_each(|path| taken.take(path));
        assert_eq!(outcome, expected, "{paths:?}");
    }

    #[test]
    fn names_that_are_one_elsewhere_are_told() {
        check(&["README", "readme.md", "src/a", "src/b"], Ok(()));
        check(&["Makefile", "makefile"], Err("Makefile"));
        check(&["src/A.rs", "src/a.rs"], Err("src/A.rs"));
        check(&["SRC/a.rs", "src/b.rs"], Ok(()));
        // Composed and taken apart; two small forms of one capital; a sharp s and what it stands for.
        check(&["caf\u{e9}", "cafe\u{301}"], Err("caf\u{e9}"));
        check(&["\u{3c3}", "\u{3c2}"], Err("\u{3c3}"));
        check(&["stra\u{df}e", "STRASSE"], Err("stra\u{df}e"));
        // A file where the other needs a folder.
        check(&["Lib", "lib/x"], Err("Lib"));
        check(&["LIB/x", "lib"], Err("lib"));
    }

    #[test]
    fn devices_have_their_names_with_any_ending() {
        for name in ["con", "NUL.txt", "Aux.c", "com1", "LPT9.log", "com\u{b9}", "prn .x"] {
            assert!(is_device(name), "{name}");
        }
        for name in ["console", "auxiliary.c", "com", "com10", "lptx", "null", "com1x"] {
            assert!(!is_device(name), "{name}");
        }
    }
}
