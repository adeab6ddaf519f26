//! What changes in one file, as pieces that a person can read.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use similar::TextDiff;

/// Lines shown around a change, as git does.
const CONTEXT_LINES: usize = 3;
/// After this long a diff may be longer than needed; it is still right.
const DIFF_TIMEOUT: Duration = Duration::from_secs(2);

/// One piece of a diff.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Hunk {
    /// First line in the old file, from 1; 0 where it has none.
    pub old_start: usize,
    /// Lines of the old file.
    pub old_lines: usize,
    /// First line in the new file, from 1; 0 where it has none.
    pub new_start: usize,
    /// Lines of the new file.
    pub new_lines: usize,
    /// The lines, each behind a blank, `-` or `+`.
    pub content: String,
}

/// The pieces in which `new` differs from `old`.
pub fn hunks(old: &str, new: &str) -> Vec<Hunk> {
    let old: Vec<&str> = old.split_inclusive('\n').collect();
    let new: Vec<&str> = new.split_inclusive('\n').collect();
    let diff = TextDiff::configure().timeout(DIFF_TIMEOUT).diff_slices(&old, &new);
    let groups = diff.grouped_ops(CONTEXT_LINES);
    groups
        .iter()
        .filter_map(|group| {
            let (first, last) = (group.first()?, group.last()?);
            let (old_from, new_from) = (first.old_range().start, first.new_range().start);
            let old_lines = last.old_range().end - old_from;
            let new_lines = last.new_range().end - new_from;
            let mut content = String::new();
            for line in group.iter().flat_map(|op| diff.iter_changes(op)) {
                content.push_str(&line.tag().to_string());
                content.push_str(line.value());
                if !line.value().ends_with('\n') {
                    content.push('\n');
                }
            }
            let start = |from: usize, lines: usize| if lines == 0 { from } else { from + 1 };
            let (old_start, new_start) = (start(old_from, old_lines), start(new_from, new_lines));
            Some(Hunk { old_start, old_lines, new_start, new_lines, content })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_name_their_lines() {
        let hunk = |old_start, old_lines, new_start, new_lines, content: &str| {
            let content = content.to_owned();
            Hunk { old_start, old_lines, new_start, new_lines, content }
        };
        assert_eq!(hunks("a\nb\n", "a\nc\n"), [hunk(1, 2, 1, 2, " a\n-b\n+c\n")]);
        assert_eq!(hunks("", "x"), [hunk(0, 0, 1, 1, "+x\n")]);
        assert_eq!(hunks("x\n", ""), [hunk(1, 1, 0, 0, "-x\n")]);
        assert_eq!(hunks("same\n", "same\n"), []);
    }
}
