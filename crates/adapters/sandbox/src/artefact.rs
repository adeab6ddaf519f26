//! Files a payload leaves behind, as the node gets to know them: by a name that can be shown, with bytes or with the
//! reason why there are none.

use serde::{Deserialize, Serialize};

/// Longest name that is kept, bytes after escaping; longer ones end in `…`.
const MAX_NAME_BYTES: usize = 1024;

/// One file that was asked for, or lay in a folder that was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artefact {
    /// Path below `/job`, to be shown and compared, never to be opened: what could deceive a reader is escaped.
    pub name: String,
    /// The bytes as they were when the last process was dead, or why they were refused.
    pub found: Result<Vec<u8>, Refused>,
}

/// Why an artefact was not taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum Refused {
    /// Nothing lies there.
    #[error("there is no such file")]
    Missing,
    /// A link, a folder, a pipe, a socket, a device; or the way to it leads over one.
    #[error("it is not a regular file below the tree")]
    NotRegular,
    /// It alone, or all together, exceed the limit.
    #[error("it exceeds the limit on artefacts")]
    TooLarge,
    /// A folder held more files than are taken.
    #[error("there are too many files")]
    TooMany,
    /// A folder was nested deeper than is followed.
    #[error("it lies too deep")]
    TooDeep,
    /// The system refused to read it.
    #[error("it cannot be read: {0}")]
    Unreadable(String),
}

/// What the launcher says of one artefact; the bytes follow in the same order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArtefactEntry {
    /// As in [`Artefact`].
    pub name: String,
    /// Size of the bytes that follow, or why there are none.
    pub found: Result<u64, Refused>,
}

/// A name as it may be shown: control characters, marks of writing direction, zero-width characters and bytes
/// that are not UTF-8 are escaped.
pub(crate) fn shown(name: &[u8]) -> String {
    let mut text = String::new();
    for chunk in name.utf8_chunks() {
        for letter in chunk.valid().chars() {
            if deceives(letter) {
                text.extend(letter.escape_unicode());
            } else {
                text.push(letter);
            }
        }
        text.extend(chunk.invalid().iter().flat_map(|byte| byte.escape_ascii().map(char::from)));
    }
    if text.len() > MAX_NAME_BYTES {
        text.truncate(text.floor_char_boundary(MAX_NAME_BYTES));
        text.push('…');
    }
    text
}

fn deceives(letter: char) -> bool {
    letter.is_control()
        || letter == '\\'
        || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}')
        || matches!(letter, '\u{61c}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &[u8], expected: &str) {
        assert_eq!(shown(name), expected);
    }

    #[test]
    fn names_are_shown_without_deceiving() {
        check(b"out/report.xml", "out/report.xml");
        check("grün.txt".as_bytes(), "grün.txt");
        check(b"a\nb\x1b[31m", "a\\u{a}b\\u{1b}[31m");
        check("a\u{202e}txt.exe".as_bytes(), "a\\u{202e}txt.exe");
        check(b"\xff\xfe", "\\xff\\xfe");
        check(b"a\\nb", "a\\u{5c}nb");
        assert_eq!(shown(&[b'x'; 5000]).len(), MAX_NAME_BYTES + '…'.len_utf8());
    }
}
