//! Lines out of chunks: networks cut anywhere, also inside a character.

use crate::Error;
use crate::frame::MAX_LINE_BYTES;

/// Collects bytes until a line is whole.
#[derive(Debug, Default)]
pub(crate) struct LineSplitter {
    pending: Vec<u8>,
}

impl LineSplitter {
    /// Takes a chunk; answers the lines it completed, without their ends (`\n` or `\r\n`).
    pub(crate) fn push(&mut self, chunk: &[u8]) -> Result<Vec<String>, Error> {
        let mut lines = Vec::new();
        for part in chunk.split_inclusive(|&byte| byte == b'\n') {
            self.pending.extend_from_slice(part);
            if part.ends_with(b"\n") {
                self.pending.pop();
                lines.push(self.take()?);
            } else if self.pending.len() > MAX_LINE_BYTES {
                return Err(Error::protocol(format!("a line is longer than {MAX_LINE_BYTES} bytes")));
            }
        }
        Ok(lines)
    }

    /// What came after the last line end, if anything.
    pub(crate) fn rest(&mut self) -> Result<Option<String>, Error> {
        if self.pending.is_empty() { Ok(None) } else { self.take().map(Some) }
    }

    fn take(&mut self) -> Result<String, Error> {
        let mut line = std::mem::take(&mut self.pending);
        if line.ends_with(b"\r") {
            line.pop();
        }
        String::from_utf8(line).map_err(|_| Error::protocol("a line is not UTF-8"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hole_37_lines_survive_every_cut() {
        let bytes = "a\u{1F600}\r\n\n{\"b\":1}\nrest".as_bytes();
        for first in 0..=bytes.len() {
            for second in first..=bytes.len() {
                let mut splitter = LineSplitter::default();
                let mut lines = Vec::new();
                for chunk in [&bytes[..first], &bytes[first..second], &bytes[second..]] {
                    lines.extend(splitter.push(chunk).unwrap());
                }
                lines.extend(splitter.rest().unwrap());
                assert_eq!(lines, ["a\u{1F600}", "", "{\"b\":1}", "rest"], "cut at {first}, {second}");
            }
        }
    }

    #[test]
    fn a_line_without_end_is_refused() {
        let mut splitter = LineSplitter::default();
        assert!(splitter.push(&vec![b'x'; MAX_LINE_BYTES + 1]).is_err());
        assert!(LineSplitter::default().push(b"\xff\n").is_err());
    }
}
