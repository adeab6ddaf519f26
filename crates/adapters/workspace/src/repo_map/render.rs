//! Writes a ranking into a bounded number of characters.

use std::fmt::Write;

use super::{RankedFile, RankedSymbol};

/// Symbols shown of the first files, and of those that follow: detail where the interest is.
const SYMBOLS_OF_FIRST: usize = 24;
const SYMBOLS_OF_OTHERS: usize = 6;
/// How many files count as first.
const FIRST_FILES: usize = 3;
/// Longest line of a symbol, characters.
const MAX_LINE_CHARS: usize = 120;
/// Kept free for the line that says how much is missing.
const MORE_CHARS: usize = 32;

pub(super) fn render(files: &[RankedFile], budget_chars: usize) -> String {
    let mut out = String::new();
    let mut used = 0;
    for (index, file) in files.iter().enumerate() {
        let most = if index < FIRST_FILES { SYMBOLS_OF_FIRST } else { SYMBOLS_OF_OTHERS };
        let last = index + 1 == files.len();
        let left = budget_chars.saturating_sub(used + if last { 0 } else { MORE_CHARS });
        let Some(block) = fitting(file, most, left) else {
            let more = format!("… {} more files\n", files.len() - index);
            if used + more.chars().count() <= budget_chars {
                out.push_str(&more);
            }
            break;
        };
        used += block.chars().count();
        out.push_str(&block);
    }
    out
}

/// The file's block with as many symbols as fit, at most `most`; none if not even the path fits.
fn fitting(file: &RankedFile, most: usize, left: usize) -> Option<String> {
    let path_chars = file.path.chars().count() + 1;
    if path_chars > left {
        return None;
    }
    let mut by_score: Vec<(usize, &RankedSymbol)> = file.symbols.iter().enumerate().collect();
    by_score.sort_by(|a, b| b.1.score.total_cmp(&a.1.score).then(a.0.cmp(&b.0)));
    let mut room = left - path_chars;
    let mut lines: Vec<(usize, String)> = Vec::new();
    for (position, ranked) in by_score.into_iter().take(most) {
        let line = line(ranked);
        let Some(rest) = room.checked_sub(line.chars().count()) else { break };
        room = rest;
        lines.push((position, line));
    }
    lines.sort_unstable_by_key(|(position, _)| *position);
    let mut block = format!("{}\n", file.path);
    block.extend(lines.into_iter().map(|(_, line)| line));
    Some(block)
}

fn line(ranked: &RankedSymbol) -> String {
    let symbol = &ranked.symbol;
    let depth = symbol.parent.as_ref().map_or(1, |parent| parent.split('.').count() + 1);
    let mut line = String::new();
    // Writing to a string cannot fail.
    let _ = write!(line, "{:indent$}{}: {}", "", symbol.start_line, symbol.signature, indent = depth * 2);
    let mut line: String = line.chars().take(MAX_LINE_CHARS).collect();
    line.push('\n');
    line
}
