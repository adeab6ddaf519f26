//! Blocks of old and new lines. Finding the old lines forgives white space at the ends of lines and a shift of
//! the whole block, and nothing else: a guess in the wrong place is worse than a refusal.

use super::{EditError, Edited, MAX_ANSWER_BYTES, Sources, with_line_ends_of};

/// One block as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchReplace {
    /// The file.
    pub path: String,
    /// Lines that are there now; empty for a new file.
    pub search: String,
    /// Lines that take their place.
    pub replace: String,
}

/// Reads every block of an answer.
pub fn parse(answer: &str) -> Result<Vec<SearchReplace>, EditError> {
    if answer.len() > MAX_ANSWER_BYTES {
        return Err(EditError::TooLong(answer.len()));
    }
    let answer = answer.replace("\r\n", "\n");
    let mut blocks = Vec::new();
    let mut path: Option<String> = None;
    let mut state = State::Outside;
    for line in answer.lines() {
        state = match state {
            State::Outside if is_mark(line, '<') => State::Search(String::new()),
            State::Outside => {
                path = path_in(line).or(path);
                State::Outside
            }
            State::Search(search) if is_divider(line) => State::Replace(search, String::new()),
            State::Search(search) if is_mark(line, '>') => {
                let _ = search;
                return Err(EditError::Unfinished(path.unwrap_or_else(|| "a file".into()), "======="));
            }
            State::Search(search) => State::Search(search + line + "\n"),
            State::Replace(search, replace) if is_mark(line, '>') => {
                let path = path.clone().ok_or(EditError::NoPath)?;
                blocks.push(SearchReplace { path, search, replace });
                State::Outside
            }
            // a second divider is a slip; a new block without an end is the end of this one
            State::Replace(search, replace) if is_mark(line, '<') => {
                let path = path.clone().ok_or(EditError::NoPath)?;
                blocks.push(SearchReplace { path, search, replace });
                State::Search(String::new())
            }
            State::Replace(search, replace) => State::Replace(search, replace + line + "\n"),
        };
    }
    match state {
        State::Outside if blocks.is_empty() => Err(EditError::NoBlock("SEARCH/REPLACE block")),
        State::Outside => Ok(blocks),
        State::Search(_) => Err(EditError::Unfinished(path.unwrap_or_else(|| "a file".into()), "=======")),
        State::Replace(search, replace) => {
            // cut off or forgotten: usable only if a fence shows that the model was done
            let whole = replace.trim_end().strip_suffix("```").map(str::to_owned);
            let (Some(replace), Some(path)) = (whole, path) else {
                return Err(EditError::Unfinished("the last file".into(), ">>>>>>> REPLACE"));
            };
            blocks.push(SearchReplace { path, search, replace });
            Ok(blocks)
        }
    }
}

enum State {
    Outside,
    Search(String),
    Replace(String, String),
}

fn is_mark(line: &str, mark: char) -> bool {
    let line = line.trim();
    let count = line.chars().take_while(|c| *c == mark).count();
    let word = line.trim_start_matches(mark).trim().trim_end_matches(':').to_uppercase();
    let known =
        ["", "SEARCH", "REPLACE", "ORIGINAL", "UPDATED", "OLD", "NEW", "HEAD"].contains(&word.as_str());
    ((5..=9).contains(&count) && known) || (count >= 3 && !word.is_empty() && known && word != "HEAD")
}

fn is_divider(line: &str) -> bool {
    let line = line.trim();
    (5..=9).contains(&line.len()) && line.chars().all(|c| c == '=')
}

/// The path that a line between blocks names, in any of the dresses models give it.
pub fn path_in(line: &str) -> Option<String> {
    let line = line.trim().trim_start_matches(['#', '*', '-', '>', ' ']).trim();
    let line = line.strip_prefix("```").or_else(|| line.strip_prefix("//")).unwrap_or(line).trim();
    let lower = line.to_lowercase();
    let line = ["file:", "path:", "filename:", "file name:", "in "]
        .iter()
        .find(|word| lower.starts_with(**word))
        .and_then(|word| line.get(word.len()..))
        .unwrap_or(line);
    let path = line.trim().trim_matches(['`', '*', '"', '\'', ':', ' ']).trim_start_matches("./");
    let path = path.rsplit_once(' ').filter(|(word, _)| !word.contains('/')).map_or(path, |(_, path)| path);
    let path = path
        .split_once(':')
        .filter(|(word, _)| !word.contains('/') && !word.contains('.'))
        .map_or(path, |(_, p)| p);
    let file = path.rsplit('/').next().unwrap_or(path);
    let named = ["Makefile", "Dockerfile", "LICENSE", "justfile"].contains(&file)
        || file.rsplit_once('.').is_some_and(|(stem, ending)| {
            !ending.is_empty()
                && ending.len() <= 10
                && ending.chars().all(char::is_alphanumeric)
                && !stem.ends_with(' ')
        });
    (named && !path.contains([' ', '(', '`']) && !path.ends_with('.')).then(|| path.to_owned())
}

