//! Whole files, each in a fenced block with its path before or on the fence.

use super::block::{Block, blocks};
use super::search_replace::path_in;
use super::{EditError, Edited, MAX_ANSWER_BYTES, Sources, with_line_ends_of};

/// Words by which models say that they did not write the whole file.
const ELISIONS: [&str; 8] = [
    "rest of the code",
    "rest of code",
    "existing code",
    "remains unchanged",
    "code unchanged",
    "same as before",
    "unchanged code",
    "rest of the file",
];

/// Applies an answer; `only` is the file it must be when it names none.
pub fn apply(answer: &str, sources: &Sources<'_>, only: Option<&str>) -> Result<Edited, EditError> {
    if answer.len() > MAX_ANSWER_BYTES {
        return Err(EditError::TooLong(answer.len()));
    }
    let mut edited = Edited::default();
    for block in blocks(&answer.replace("\r\n", "\n")) {
        let (path, text) = match (path_of(&block), only) {
            (Some(found), _) => found,
            (None, Some(only)) => (only.to_owned(), block.text.clone()),
            (None, None) => return Err(EditError::NoPath),
        };
        if !block.closed {
            return Err(EditError::Unfinished(path, "closing ```"));
        }
        if elided(&text) {
            return Err(EditError::Elided(path));
        }
        // The old text need not have been read to be replaced, but a patch must name what it replaces.
        let like = sources.get(&path)?.unwrap_or_default();
        let text = if text.ends_with('\n') || text.is_empty() { text } else { text + "\n" };
        edited.texts.insert(path, with_line_ends_of(like, text));
    }
    if edited.texts.is_empty() {
        return Err(EditError::NoBlock("fenced block with a file"));
    }
    if edited.texts.iter().all(|(path, text)| sources.texts.get(path) == Some(text)) {
        return Err(EditError::Unchanged);
    }
    Ok(edited)
}

/// The path on the fence, before it, or as a comment in the first line (which is then no part of the file).
pub fn path_of(block: &Block) -> Option<(String, String)> {
    let info = block.info.split([' ', ':']).next_back().unwrap_or_default();
    let on_fence = path_in(info).filter(|path| path.contains('.'));
    if let Some(path) = on_fence.or_else(|| path_in(&block.before)) {
        return Some((path, block.text.clone()));
    }
    let (first, rest) = block.text.split_once('\n')?;
    let comment = ["# ", "// ", "/* ", "-- "].iter().find_map(|mark| first.strip_prefix(mark))?;
    let path = path_in(comment.trim_end_matches("*/").trim()).filter(|path| path.contains('/'))?;
    Some((path, rest.to_owned()))
}

fn elided(text: &str) -> bool {
    text.lines().map(str::trim).any(|line| {
        let comment = line.starts_with(['#', '/', '<', '-', '*']) || line.starts_with("...");
        let lower = line.to_lowercase();
        comment && ELISIONS.iter().any(|words| lower.contains(words))
    })
}
