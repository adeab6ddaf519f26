//! Server-sent events out of chunks, cut anywhere.

use crate::Error;
use crate::lines::LineSplitter;

/// Collects `data:` lines until the blank line that ends a message.
#[derive(Debug, Default)]
pub(super) struct SseSplitter {
    lines: LineSplitter,
    data: Option<String>,
}

impl SseSplitter {
    /// Takes a chunk; answers the data of the messages it completed.
    pub(super) fn push(&mut self, chunk: &[u8]) -> Result<Vec<String>, Error> {
        let lines = self.lines.push(chunk)?;
        Ok(lines.iter().filter_map(|line| self.take(line)).collect())
    }

    /// The last message of a server that forgot the blank line.
    pub(super) fn rest(&mut self) -> Result<Option<String>, Error> {
        if let Some(line) = self.lines.rest()? {
            self.take(&line);
        }
        Ok(self.data.take())
    }

    fn take(&mut self, line: &str) -> Option<String> {
        if line.is_empty() {
            return self.data.take();
        }
        // Comments, `event:`, `id:` and `retry:` carry nothing for us.
        if let Some(value) = line.strip_prefix("data:") {
            let value = value.strip_prefix(' ').unwrap_or(value);
            match &mut self.data {
                Some(data) => {
                    data.push('\n');
                    data.push_str(value);
                }
                None => self.data = Some(value.to_owned()),
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_survive_every_cut() {
        let bytes =
            ": hi\r\n\r\nevent: x\r\ndata: {\"a\":\"\u{1F600}\"}\r\n\r\ndata:one\ndata: two\n\ndata: [DONE]"
                .as_bytes();
        for first in 0..=bytes.len() {
            for second in first..=bytes.len() {
                let mut splitter = SseSplitter::default();
                let mut messages = Vec::new();
                for chunk in [&bytes[..first], &bytes[first..second], &bytes[second..]] {
                    messages.extend(splitter.push(chunk).unwrap());
                }
                messages.extend(splitter.rest().unwrap());
                assert_eq!(
                    messages,
                    ["{\"a\":\"\u{1F600}\"}", "one\ntwo", "[DONE]"],
                    "cut at {first}, {second}"
                );
            }
        }
    }
}
