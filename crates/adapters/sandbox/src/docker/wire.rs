//! What node and box say to each other over the container's attached streams.

use std::io::{self, Read};

use edgecoder_base::Level;
use serde::{Deserialize, Serialize};

use crate::launch::LaunchSpec;

/// Longest path of an entry, the kernel's own bound.
const MAX_PATH_BYTES: u32 = 4096;
/// Longest launch: a command and its environment.
const MAX_LAUNCH_BYTES: u32 = 4 * 1024 * 1024;
/// Longest last word, besides the bytes of artefacts: the names of a thousand.
pub(super) const MAX_OUTCOME_BYTES: u64 = 4 * 1024 * 1024;

/// What the box is told first; the entries of the tree follow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BoxLaunch {
    /// As for our own launcher, without a tree and tool chains: the image has those.
    pub(super) launch: LaunchSpec,
    /// Output beyond this ends the run.
    pub(super) flood_bytes: u64,
    /// What the container amounts to when memory and processes are bounded.
    pub(super) level: Level,
}

/// Four bytes of length, and JSON of that length.
pub(super) fn announce(launch: &BoxLaunch) -> io::Result<Vec<u8>> {
    let text = serde_json::to_vec(launch)?;
    let length = u32::try_from(text.len()).ok().filter(|&length| length <= MAX_LAUNCH_BYTES);
    let length =
        length.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "the launch is too long"))?;
    Ok([&length.to_le_bytes()[..], &text].concat())
}

/// The other end of [`announce`].
pub(super) fn hear(from: &mut impl Read) -> io::Result<BoxLaunch> {
    let length = read_u32(from)?;
    if length > MAX_LAUNCH_BYTES {
        return Err(nonsense("the launch is too long"));
    }
    Ok(serde_json::from_slice(&read_exactly(from, length)?)?)
}

/// What an entry of the tree is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// There are no more.
    End = 0,
    Folder = 1,
    File = 2,
    /// Its content is where it leads.
    Link = 3,
}

/// One entry; `size` bytes of content follow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) kind: Kind,
    /// Permission bits.
    pub(super) mode: u16,
    /// Below `/job`.
    pub(super) path: Vec<u8>,
    pub(super) size: u64,
}

impl Entry {
    pub(super) fn end() -> Self {
        Self { kind: Kind::End, mode: 0, path: Vec::new(), size: 0 }
    }

    pub(super) fn head(&self) -> Vec<u8> {
        // A path is bounded by the system it comes from.
        let length = u32::try_from(self.path.len()).unwrap_or(u32::MAX);
        let mut head = vec![self.kind as u8];
        head.extend_from_slice(&self.mode.to_le_bytes());
        head.extend_from_slice(&length.to_le_bytes());
        head.extend_from_slice(&self.path);
        head.extend_from_slice(&self.size.to_le_bytes());
        head
    }

    pub(super) fn read(from: &mut impl Read) -> io::Result<Self> {
        let mut start = [0; 3];
        from.read_exact(&mut start)?;
        let kind = match start[0] {
            0 => Kind::End,
            1 => Kind::Folder,
            2 => Kind::File,
            3 => Kind::Link,
            _ => return Err(nonsense("an entry of no kind")),
        };
        let length = read_u32(from)?;
        if length > MAX_PATH_BYTES {
            return Err(nonsense("a path is too long"));
        }
        let path = read_exactly(from, length)?;
        let mut size = [0; 8];
        from.read_exact(&mut size)?;
        let mode = u16::from_le_bytes([start[1], start[2]]);
        Ok(Self { kind, mode, path, size: u64::from_le_bytes(size) })
    }
}

/// Which of its streams a frame of the box belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Channel {
    Stdout = 1,
    Stderr = 2,
    /// The last word: the outcome and the bytes of the artefacts.
    Outcome = 3,
}

/// The start of a frame of `length` bytes.
pub(super) fn frame_head(channel: Channel, length: u32) -> [u8; 5] {
    let [a, b, c, d] = length.to_le_bytes();
    [channel as u8, a, b, c, d]
}

