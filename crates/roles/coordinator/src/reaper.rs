//! What must happen although nobody asks: deadlines, ends of pauses, receipts after a crash, news of other
//! coordinators, garbage. Sleeps exactly until the next of them.

use std::time::Duration;

use edgecoder_store::TaskFilter;
use edgecoder_tasks::TaskState;
use tokio::time::{Instant, sleep_until};

use crate::{Error, Handle};

/// Expired leases put back in one transaction.
const BATCH: u32 = 64;
/// With nothing due, look again after this: a deadline may have been set by another coordinator.
const IDLE: Duration = Duration::from_secs(5);
/// After a failure of the store, look again after this.
const RETRY: Duration = Duration::from_secs(1);
/// Between two collections of garbage.
const GARBAGE: Duration = Duration::from_secs(600);

pub(crate) async fn run(handle: &Handle) -> Result<(), Error> {
    tokio::join!(deadlines(handle), listen(handle), garbage(handle)).0
}

async fn deadlines(handle: &Handle) -> Result<(), Error> {
    if let Err(error) = finish_receipts(handle).await {
        tracing::warn!(%error, "receipts of an earlier run are still open");
    }
    let mut pulse = handle.pulse();
    loop {
        let pause = match look(handle).await {
            Ok(pause) => pause,
            Err(error) => {
                tracing::warn!(%error, "looking at deadlines failed");
                RETRY
            }
        };
        pulse.mark_unchanged();
        let wake = Instant::now() + pause;
        tokio::select! {
            () = sleep_until(wake) => (),
            // A commit may have set an earlier deadline; leases last far longer than this look.
            _ = changed_for_long(&mut pulse) => (),
        }
    }
}

/// A commit happened; but look at most ten times a second, however busy the queue is.
async fn changed_for_long(pulse: &mut tokio::sync::watch::Receiver<edgecoder_store::Pulse>) {
    if pulse.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
}

/// Puts back what expired and rings for what may go on. Returns how long nothing more is due.
async fn look(handle: &Handle) -> Result<Duration, Error> {
    let now = handle.now();
    let requeued = handle.inner.store.expire(now, BATCH).await?;
    if requeued > 0 {
        tracing::info!(requeued, "leases expired");
        handle.inner.sessions.anything_changed();
    }
    if requeued == BATCH {
        return Ok(Duration::ZERO);
    }
    if handle.inner.store.ready_count(now).await? > 0 {
        handle.inner.store.doorbell().ring_everybody();
    }
    let due = handle.next_due(now).await?;
    Ok(due.map_or(IDLE, |due| due.since(now) + Duration::from_millis(1)).min(IDLE))
}

async fn finish_receipts(handle: &Handle) -> Result<(), Error> {
    let filter = TaskFilter { state: Some(TaskState::Review.as_str().to_owned()), after: None, limit: 200 };
    for task in handle.inner.store.tasks(filter).await? {
        handle.issue_receipt(&task).await?;
    }
    Ok(())
}

async fn listen(handle: &Handle) {
    let mut pulse = handle.pulse();
    let heard = async {
        while pulse.changed().await.is_ok() {
            tokio::time::sleep(Duration::from_millis(50)).await;
            handle.inner.sessions.anything_changed();
        }
        std::future::pending::<()>().await;
    };
    let keep_listening = async {
        loop {
            if let Err(error) = handle.inner.store.listen().await {
                tracing::warn!(%error, "not hearing other coordinators; trying again");
            }
            tokio::time::sleep(RETRY).await;
        }
    };
    tokio::join!(keep_listening, heard);
}

async fn garbage(handle: &Handle) {
    loop {
        tokio::time::sleep(GARBAGE).await;
        match handle.collect_garbage().await {
            Ok(freed) => tracing::debug!(freed_bytes = freed, "garbage collected"),
            Err(error) => tracing::warn!(%error, "collecting garbage failed"),
        }
    }
}
