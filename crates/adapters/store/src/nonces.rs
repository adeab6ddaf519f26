//! Nonces of a database that one process writes: known by heart, and on disk for the next process. A nonce has to
//! be durable before what it allowed, not before its caller may go on: it is written with the next commit, which no
//! command of its request can precede. With others writing too, the table itself is asked.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use edgecoder_base::{NodeId, Timestamp};

use crate::Error;
use crate::backend::Backend;

/// Nonces that may wait. More wait only while commits fail, and then requests must fail too.
const MAX_WAITING: usize = 4_096;
/// Expired ones are not looked for among fewer.
const MIN_SWEEP: usize = 1_024;

/// What was spent, and what of it is not written yet.
#[derive(Debug, Default)]
pub(crate) struct Nonces {
    waiting: Vec<(NodeId, String, Timestamp)>,
    /// Until when each is remembered, by a hash of source and nonce under a key drawn at the start: 64 bits, because
    /// memory is a promise, and two that share a hash only cost a caller another try.
    known: HashMap<u64, Timestamp>,
    hashed: RandomState,
    /// Look for expired ones when there are so many.
    sweep_at: usize,
    now: Timestamp,
}

impl Nonces {
    /// Knows what an earlier process left.
    pub(crate) fn read(left: Vec<(NodeId, String, Timestamp)>) -> Self {
        let mut nonces = Self { sweep_at: MIN_SWEEP.max(2 * left.len()), ..Self::default() };
        for (source, nonce, expires) in left {
            nonces.know(&source, &nonce, expires);
        }
        nonces
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(crate) fn has_room(&self) -> bool {
        self.waiting.len() < MAX_WAITING
    }

    /// Spends a nonce; false when it was known.
    pub(crate) fn spend(
        &mut self,
        source: NodeId,
        nonce: String,
        now: Timestamp,
        expires: Timestamp,
    ) -> bool {
        self.now = self.now.max(now);
        let name = self.hashed.hash_one((&source, &nonce));
        if self.known.get(&name).is_some_and(|until| *until >= now) {
            return false;
        }
        self.know(&source, &nonce, expires);
        self.waiting.push((source, nonce, expires));
        true
    }

    fn know(&mut self, source: &NodeId, nonce: &String, expires: Timestamp) {
        if self.known.len() >= self.sweep_at {
            let now = self.now;
            self.known.retain(|_, until| *until >= now);
            self.sweep_at = MIN_SWEEP.max(2 * self.known.len());
        }
        let until = self.known.entry(self.hashed.hash_one((source, nonce))).or_insert(expires);
        *until = expires.max(*until);
    }

    /// Writes what waits into the transaction that is open.
    pub(crate) async fn write<B: Backend>(&self, backend: &mut B) -> Result<(), Error> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        backend.prune_nonces(self.now).await?;
        for (source, nonce, expires) in &self.waiting {
            backend.spend_nonce(source, nonce, *expires).await?;
        }
        Ok(())
    }

    /// What was written is durable.
    pub(crate) fn written(&mut self) {
        self.waiting.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millis(ms)
    }

    #[test]
    fn what_was_left_is_known_until_it_expires() {
        let source: NodeId = "a".parse().unwrap();
        let mut nonces = Nonces::read(vec![(source.clone(), "n".into(), at(1_000))]);
        assert!(!nonces.spend(source.clone(), "n".into(), at(1_000), at(2_000)));
        assert!(nonces.spend(source.clone(), "n".into(), at(1_001), at(2_001)));
        assert!(!nonces.spend(source, "n".into(), at(2_001), at(3_001)));
    }

    #[test]
    fn expired_nonces_do_not_pile_up() {
        let source: NodeId = "a".parse().unwrap();
        let mut nonces = Nonces::default();
        for ms in 0..100_000 {
            assert!(nonces.spend(source.clone(), ms.to_string(), at(ms), at(ms + 100)));
            nonces.written();
        }
        assert!(nonces.known.len() <= MIN_SWEEP, "{}", nonces.known.len());
    }
}
