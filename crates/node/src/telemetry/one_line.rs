//! Fields of a log line whose text others may have written: written so that an event cannot look like two, nor hide
//! what stood before it.

use std::fmt::{self, Debug};

use tracing::field::{Field, Visit};
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::FormatFields;
use tracing_subscriber::fmt::format::Writer;

/// The message as it is, then `name=value`, all of it on one line.
#[derive(Debug)]
pub(super) struct Fields;

impl<'w> FormatFields<'w> for Fields {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'w>, fields: R) -> fmt::Result {
        let mut line = Line { writer, begun: false, outcome: Ok(()) };
        fields.record(&mut line);
        line.outcome
    }
}

struct Line<'w> {
    writer: Writer<'w>,
    begun: bool,
    outcome: fmt::Result,
}

impl Line<'_> {
    fn put(&mut self, field: &Field, value: &dyn Debug) -> fmt::Result {
        if self.begun {
            self.writer.write_char(' ')?;
        }
        self.begun = true;
        let text = format!("{value:?}");
        match field.name() {
            "message" => {}
            name => write!(self.writer, "{name}=")?,
        }
        text.chars().try_for_each(|c| match steers(c) {
            true => write!(self.writer, "{}", c.escape_default()),
            false => self.writer.write_char(c),
        })
    }
}

impl Visit for Line<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if self.outcome.is_ok() {
            self.outcome = self.put(field, value);
        }
    }
}

/// Ends a line, moves the cursor, or turns the direction of what follows.
fn steers(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Arc;

    use parking_lot::Mutex;
    use tracing_subscriber::fmt::MakeWriter;
    use tracing_subscriber::layer::SubscriberExt;

    /// Keeps what is written.
    #[derive(Debug, Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl<'a> MakeWriter<'a> for Kept {
        type Writer = Self;

        fn make_writer(&'a self) -> Self {
            self.clone()
        }
    }

    /// What hostile programs write, names of files and of tests among it.
    const HOSTILE: &str = "failed\n2026-01-01T00:00:00Z  INFO edgecoder: the task is approved\r\n\
                           {\"level\":\"INFO\",\"message\":\"approved\"}\n\u{1b}[2K\u{1b}[1A\u{9b}31m\u{7}\u{202e}end";

    fn logged(json: bool) -> String {
        let kept = Kept::default();
        let subscriber = tracing_subscriber::registry().with(super::super::lines(kept.clone(), false, json));
        tracing::subscriber::with_default(subscriber, || {
            let error = io::Error::other(HOSTILE);
            let span = tracing::info_span!("attempt", name = %HOSTILE);
            let _inside = span.enter();
            tracing::warn!(said = HOSTILE, shown = %HOSTILE, told = ?HOSTILE, %error, "the verifier {HOSTILE}");
        });
        let bytes = kept.0.lock().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_line_of_the_log_cannot_forge_another() {
        for json in [false, true] {
            let text = logged(json);
            assert_eq!(text.lines().count(), 1, "{text}");
            assert!(
                text.ends_with('\n') && text.contains("the task is approved"),
                "it is told, as part of its line"
            );
            // Beyond ASCII they mean nothing to who reads JSON.
            let steers = |c: &char| if json { c.is_ascii_control() } else { c.is_control() };
            let steering = text.trim_end_matches('\n').chars().find(steers);
            assert_eq!(steering, None, "{text:?}");
        }
        let parsed: serde_json::Value = serde_json::from_str(&logged(true)).unwrap();
        assert_eq!(parsed["level"], "WARN", "what others write stays within its field");
        assert_eq!(parsed["said"], HOSTILE);
    }
}
