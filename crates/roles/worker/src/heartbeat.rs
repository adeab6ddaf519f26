//! The worker's pulse: renews the leases of what runs, tells how far it is, and learns what must stop. The call
//! waits at the coordinator, so a cancellation arrives at once and an idle worker is quiet.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use edgecoder_base::{AttemptId, NodeId};
use edgecoder_protocol::WorkSource;
use edgecoder_protocol::api::agents::{HeartbeatRequest, HeldLease};
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// Longest wait of one call: a third of a lease.
const WAIT: Duration = Duration::from_secs(10);
/// Between two calls at least, when only progress changed.
const PROGRESS: Duration = Duration::from_millis(500);
/// Between two calls at least, when only the number of tokens grew: each call is a write of the origin.
const COUNTING: Duration = Duration::from_secs(2);
/// After a failed call.
const RETRY: Duration = Duration::from_secs(1);

/// What one running attempt tells its pulse.
#[derive(Debug, Default)]
pub(crate) struct Beat {
    phase: Mutex<Option<String>>,
    deltas: AtomicU64,
    news: Arc<Notify>,
}

impl Beat {
    pub(crate) fn phase(&self, phase: &str) {
        let mut current = self.phase.lock();
        if current.as_deref() != Some(phase) {
            *current = Some(phase.to_owned());
            self.news.notify_one();
        }
    }

    /// A piece of text came from the model: about one token.
    pub(crate) fn wrote_some(&self) {
        self.deltas.fetch_add(1, Ordering::Relaxed);
    }
}

#[derive(Debug)]
struct Running {
    epoch: u64,
    beat: Arc<Beat>,
    stop: CancellationToken,
}

/// All attempts that run in this worker.
#[derive(Debug, Clone, Default)]
pub(crate) struct Leases {
    running: Arc<Mutex<BTreeMap<AttemptId, Running>>>,
    changed: Arc<Notify>,
    progress: Arc<Notify>,
}

/// One entry, gone when dropped.
#[derive(Debug)]
pub(crate) struct Lease {
    leases: Leases,
    attempt: AttemptId,
    pub(crate) beat: Arc<Beat>,
    pub(crate) stop: CancellationToken,
}

impl Leases {
    /// Starts renewing a lease.
    pub(crate) fn hold(&self, attempt: &AttemptId, epoch: u64, stop: CancellationToken) -> Lease {
        let beat = Arc::new(Beat { news: Arc::clone(&self.progress), ..Beat::default() });
        let running = Running { epoch, beat: Arc::clone(&beat), stop: stop.clone() };
        self.running.lock().insert(attempt.clone(), running);
        self.changed.notify_one();
        Lease { leases: self.clone(), attempt: attempt.clone(), beat, stop }
    }

    fn held(&self) -> Vec<HeldLease> {
        let held = |(attempt, running): (&AttemptId, &Running)| HeldLease {
            attempt: attempt.clone(),
            epoch: running.epoch,
            phase: running.beat.phase.lock().clone(),
            output_tokens: Some(running.beat.deltas.load(Ordering::Relaxed)),
        };
        self.running.lock().iter().map(held).collect()
    }

    fn written(&self) -> u64 {
        self.running.lock().values().map(|running| running.beat.deltas.load(Ordering::Relaxed)).sum()
    }

    /// Returns when more tokens are written than `told`.
    async fn wrote_more(&self, told: u64) {
        loop {
            tokio::time::sleep(COUNTING).await;
            if self.written() != told {
                return;
            }
        }
    }

    fn stop(&self, attempts: &[AttemptId]) {
        let running = self.running.lock();
        for attempt in attempts {
            if let Some(running) = running.get(attempt) {
                tracing::info!(%attempt, "stopping: the coordinator took it back");
                running.stop.cancel();
            }
        }
    }

    /// Beats until dropped.
    pub(crate) async fn beat(&self, source: &dyn WorkSource, agent_id: &NodeId) {
        loop {
            let told = self.written();
            let leases = self.held();
            if leases.is_empty() {
                self.changed.notified().await;
                continue;
            }
            let wait_ms = u64::try_from(WAIT.as_millis()).unwrap_or(u64::MAX);
            let request = HeartbeatRequest {
                agent_id: agent_id.clone(),
                power_telemetry: None,
                active_model: None,
                active_model_param_size: None,
                model_swap_in_progress: None,
                sandbox_mode: None,
                leases,
                wait_ms,
            };
            let early = async {
                // Held long enough to be worth a call; new leases do not wait for it.
                let progressed = async {
                    tokio::time::sleep(PROGRESS).await;
                    self.progress.notified().await;
                };
                tokio::select! {
                    () = self.changed.notified() => (),
                    () = progressed => (),
                    () = self.wrote_more(told) => (),
                }
            };
            tokio::select! {
                answer = source.heartbeat(request) => match answer {
                    Ok(reply) => self.stop(&reply.stop),
                    Err(error) => {
                        tracing::warn!(%error, "heartbeat failed");
                        tokio::time::sleep(RETRY).await;
                    }
                },
                () = early => (),
            }
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.leases.running.lock().remove(&self.attempt);
        self.leases.changed.notify_one();
    }
}
