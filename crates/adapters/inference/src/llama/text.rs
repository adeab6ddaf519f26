//! From token bytes to whole characters, with stop sequences held back until they are sure or refuted.

/// The text side of one answer.
#[derive(Debug)]
pub(crate) struct Text {
    /// Bytes of a character whose end has not come yet; at most three.
    partial: Vec<u8>,
    /// Text that may turn out to be the beginning of a stop sequence.
    held: String,
    stops: Vec<String>,
}

/// What may be shown after one more token.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(crate) text: String,
    /// A stop sequence was completed: nothing follows.
    pub(crate) stopped: bool,
}

impl Text {
    pub(crate) const fn new(stops: Vec<String>) -> Self {
        Self { partial: Vec::new(), held: String::new(), stops }
    }

    /// Takes a token's bytes.
    pub(crate) fn push(&mut self, piece: &[u8]) -> Shown {
        self.partial.extend_from_slice(piece);
        self.take_whole_characters();
        if let Some(at) = self.stops.iter().filter_map(|stop| self.held.find(stop.as_str())).min() {
            self.held.truncate(at);
            return Shown { text: std::mem::take(&mut self.held), stopped: true };
        }
        let keep_from = self.held.len() - self.possible_stop();
        let rest = self.held.split_off(keep_from);
        Shown { text: std::mem::replace(&mut self.held, rest), stopped: false }
    }

    /// What was held back; half a character becomes the replacement character.
    pub(crate) fn finish(&mut self) -> String {
        self.held.push_str(&String::from_utf8_lossy(&self.partial));
        self.partial.clear();
        std::mem::take(&mut self.held)
    }

    fn take_whole_characters(&mut self) {
        let mut keep = Vec::new();
        for chunk in self.partial.utf8_chunks() {
            self.held.push_str(chunk.valid());
            match std::str::from_utf8(chunk.invalid()) {
                // Only the last chunk can be unfinished rather than wrong.
                Err(error) if error.error_len().is_none() => keep = chunk.invalid().to_vec(),
                Err(_) => self.held.push(char::REPLACEMENT_CHARACTER),
                Ok(_) => {}
            }
        }
        self.partial = keep;
    }

    /// Length of the longest end of `held` that begins a stop sequence.
    fn possible_stop(&self) -> usize {
        let begins = |stop: &String| {
            let longest = self.held.len().min(stop.len().saturating_sub(1));
            (1..=longest)
                .rev()
                .find(|&length| self.held.as_bytes().ends_with(&stop.as_bytes()[..length]))
                // A common prefix of bytes may end inside a character of `held`; then hold the whole of it.
                .map_or(0, |length| self.held.len() - self.held.floor_char_boundary(self.held.len() - length))
        };
        self.stops.iter().map(begins).max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds `text` in every pair of cuts and expects the same answer whatever the token borders.
    fn check(stops: &[&str], text: &str, shown: &str, stopped: bool) {
        let bytes = text.as_bytes();
        for first in 0..=bytes.len() {
            for second in first..=bytes.len() {
                let mut out = Text::new(stops.iter().map(ToString::to_string).collect());
                let (mut seen, mut ended) = (String::new(), false);
                for piece in [&bytes[..first], &bytes[first..second], &bytes[second..]] {
                    if !ended {
                        let step = out.push(piece);
                        seen.push_str(&step.text);
                        ended = step.stopped;
                    }
                }
                if !ended {
                    seen.push_str(&out.finish());
                }
                assert_eq!((seen.as_str(), ended), (shown, stopped), "{text:?} cut at {first}, {second}");
            }
        }
    }

    #[test]
    fn characters_and_stops_survive_every_token_border() {
        check(&[], "a\u{1F600}b\u{e9}", "a\u{1F600}b\u{e9}", false);
        check(&["```"], "x = 1\n```\nmore", "x = 1\n", true);
        check(&["```"], "a `` b", "a `` b", false);
        check(&["END"], "ENEND", "EN", true);
        check(&["\n\n", "def "], "one\ndef two", "one\n", true);
        check(&["\u{1F600}!"], "ok \u{1F600}? \u{1F600}!x", "ok \u{1F600}? ", true);
    }

    #[test]
    fn a_possible_stop_is_held_back() {
        let mut out = Text::new(vec!["STOP".into()]);
        assert_eq!(out.push(b"go ST"), Shown { text: "go ".into(), stopped: false });
        assert_eq!(out.push(b"EP"), Shown { text: "STEP".into(), stopped: false });
    }

    #[test]
    fn wrong_bytes_become_replacement_characters() {
        let mut out = Text::new(Vec::new());
        assert_eq!(out.push(b"a\xffb\xe2\x82").text, "a\u{fffd}b");
        assert_eq!(out.finish(), "\u{fffd}");
    }
}