/// Takes frames apart that come in pieces of any size.
#[derive(Debug, Default)]
pub(super) struct Frames {
    head: Vec<u8>,
    current: Option<(Channel, u32)>,
}

impl Frames {
    /// Gives every piece of content in `bytes` to `take`.
    pub(super) fn push(&mut self, mut bytes: &[u8], mut take: impl FnMut(Channel, &[u8])) -> io::Result<()> {
        while !bytes.is_empty() {
            let (channel, left) = match self.current {
                Some(current) => current,
                None => {
                    let missing = 5 - self.head.len();
                    let (now, later) = bytes.split_at(missing.min(bytes.len()));
                    self.head.extend_from_slice(now);
                    bytes = later;
                    let Ok(head) = <[u8; 5]>::try_from(self.head.as_slice()) else { return Ok(()) };
                    self.head.clear();
                    (channel_of(head[0])?, u32::from_le_bytes([head[1], head[2], head[3], head[4]]))
                }
            };
            let here = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
            let (now, later) = bytes.split_at(here);
            take(channel, now);
            bytes = later;
            let left = left - u32::try_from(here).unwrap_or(left);
            self.current = (left > 0).then_some((channel, left));
        }
        Ok(())
    }
}

fn channel_of(number: u8) -> io::Result<Channel> {
    [Channel::Stdout, Channel::Stderr, Channel::Outcome]
        .into_iter()
        .find(|&channel| channel as u8 == number)
        .ok_or_else(|| nonsense("a frame of no channel"))
}

fn nonsense(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

fn read_u32(from: &mut impl Read) -> io::Result<u32> {
    let mut bytes = [0; 4];
    from.read_exact(&mut bytes)?;
    Ok(u32::from_le_bytes(bytes))
}

/// Only for lengths that were bounded before.
fn read_exactly(from: &mut impl Read, length: u32) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(length).map_err(io::Error::other)?];
    from.read_exact(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(channel: Channel, content: &str) -> Vec<u8> {
        let length = u32::try_from(content.len()).unwrap();
        [&frame_head(channel, length)[..], content.as_bytes()].concat()
    }

    #[test]
    fn frames_survive_being_cut_anywhere() {
        let whole = [
            frame(Channel::Stdout, "out"),
            frame(Channel::Stderr, ""),
            frame(Channel::Outcome, "{}"),
            frame(Channel::Stdout, "put"),
        ]
        .concat();
        for size in 1..=whole.len() {
            let (mut frames, mut stdout, mut outcome) = (Frames::default(), Vec::new(), Vec::new());
            for piece in whole.chunks(size) {
                let take = |channel, bytes: &[u8]| match channel {
                    Channel::Stdout => stdout.extend_from_slice(bytes),
                    Channel::Outcome => outcome.extend_from_slice(bytes),
                    Channel::Stderr => assert!(bytes.is_empty()),
                };
                frames.push(piece, take).unwrap();
            }
            assert_eq!((stdout.as_slice(), outcome.as_slice()), (&b"output"[..], &b"{}"[..]), "{size}");
        }
        assert!(Frames::default().push(&[9, 0, 0, 0, 0, 1], |_, _| {}).is_err());
    }

    #[track_caller]
    fn check(bytes: &[u8], expected: Option<Entry>) {
        assert_eq!(Entry::read(&mut &*bytes).ok(), expected);
    }

    #[test]
    fn entries_are_read_as_written_or_refused() {
        let entry = Entry { kind: Kind::File, mode: 0o755, path: b"a/b".into(), size: 1 << 40 };
        check(&entry.head(), Some(entry.clone()));
        check(&Entry::end().head(), Some(Entry::end()));
        check(&entry.head()[..9], None);
        check(&[4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], None);
        check(&[2, 0, 0, 0xff, 0xff, 0xff, 0xff], None);
    }
}