/// Applies every block, in order, all or nothing.
pub fn apply(answer: &str, sources: &Sources<'_>) -> Result<Edited, EditError> {
    let mut edited = Edited::default();
    for block in parse(answer)? {
        let current = match edited.texts.get(&block.path) {
            Some(text) => Some(text.clone()),
            None => sources.get(&block.path)?.map(str::to_owned),
        };
        let text = match current {
            Some(text) => replaced(&text, &block, &mut edited.mended)?,
            None if block.search.trim().is_empty() => block.replace.clone(),
            None => return Err(EditError::NoFile(block.path)),
        };
        edited.texts.insert(block.path, text);
    }
    let changes = |path: &String, text: &String| sources.texts.get(path) != Some(text);
    if !edited.texts.iter().any(|(path, text)| changes(path, text)) {
        return Err(EditError::Unchanged);
    }
    Ok(edited)
}

fn replaced(text: &str, block: &SearchReplace, mended: &mut Vec<String>) -> Result<String, EditError> {
    let plain = text.replace("\r\n", "\n");
    let search = block.search.trim_matches('\n');
    if search.trim().is_empty() {
        if plain.trim().is_empty() {
            return Ok(with_line_ends_of(text, block.replace.clone()));
        }
        let new = format!("{}\n\n\n{}", plain.trim_end(), block.replace.trim_start_matches('\n'));
        mended.push(format!("lines without a SEARCH part added at the end of {}", block.path));
        return Ok(with_line_ends_of(text, new));
    }
    let lines: Vec<&str> = plain.lines().collect();
    let wanted: Vec<&str> = search.lines().collect();
    for looseness in [Looseness::Exact, Looseness::LineEnds, Looseness::Shifted] {
        let places = places(&lines, &wanted, looseness);
        match places[..] {
            [] => {}
            [at] => {
                if looseness == Looseness::Shifted {
                    mended.push(format!("indentation of a SEARCH part for {}", block.path));
                }
                let new =
                    spliced(&lines, at, wanted.len(), &replacement(&lines, at, &wanted, block, looseness));
                let new = if plain.ends_with('\n') { new } else { new.trim_end_matches('\n').to_owned() };
                return Ok(with_line_ends_of(text, new));
            }
            _ => return Err(EditError::Ambiguous { path: block.path.clone(), count: places.len() }),
        }
    }
    Err(EditError::NotFound { path: block.path.clone(), nearest: nearest(&lines, &wanted) })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Looseness {
    Exact,
    LineEnds,
    Shifted,
}

fn places(lines: &[&str], wanted: &[&str], looseness: Looseness) -> Vec<usize> {
    let equal = |a: &str, b: &str| match looseness {
        Looseness::Exact => a == b,
        Looseness::LineEnds => a.trim_end() == b.trim_end(),
        Looseness::Shifted => a.trim() == b.trim(),
    };
    if wanted.is_empty() || wanted.len() > lines.len() {
        return Vec::new();
    }
    (0..=lines.len() - wanted.len())
        .filter(|at| lines[*at..].iter().zip(wanted).all(|(a, b)| equal(a, b)))
        .filter(|at| looseness != Looseness::Shifted || shift(&lines[*at..], wanted).is_some())
        .collect()
}

/// By how many columns the file's lines stand further right than the searched ones, if it is one number.
fn shift(lines: &[&str], wanted: &[&str]) -> Option<isize> {
    let mut pairs = lines.iter().zip(wanted).filter(|(line, _)| !line.trim().is_empty());
    let by =
        |(line, wanted): (&&str, &&str)| columns(line).checked_sub_unsigned(columns(wanted).unsigned_abs());
    let first = pairs.next().and_then(by)?;
    pairs.all(|pair| by(pair) == Some(first)).then_some(first)
}

fn columns(line: &str) -> isize {
    isize::try_from(line.len() - line.trim_start().len()).unwrap_or(isize::MAX)
}

fn replacement(
    lines: &[&str],
    at: usize,
    wanted: &[&str],
    block: &SearchReplace,
    looseness: Looseness,
) -> String {
    let text = block.replace.trim_matches('\n');
    if text.is_empty() {
        return String::new();
    }
    let by = if looseness == Looseness::Shifted { shift(&lines[at..], wanted).unwrap_or(0) } else { 0 };
    let tabbed = lines[at].starts_with('\t');
    let mut out = String::new();
    for line in text.lines() {
        let bare = line.trim_start();
        if by == 0 || bare.is_empty() {
            out.push_str(line);
        } else {
            let width = columns(line).saturating_add(by).max(0).unsigned_abs();
            out.push_str(&if tabbed { "\t" } else { " " }.repeat(width));
            out.push_str(bare);
        }
        out.push('\n');
    }
    out
}

fn spliced(lines: &[&str], at: usize, count: usize, new: &str) -> String {
    let mut out: String = lines[..at].iter().flat_map(|line| [*line, "\n"]).collect();
    out.push_str(new);
    out.extend(lines[at + count..].iter().flat_map(|line| [*line, "\n"]));
    out
}

/// The lines of the file most like the searched ones, for the model's second try.
fn nearest(lines: &[&str], wanted: &[&str]) -> String {
    const SHOWN: usize = 12;
    let score = |at: usize| {
        lines[at..].iter().zip(wanted).filter(|(a, b)| !b.trim().is_empty() && a.trim() == b.trim()).count()
    };
    let best = (0..lines.len()).max_by_key(|at| (score(*at), std::cmp::Reverse(*at))).unwrap_or(0);
    lines[best.min(lines.len())..]
        .iter()
        .take(wanted.len().clamp(3, SHOWN))
        .copied()
        .collect::<Vec<_>>()
        .join("\n")
}
