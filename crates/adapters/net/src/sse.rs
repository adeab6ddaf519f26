//! Server-sent events from bytes that may be cut anywhere, also inside a character or between `\r` and `\n`.

/// Longest single event: one ledger payload with its framing.
const MAX_EVENT_BYTES: usize = 1024 * 1024;

/// One dispatched event.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SseEvent {
    /// The last `id:` seen, of this event or an earlier one.
    pub id: Option<String>,
    /// The `event:` name; empty means `message`.
    pub event: String,
    /// The `data:` lines, joined by newlines.
    pub data: String,
}

/// An event longer than any of ours: the other side is not what we think.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a server-sent event is longer than {MAX_EVENT_BYTES} bytes")]
pub struct EventTooLong;

/// Collects bytes and gives out events.
#[derive(Debug, Default)]
pub struct SseSplitter {
    line: Vec<u8>,
    after_return: bool,
    id: Option<String>,
    event: String,
    data: String,
    has_data: bool,
}

impl SseSplitter {
    /// Takes the next bytes and returns the events that are complete by them.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Vec<SseEvent>, EventTooLong> {
        let mut events = Vec::new();
        for &byte in bytes {
            let follows_return = std::mem::replace(&mut self.after_return, byte == b'\r');
            match byte {
                b'\n' if follows_return => {}
                b'\n' | b'\r' => events.extend(self.end_line()),
                _ => self.line.push(byte),
            }
            if self.line.len() + self.data.len() > MAX_EVENT_BYTES {
                return Err(EventTooLong);
            }
        }
        Ok(events)
    }

    fn end_line(&mut self) -> Option<SseEvent> {
        let line = String::from_utf8_lossy(&std::mem::take(&mut self.line)).into_owned();
        if line.is_empty() {
            return self.dispatch();
        }
        let (field, value) = line.split_once(':').unwrap_or((&line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "id" if !value.contains('\0') => self.id = Some(value.to_owned()),
            "event" => value.clone_into(&mut self.event),
            "data" => {
                if self.has_data {
                    self.data.push('\n');
                }
                self.has_data = true;
                self.data.push_str(value);
            }
            _ => {} // comments (empty field) and fields of the future are to be ignored, says the standard
        }
        None
    }

    fn dispatch(&mut self) -> Option<SseEvent> {
        let event = std::mem::take(&mut self.event);
        let data = std::mem::take(&mut self.data);
        std::mem::take(&mut self.has_data).then(|| SseEvent { id: self.id.clone(), event, data })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(id: Option<&str>, event: &str, data: &str) -> SseEvent {
        SseEvent { id: id.map(str::to_owned), event: event.into(), data: data.into() }
    }

    /// The same events come out wherever the bytes are cut once, and when they come one at a time.
    fn check(bytes: &[u8], expected: &[SseEvent]) {
        for cut in 0..=bytes.len() {
            let mut splitter = SseSplitter::default();
            let mut events = splitter.push(&bytes[..cut]).unwrap();
            events.extend(splitter.push(&bytes[cut..]).unwrap());
            assert_eq!(events, expected, "cut at {cut} of {:?}", String::from_utf8_lossy(bytes));
        }
        let mut splitter = SseSplitter::default();
        let single: Vec<_> = bytes.iter().flat_map(|byte| splitter.push(&[*byte]).unwrap()).collect();
        assert_eq!(single, expected);
    }

    #[test]
    fn events_do_not_depend_on_where_the_bytes_are_cut() {
        let two = [event(Some("1"), "leased", "{\"a\":\"é\"}"), event(Some("1"), "", "x\ny")];
        check("id: 1\nevent: leased\ndata: {\"a\":\"é\"}\n\ndata: x\ndata: y\n\n".as_bytes(), &two);
        check(
            "id: 1\r\nevent: leased\r\ndata: {\"a\":\"é\"}\r\n\r\ndata: x\r\ndata: y\r\n\r\n".as_bytes(),
            &two,
        );
        check("id:1\revent:leased\rdata:{\"a\":\"é\"}\r\rdata:x\rdata:y\r\r".as_bytes(), &two);
    }

    #[test]
    fn comments_and_unfinished_events_are_nothing() {
        check(b": keep-alive\n\n", &[]);
        check(b"event: a\n\n", &[]);
        check(b"data: unfinished\n", &[]);
        check(b"retry: 5\ndata\n\n", &[event(None, "", "")]);
    }

    #[test]
    fn an_endless_event_is_refused() {
        let mut splitter = SseSplitter::default();
        assert_eq!(splitter.push(&vec![b'x'; MAX_EVENT_BYTES + 1]), Err(EventTooLong));
    }
}
