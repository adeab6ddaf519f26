//! How waiting readers learn that something was committed: hints only, a look at the store is the truth.

use tokio::sync::{Notify, watch};

/// The state of the store as last committed by this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pulse {
    /// Height of this coordinator's ledger.
    pub sequence: u64,
    /// Commits so far.
    pub commits: u64,
}

/// Wakes those who wait for work: one waiter for each new row, everybody when the one woken could not take it.
#[derive(Debug)]
pub struct Doorbell {
    one: Notify,
    everybody: watch::Sender<u64>,
}

impl Default for Doorbell {
    fn default() -> Self {
        Self { one: Notify::new(), everybody: watch::Sender::new(0) }
    }
}

impl Doorbell {
    /// Wakes one waiter for each of `rows` new rows.
    pub fn ring(&self, rows: usize) {
        // Waking more than are waiting is harmless; more than this would only be wasted looks.
        for _ in 0..rows.min(64) {
            self.one.notify_one();
        }
    }

    /// Wakes everybody once: for rows that the waiter woken first may not take.
    pub fn ring_everybody(&self) {
        self.everybody.send_modify(|rings| *rings += 1);
    }

    /// The ring for one waiter. Enable it before looking at the store, so that no ring is missed.
    pub fn one(&self) -> tokio::sync::futures::Notified<'_> {
        self.one.notified()
    }

    /// The ring for everybody.
    pub fn everybody(&self) -> watch::Receiver<u64> {
        self.everybody.subscribe()
    }
}
