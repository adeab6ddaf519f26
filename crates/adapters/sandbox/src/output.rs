//! Keeps the beginning and the end of an endless stream in bounded memory.

use std::collections::VecDeque;
use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::execution::{FLOOD_FACTOR, Output};

/// Read size: one full pipe.
const CHUNK: usize = 64 * 1024;

/// The beginning and the end of a stream, as far as they were kept.
pub(crate) struct Keeper {
    head: Vec<u8>,
    tail: VecDeque<u8>,
    total: u64,
    head_room: usize,
    tail_room: usize,
}

impl Keeper {
    pub(crate) fn new(limit: usize) -> Self {
        let head_room = limit / 2;
        Self { head: Vec::new(), tail: VecDeque::new(), total: 0, head_room, tail_room: limit - head_room }
    }

    pub(crate) fn take(&mut self, bytes: &[u8]) {
        self.total = self.total.saturating_add(bytes.len() as u64);
        let (first, rest) = bytes.split_at(bytes.len().min(self.head_room - self.head.len()));
        self.head.extend_from_slice(first);
        let rest = &rest[rest.len().saturating_sub(self.tail_room)..];
        let over = (self.tail.len() + rest.len()).saturating_sub(self.tail_room);
        self.tail.drain(..over);
        self.tail.extend(rest);
    }

    pub(crate) fn finish(self) -> Output {
        Output { head: self.head, tail: self.tail.into(), total: self.total }
    }
}

/// Reads `stream` to its end, keeping `limit` bytes; rings `flood` once when it will not end. Goes on
/// draining then: a payload that blocks on a full pipe cannot be told from one that hangs. `leave` ends it
/// with what there is, for streams that an escaped process holds open.
pub(crate) async fn drain(
    mut stream: impl AsyncRead + Unpin,
    limit: usize,
    flood: &Notify,
    leave: &CancellationToken,
) -> io::Result<Output> {
    let mut keeper = Keeper::new(limit);
    let ceiling = (limit as u64).saturating_mul(FLOOD_FACTOR);
    let mut buffer = vec![0; CHUNK];
    loop {
        let count = tokio::select! {
            biased;
            count = stream.read(&mut buffer) => count?,
            () = leave.cancelled() => 0,
        };
        if count == 0 {
            return Ok(keeper.finish());
        }
        let before = keeper.total;
        keeper.take(&buffer[..count]);
        if before <= ceiling && keeper.total > ceiling {
            flood.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(limit: usize, chunks: &[&str], head: &str, tail: &str) {
        let mut keeper = Keeper::new(limit);
        for chunk in chunks {
            keeper.take(chunk.as_bytes());
        }
        let total = chunks.concat().len() as u64;
        let expected = Output { head: head.into(), tail: tail.into(), total };
        assert_eq!(keeper.finish(), expected);
    }

    #[test]
    fn the_beginning_and_the_end_are_kept() {
        check(8, &[], "", "");
        check(8, &["abc"], "abc", "");
        check(8, &["abcdefgh"], "abcd", "efgh");
        check(8, &["abcdefghi"], "abcd", "fghi");
        check(8, &["a", "bcdef", "ghijklmnop", "q"], "abcd", "nopq");
        check(0, &["abc"], "", "");
    }
}
