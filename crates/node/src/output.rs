//! The only place that writes to the terminal. Results go to standard output, everything else to standard
//! error. Colour only on a terminal and without `NO_COLOR`; text that others wrote cannot steer the terminal.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};

use crate::env::Env;

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
}

impl Output {
    /// As the terminal and the environment allow.
    pub(crate) fn detect(env: &Env) -> Self {
        let set = |name| env.get(name).is_some_and(|value| !value.is_empty());
        let dumb = env.get("TERM").is_some_and(|term| term == "dumb");
        let color = io::stdout().is_terminal() && !set("NO_COLOR") && !dumb;
        Self { color, live: io::stderr().is_terminal() && !dumb }
    }

    /// No colour, no live display.
    #[cfg(test)]
    pub(crate) const fn plain() -> Self {
        Self { color: false, live: false }
    }

    /// Whether a person watches and a display may be redrawn.
    pub(crate) const fn is_live(self) -> bool {
        self.live
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

/// `text` without control characters but newlines and tabs: what a model or a repository wrote must not move
/// the cursor, change colours or set the window's title.
pub(crate) fn harmless(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' && c != '\t' { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_others_cannot_steer_the_terminal() {
        assert_eq!(harmless("a\u{1b}[31mb\r\n\tc\u{7}\u{9b}"), "a\u{fffd}[31mb\u{fffd}\n\tc\u{fffd}\u{fffd}");
    }

    #[test]
    fn there_is_no_colour_where_none_is_wanted() {
        assert_eq!(Output::plain().paint(Style::Bad, "x"), "x");
        assert_eq!(Output { color: true, live: false }.paint(Style::Bad, "x"), "\u{1b}[31mx\u{1b}[0m");
    }
}
