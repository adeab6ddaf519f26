//! The only place that writes to the terminal. Results go to standard output, everything else to standard
//! error. Colour only on a terminal and without `NO_COLOR`; text that others wrote cannot steer the terminal.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};

use crate::env::Env;

/// Folded text keeps at least this width, however narrow the terminal.
const NARROWEST: usize = 24;

/// What text stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// It worked.
    Good,
    /// It did not.
    Bad,
    /// Worth a look.
    Warn,
    /// Of lesser weight.
    Faint,
    /// A title.
    Strong,
}

/// Where output goes and how it may look.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    color: bool,
    live: bool,
    /// Width of a line of the result; none where nobody looks and lines stay whole.
    columns: Option<usize>,
}

impl Output {
    /// As the terminal and the environment allow.
    pub(crate) fn detect(env: &Env) -> Self {
        let set = |name| env.get(name).is_some_and(|value| !value.is_empty());
        let dumb = env.get("TERM").is_some_and(|term| term == "dumb");
        let color = io::stdout().is_terminal() && !set("NO_COLOR") && !dumb;
        let columns = console::Term::stdout().size_checked().map(|(_, columns)| columns.into());
        Self { color, live: io::stderr().is_terminal() && !dumb, columns }
    }

    /// No colour, no live display.
    #[cfg(test)]
    pub(crate) const fn plain() -> Self {
        Self { color: false, live: false, columns: None }
    }

    /// As on a terminal of `columns`, without colour.
    #[cfg(test)]
    pub(crate) const fn of_width(columns: usize) -> Self {
        Self { color: false, live: false, columns: Some(columns) }
    }

    /// Whether a person watches and a display may be redrawn.
    pub(crate) const fn is_live(self) -> bool {
        self.live
    }

    /// Whether lines have a width that they should keep to.
    pub(crate) const fn has_width(self) -> bool {
        self.columns.is_some()
    }

    /// `text` cut to the width of the terminal, with a sign that it was.
    pub(crate) fn fit(self, text: &str) -> String {
        match self.columns {
            Some(columns) => console::truncate_str(text, columns, "…").into_owned(),
            None => text.to_owned(),
        }
    }

    /// `text` behind `head`, folded between words to the width of the terminal; what follows the first line stands
    /// below its beginning.
    pub(crate) fn fold(self, head: &str, text: &str) -> String {
        let indent = console::measure_text_width(head);
        let room = self.columns.map_or(usize::MAX, |columns| columns.saturating_sub(indent).max(NARROWEST));
        let mut folded = head.to_owned();
        let mut used = 0;
        for word in text.split_whitespace() {
            let width = console::measure_text_width(word);
            if used > 0 && used + 1 + width > room {
                folded.push('\n');
                folded.push_str(&" ".repeat(indent));
                used = 0;
            } else if used > 0 {
                folded.push(' ');
                used += 1;
            }
            folded.push_str(word);
            used += width;
        }
        folded
    }

    /// `text` in `style`, where colour is allowed.
    pub(crate) fn paint(self, style: Style, text: impl Display) -> String {
        if !self.color {
            return text.to_string();
        }
        let code = match style {
            Style::Good => "32",
            Style::Bad => "31",
            Style::Warn => "33",
            Style::Faint => "2",
            Style::Strong => "1",
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }

    /// A line of the result.
    pub(crate) fn line(self, text: impl Display) {
        write_or_leave(&mut io::stdout().lock(), format_args!("{text}\n"));
    }

    /// Text of the result as it stands, without a line end of ours.
    pub(crate) fn raw(self, text: &str) {
        write_or_leave(&mut io::stdout().lock(), format_args!("{text}"));
    }

    /// A line about the work, not part of the result.
    pub(crate) fn note(self, text: impl Display) {
        write_or_leave(&mut io::stderr().lock(), format_args!("{text}\n"));
    }
}

/// A reader that has seen enough (`| head`) is no failure; there is just nobody left to write for.
fn write_or_leave(to: &mut impl Write, text: std::fmt::Arguments<'_>) {
    if let Err(error) = to.write_fmt(text).and_then(|()| to.flush())
        && error.kind() == io::ErrorKind::BrokenPipe
    {
        std::process::exit(0);
    }
}

/// `text` without control characters but newlines and tabs, and without marks of direction: what a model or a
/// repository wrote must not move the cursor, change colours, set the window's title, or stand in another order than
/// it is read by a compiler.
pub(crate) fn harmless(text: &str) -> String {
    let steers = |c: char| {
        (c.is_control() && c != '\n' && c != '\t')
            || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().map(|c| if steers(c) { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_others_cannot_steer_the_terminal() {
        assert_eq!(harmless("a\u{1b}[31mb\r\n\tc\u{7}\u{9b}"), "a\u{fffd}[31mb\u{fffd}\n\tc\u{fffd}\u{fffd}");
        assert_eq!(harmless("a\u{202e}b\u{2066}c\u{2028}"), "a\u{fffd}b\u{fffd}c\u{fffd}");
    }

    #[test]
    fn lines_keep_to_the_terminal_and_stay_whole_elsewhere() {
        let check = |columns: Option<usize>, folded: &str, fitted: &str| {
            let out = columns.map_or_else(Output::plain, Output::of_width);
            let text = "count the vowels of a text, whatever their case";
            assert_eq!(out.fold("  why  ", text), folded, "{columns:?}");
            assert_eq!(out.fit(text), fitted, "{columns:?}");
        };
        let whole = "count the vowels of a text, whatever their case";
        check(None, "  why  count the vowels of a text, whatever their case", whole);
        check(
            Some(34),
            "  why  count the vowels of a text,\n       whatever their case",
            "count the vowels of a text, whate…",
        );
        check(Some(5), "  why  count the vowels of a\n       text, whatever their\n       case", "coun…");
    }

    #[test]
    fn there_is_no_colour_where_none_is_wanted() {
        assert_eq!(Output::plain().paint(Style::Bad, "x"), "x");
        assert_eq!(Output { color: true, ..Output::plain() }.paint(Style::Bad, "x"), "\u{1b}[31mx\u{1b}[0m");
    }
}
