//! Nonces that were spent and are not on disk yet. A nonce has to be durable before what it allowed, not before
//! its caller may go on: it is written with the next commit, which no command of its request can precede.
//! Only for a database that one process writes; others could not see what waits here.

use std::collections::BTreeMap;

use edgecoder_base::{NodeId, Timestamp};

use crate::Error;
use crate::backend::Backend;

/// Nonces that may wait. More wait only while commits fail, and then requests must fail too.
const MAX_WAITING: usize = 4_096;

/// Spent, and not written yet.
#[derive(Debug, Default)]
pub(crate) struct Nonces {
    waiting: BTreeMap<(NodeId, String), Timestamp>,
    now: Timestamp,
}

impl Nonces {
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(crate) fn has_room(&self) -> bool {
        self.waiting.len() < MAX_WAITING
    }

    /// Spends a nonce; false when it was known.
    pub(crate) async fn spend<B: Backend>(
        &mut self,
        backend: &mut B,
        name: (NodeId, String),
        now: Timestamp,
        expires: Timestamp,
    ) -> Result<bool, Error> {
        self.now = self.now.max(now);
        if self.waiting.get(&name).is_some_and(|until| *until >= now)
            || backend.knows_nonce(&name.0, &name.1, now).await?
        {
            return Ok(false);
        }
        self.waiting.insert(name, expires);
        Ok(true)
    }

    /// Writes what waits into the transaction that is open.
    pub(crate) async fn write<B: Backend>(&self, backend: &mut B) -> Result<(), Error> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        backend.prune_nonces(self.now).await?;
        for ((source, nonce), expires) in &self.waiting {
            backend.spend_nonce(source, nonce, *expires).await?;
        }
        Ok(())
    }

    /// What was written is durable.
    pub(crate) fn written(&mut self) {
        self.waiting.clear();
    }
}
