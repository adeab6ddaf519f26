//! What a person is shown before an action is done: built from what was read of the call, never from the model's own
//! words about it, and with nothing in it that a reader cannot see.

use crate::review::is_invisible;

/// Longest line that is shown, characters.
const LINE_CHARS: usize = 400;

/// One line, with what deceives spelled out.
pub fn line(text: &str) -> String {
    let mut shown = String::new();
    for c in text.chars().take(LINE_CHARS) {
        if is_invisible(c) { shown.extend(c.escape_unicode()) } else { shown.push(c) }
    }
    if text.chars().nth(LINE_CHARS).is_some() {
        shown.push('…');
    }
    shown
}

/// The beginning and the end of a long text within `chars`, and how much was left out between.
pub fn clipped(text: &str, chars: usize) -> String {
    let count = text.chars().count();
    if count <= chars {
        return text.to_owned();
    }
    let (head, tail) = (chars * 2 / 3, chars / 3);
    let end = text.char_indices().nth(head).map_or(text.len(), |(at, _)| at);
    let start = text.char_indices().nth(count - tail).map_or(text.len(), |(at, _)| at);
    format!("{}\n[… {} characters left out …]\n{}", &text[..end], count - head - tail, &text[start..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_deceives_is_spelled_out() {
        assert_eq!(line("ls -l"), "ls -l");
        assert_eq!(line("rm x\n\u{202e}\u{1b}[2K"), "rm x\\u{a}\\u{202e}\\u{1b}[2K");
        assert_eq!(line(&"x".repeat(500)).chars().count(), LINE_CHARS + 1);
    }

    #[test]
    fn long_texts_keep_beginning_and_end() {
        assert_eq!(clipped("short", 9), "short");
        let long = format!("begin{}end", "é".repeat(1_000));
        let clipped = clipped(&long, 90);
        assert!(clipped.starts_with("begin") && clipped.ends_with("end"), "{clipped}");
        assert!(clipped.contains("[… 918 characters left out …]"), "{clipped}");
    }
}
