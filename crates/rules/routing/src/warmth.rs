//! Which place has read the beginning of a conversation already: asked again, it answers without reading it anew.

use std::collections::BTreeMap;

use edgecoder_base::{BlobHash, Timestamp};

use crate::PlaceId;

/// Conversations remembered: more than a person has open, and some 100 KiB.
const MAX_CONVERSATIONS: usize = 1024;

/// The beginning of a conversation, by its hash: what stays the same from turn to turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prefix(BlobHash);

impl Prefix {
    /// Of the bytes that stay the same.
    pub fn of(bytes: &[u8]) -> Self {
        Self(BlobHash::of(bytes))
    }
}

/// Who answered which conversation last.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Warmth {
    last: BTreeMap<Prefix, (Timestamp, PlaceId)>,
}

impl Warmth {
    /// Remembers that `place` read `prefix`. The conversation that rested longest is forgotten for it.
    pub fn read(&mut self, prefix: Prefix, place: PlaceId, now: Timestamp) {
        self.last.insert(prefix, (now, place));
        if self.last.len() > MAX_CONVERSATIONS {
            let oldest = self.last.iter().min_by_key(|(_, (at, _))| *at).map(|(prefix, _)| *prefix);
            oldest.map(|prefix| self.last.remove(&prefix));
        }
    }

    /// Who read it last.
    pub fn of(&self, prefix: Prefix) -> Option<&PlaceId> {
        self.last.get(&prefix).map(|(_, place)| place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_conversation_that_rested_longest_is_forgotten() {
        let mut warmth = Warmth::default();
        let place = |n: u32| PlaceId(n.to_string());
        let prefix = |n: u32| Prefix::of(&n.to_le_bytes());
        let conversations = u32::try_from(MAX_CONVERSATIONS).unwrap();
        for n in 0..conversations {
            warmth.read(prefix(n), place(n), Timestamp::from_millis(i64::from(n)));
        }
        warmth.read(prefix(0), place(7), Timestamp::from_millis(5_000));
        warmth.read(prefix(conversations), place(8), Timestamp::from_millis(5_001));
        assert_eq!(warmth.of(prefix(0)), Some(&place(7)));
        assert_eq!(warmth.of(prefix(1)), None);
        assert_eq!(warmth.of(prefix(2)), Some(&place(2)));
        assert_eq!(warmth.last.len(), MAX_CONVERSATIONS);
    }
}
