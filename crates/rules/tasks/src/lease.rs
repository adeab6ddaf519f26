//! Leases: exclusive right to an attempt until a deadline. The epoch is the fencing token: it grows with
//! every lease, and whoever speaks with an old one is refused.

use edgecoder_base::{NodeId, Timestamp};

use crate::attempt::{Attempt, AttemptState};
use crate::{Refusal, limits};

impl Attempt {
    /// Grants a lease.
    pub(crate) fn lease(&mut self, worker: &NodeId, now: Timestamp) -> Result<(), Refusal> {
        if self.state != AttemptState::Queued || self.not_before > now {
            return Err(Refusal::NotLeasable(self.state));
        }
        self.state = AttemptState::Leased;
        self.epoch += 1;
        self.worker = Some(worker.clone());
        self.lease_until = Some(now.after(limits::LEASE));
        self.started_at.get_or_insert(now);
        Ok(())
    }

    /// Whether `worker` holds this attempt under `epoch` at `now`.
    pub(crate) fn held_by(&self, worker: &NodeId, epoch: u64) -> Result<(), Refusal> {
        if self.state != AttemptState::Leased {
            return Err(Refusal::LeaseLost("the attempt is not leased any more"));
        }
        if self.epoch != epoch {
            return Err(Refusal::LeaseLost("it was leased again under a newer epoch"));
        }
        if self.worker.as_ref() != Some(worker) {
            return Err(Refusal::LeaseLost("another worker holds it"));
        }
        Ok(())
    }

    /// Moves the deadline. Renewal of a lease that is past its deadline but not yet taken away is allowed:
    /// nobody else was promised it.
    pub(crate) fn renew(&mut self, now: Timestamp) {
        self.lease_until = Some(now.after(limits::LEASE));
    }

    /// Puts a leased attempt back into the queue, or to the dead letters after too many tries.
    pub(crate) fn requeue(&mut self, now: Timestamp, counts_as_try: bool) {
        self.lease_until = None;
        self.worker = None;
        if counts_as_try {
            self.tries += 1;
        }
        if self.tries >= limits::MAX_TRIES {
            self.state = AttemptState::Dead;
            self.ended_at = Some(now);
            return;
        }
        let doubled = limits::BACKOFF.saturating_mul(1 << self.tries.saturating_sub(1).min(16));
        let pause = if counts_as_try { doubled.min(limits::MAX_BACKOFF) } else { std::time::Duration::ZERO };
        self.state = AttemptState::Queued;
        self.not_before = now.after(pause);
    }
}
