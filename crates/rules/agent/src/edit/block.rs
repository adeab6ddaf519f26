//! Finding code in an answer: fenced or not, closed or not, with talk around it.

use super::EditError;
use crate::python::logical_lines;

/// A fenced block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// What stands after the opening fence.
    pub info: String,
    /// The last line with text before the fence, where models put the path.
    pub before: String,
    /// The content, LF line ends.
    pub text: String,
    /// Whether the closing fence is there.
    pub closed: bool,
}

/// Every fenced block of an answer.
pub fn blocks(answer: &str) -> Vec<Block> {
    let mut found = Vec::new();
    let mut open: Option<(String, Block)> = None;
    let mut before = String::new();
    for line in answer.lines() {
        let line = line.strip_suffix('\r').unwrap_or(line);
        let trimmed = line.trim();
        match open.take() {
            Some((fence, block)) if closes(trimmed, &fence) => found.push(Block { closed: true, ..block }),
            Some((fence, mut block)) => {
                block.text.push_str(line);
                block.text.push('\n');
                open = Some((fence, block));
            }
            None => match fence_of(trimmed) {
                Some((fence, info)) => {
                    let block = Block {
                        info: info.trim().to_owned(),
                        before: std::mem::take(&mut before),
                        text: String::new(),
                        closed: false,
                    };
                    open = Some((fence, block));
                }
                None if !trimmed.is_empty() => before = trimmed.to_owned(),
                None => {}
            },
        }
    }
    found.extend(open.map(|(_, block)| block));
    found
}

fn fence_of(line: &str) -> Option<(String, &str)> {
    let mark = line.chars().next().filter(|c| matches!(c, '`' | '~'))?;
    let count = line.chars().take_while(|c| *c == mark).count();
    (count >= 3 && !line[count..].contains(mark)).then(|| (line[..count].to_owned(), &line[count..]))
}

fn closes(line: &str, fence: &str) -> bool {
    line.starts_with(fence) && line.chars().all(|c| fence.starts_with(c))
}

/// The Python code of an answer: the first fenced block that defines something, otherwise what looks like
/// code between the talk.
pub fn python_code(answer: &str) -> Result<String, EditError> {
    if answer.len() > super::MAX_ANSWER_BYTES {
        return Err(EditError::TooLong(answer.len()));
    }
    let answer = answer.trim_start_matches('\u{feff}').replace("\r\n", "\n");
    let fenced = blocks(&answer);
    let wanted = fenced.iter().find(|block| defines(&block.text)).or_else(|| fenced.first());
    let code = match wanted {
        Some(block) if defines(&block.text) => block.text.clone(),
        _ if defines(&answer) => unfenced(&answer),
        Some(block) => block.text.clone(),
        None => return Err(EditError::NoCode),
    };
    let code = margin_to_zero(&prompt_marks_removed(&code));
    if code.trim().is_empty() { Err(EditError::NoCode) } else { Ok(code) }
}

fn defines(text: &str) -> bool {
    text.lines().any(|line| starts_code(line.trim_start().trim_start_matches(">>> ")))
}

fn starts_code(line: &str) -> bool {
    ["def ", "class ", "async def "].iter().any(|word| line.starts_with(word) && line.contains([':', '(']))
}

/// From the first line of code to the last: talk at the left margin that is no statement ends it.
fn unfenced(answer: &str) -> String {
    let is_start = |line: &str| {
        starts_code(line.trim_start().trim_start_matches(">>> "))
            || line.starts_with("import ")
            || (line.starts_with("from ") && line.contains(" import "))
            || line.starts_with('@')
    };
    let mut kept = Vec::new();
    for line in answer.lines().skip_while(|line| !is_start(line)) {
        let inside = line.is_empty() || line.starts_with([' ', '\t', '#', '@', ')', ']', '}', '>', '.']);
        let statement = is_start(line) || line.contains(" = ");
        if !inside && !statement {
            break;
        }
        if fence_of(line.trim()).is_none() {
            kept.push(line);
        }
    }
    kept.join("\n") + "\n"
}

/// Lines copied from an interactive session lose their marks.
fn prompt_marks_removed(code: &str) -> String {
    if !code.lines().any(|line| line.starts_with(">>> ")) {
        return code.to_owned();
    }
    let bare = |line: &str| {
        let line = line.strip_prefix(">>> ").or_else(|| line.strip_prefix("... ")).unwrap_or(line);
        if line == "..." || line == ">>>" { String::new() } else { line.to_owned() }
    };
    code.lines().map(bare).collect::<Vec<_>>().join("\n") + "\n"
}

/// Moves code that is indented as a whole to the left margin, and tabs to four spaces.
fn margin_to_zero(code: &str) -> String {
    let code: String = code.lines().map(|line| tabs_to_spaces(line.trim_end()) + "\n").collect();
    let margin = logical_lines(&code).iter().map(|line| line.indent).min().unwrap_or(0);
    let first = logical_lines(&code).first().map_or(0, |line| line.indent);
    // Only the first line may have lost its indentation to a fence; then the rest decides.
    if margin == 0 || first != margin { code } else { shifted(&code, margin, "") }
}

fn tabs_to_spaces(line: &str) -> String {
    let body = line.trim_start_matches([' ', '\t']);
    let mut blank = String::new();
    for c in line[..line.len() - body.len()].chars() {
        match c {
            '\t' => blank.push_str(&" ".repeat(4 - blank.len() % 4)),
            _ => blank.push(' '),
        }
    }
    blank + body
}

/// `code` with `margin` columns taken away and `indent` put before every line with text.
pub fn shifted(code: &str, margin: usize, indent: &str) -> String {
    code.lines()
        .map(|line| {
            let blank = line.len() - line.trim_start_matches(' ').len();
            let rest = &line[blank.min(margin)..];
            if rest.trim().is_empty() { "\n".to_owned() } else { format!("{indent}{rest}\n") }
        })
        .collect()
}
