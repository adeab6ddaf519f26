//! Actions that wait for a person: each by a name that holds a random part and the hash of what was shown, each decided
//! once, each given up by its own session only.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::oneshot;

/// Actions that wait at once in one process; a session has one.
const MOST: usize = 256;

/// Every action that waits.
#[derive(Debug, Clone, Default)]
pub(crate) struct Approvals {
    waiting: Arc<Mutex<BTreeMap<String, oneshot::Sender<bool>>>>,
}

/// How it went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decision {
    Approved,
    Rejected,
    TimedOut,
}

/// One that waits. Dropping it takes it, and only it, back.
#[derive(Debug)]
pub(crate) struct Pending {
    approvals: Approvals,
    id: String,
    answer: oneshot::Receiver<bool>,
}

impl Approvals {
    /// Lets the action of that name wait; none if there are too many already.
    pub(crate) fn wait(&self, id: &str) -> Option<Pending> {
        let (sender, answer) = oneshot::channel();
        let mut waiting = self.waiting.lock();
        if waiting.len() >= MOST || waiting.contains_key(id) {
            return None;
        }
        waiting.insert(id.to_owned(), sender);
        Some(Pending { approvals: self.clone(), id: id.to_owned(), answer })
    }

    /// Decides; false if nothing of that name waits: never shown, decided before, or given up.
    pub(crate) fn decide(&self, id: &str, approved: bool) -> bool {
        let Some(sender) = self.waiting.lock().remove(id) else { return false };
        sender.send(approved).is_ok()
    }

    /// Names of those that wait.
    pub(crate) fn names(&self) -> Vec<String> {
        self.waiting.lock().keys().cloned().collect()
    }
}

impl Pending {
    /// What the person says, or that nobody said anything in time.
    pub(crate) async fn decided(mut self, within: Duration) -> Decision {
        match tokio::time::timeout(within, &mut self.answer).await {
            Ok(Ok(true)) => Decision::Approved,
            Ok(Ok(false) | Err(_)) => Decision::Rejected,
            Err(_elapsed) => Decision::TimedOut,
        }
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.approvals.waiting.lock().remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(300);

    #[tokio::test]
    async fn hole_07_an_approval_holds_for_one_action_and_once() {
        let approvals = Approvals::default();
        let (one, other) = (approvals.wait("a-1").unwrap(), approvals.wait("b-2").unwrap());
        for forged in ["a", "a-", "a-2", "b-1", ""] {
            assert!(!approvals.decide(forged, true), "{forged}");
        }
        assert!(approvals.decide("a-1", true));
        assert!(!approvals.decide("a-1", true), "a replayed approval approves nothing");
        assert_eq!(one.decided(LONG).await, Decision::Approved);
        assert!(approvals.decide("b-2", false));
        assert_eq!(other.decided(LONG).await, Decision::Rejected);
    }

    #[tokio::test]
    async fn hole_07_who_leaves_takes_back_only_its_own() {
        let approvals = Approvals::default();
        let (one, other) = (approvals.wait("a").unwrap(), approvals.wait("b").unwrap());
        drop(one);
        assert_eq!(approvals.names(), ["b"]);
        assert!(!approvals.decide("a", true));
        assert!(approvals.decide("b", true));
        assert_eq!(other.decided(LONG).await, Decision::Approved);
    }

    #[tokio::test(start_paused = true)]
    async fn hole_07_what_nobody_decides_is_rejected_in_time() {
        let approvals = Approvals::default();
        let pending = approvals.wait("a").unwrap();
        assert_eq!(pending.decided(LONG).await, Decision::TimedOut);
        assert!(!approvals.decide("a", true));
    }
}
