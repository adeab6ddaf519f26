//! Text of strangers made harmless: it stands on terminals and in prompts, before people and models.

/// `text` without control characters but newlines and tabs, and without marks of direction or invisible ones.
pub fn harmless(text: &str) -> String {
    text.chars().map(|c| if steers(c) { '\u{fffd}' } else { c }).collect()
}

fn steers(c: char) -> bool {
    (c.is_control() && c != '\n' && c != '\t')
        || matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
        || matches!(c, '\u{e0000}'..='\u{e007f}')
}

/// At most so many characters, and seen to be cut.
pub(crate) fn clipped(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}… [cut]", &text[..end]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_strangers_cannot_steer() {
        let check = |text: &str, expected: &str| assert_eq!(harmless(text), expected);
        check("plain\n\ttext é", "plain\n\ttext é");
        check("a\u{1b}[31mb\u{7}\r\u{9b}", "a\u{fffd}[31mb\u{fffd}\u{fffd}\u{fffd}");
        check("a\u{202e}b\u{2066}c\u{200b}", "a\u{fffd}b\u{fffd}c\u{fffd}");
        // Letters that nobody sees and models read.
        check("a\u{e0041}b", "a\u{fffd}b");
    }

    #[test]
    fn what_is_cut_is_seen_to_be() {
        assert_eq!(clipped("éé", 2), "éé");
        assert_eq!(clipped("ééé", 2), "éé… [cut]");
    }
}
