//! One leased attempt from its start to the delivery of its outcome.

use std::time::Duration;

use edgecoder_protocol::api::agents::ResultRequest;
use edgecoder_protocol::work::{Outcome, Report, WorkKind};
use edgecoder_protocol::{Assignment, ErrorCode, WorkError};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::code::CodeAttempt;
use crate::error::Error;
use crate::heartbeat::{Lease, Leases};
use crate::judge::Judge;
use crate::{Config, Deps, answer, journal};

/// Between two tries to deliver an outcome, at first; doubles.
const DELIVERY_PAUSE: Duration = Duration::from_millis(200);
/// Longest pause between them.
const MAX_DELIVERY_PAUSE: Duration = Duration::from_secs(5);

/// Runs the attempt and delivers its outcome, unless it is stopped.
pub(crate) async fn run(
    config: &Config,
    deps: &Deps,
    leases: &Leases,
    work: Assignment,
    shutdown: &CancellationToken,
) {
    let span = tracing::info_span!("attempt", task = %work.task, subtask = %work.subtask, attempt = %work.attempt, epoch = work.epoch);
    async {
        let lease = leases.hold(&work.attempt, work.epoch, shutdown.child_token());
        let result = perform(config, deps, &work, &lease).await;
        let report = match result {
            Ok(report) => report,
            Err(Error::Stopped) => {
                // Taken back: nobody wants it. At shutdown the journal stays, to be taken up again.
                if !shutdown.is_cancelled() {
                    journal::forget(&config.journals, &work.attempt);
                }
                return;
            }
            Err(error) => {
                tracing::warn!(%error, "the attempt failed");
                failed(&error)
            }
        };
        deliver(config, deps, &work, &lease, report).await;
    }
    .instrument(span)
    .await;
}

async fn perform(config: &Config, deps: &Deps, work: &Assignment, lease: &Lease) -> Result<Report, Error> {
    tracing::info!(kind = work.kind.as_str(), sample = work.sample, "attempt begins");
    let deps = &Deps { sandbox: deps.sandbox.for_attempt(work.attempt.as_str()), ..deps.clone() };
    let (assignment, beat, stop) = (work, &*lease.beat, &lease.stop);
    match work.kind {
        WorkKind::Code => CodeAttempt { config, deps, assignment, beat, stop }.run().await,
        WorkKind::Verify => Judge { config, deps, assignment, beat, stop }.run().await,
        WorkKind::Answer => answer::run(deps, assignment, beat, stop).await,
    }
}

fn failed(error: &Error) -> Report {
    let outcome =
        Outcome::Failed { code: error.code(), detail: error.to_string(), retryable: error.is_retryable() };
    Report { refused: error.refused(), ..Report::of(outcome) }
}

/// Tells the coordinator until it has heard, or until the lease is lost.
async fn deliver(config: &Config, deps: &Deps, work: &Assignment, lease: &Lease, report: Report) {
    let mut pause = DELIVERY_PAUSE;
    loop {
        let request = ResultRequest {
            subtask_id: work.subtask.clone(),
            task_id: work.task.clone(),
            agent_id: config.agent_id.clone(),
            ok: false,
            output: String::new(),
            error: None,
            duration_ms: None,
            report_nonce: None,
            report_signature: None,
            attempt: Some(work.attempt.clone()),
            epoch: Some(work.epoch),
            report: Some(report.clone()),
        };
        match deps.source.result(request).await {
            Ok(_) => {
                tracing::info!("outcome delivered");
                journal::forget(&config.journals, &work.attempt);
                return;
            }
            Err(WorkError::Refused { code: ErrorCode::LeaseLost | ErrorCode::NotFound, message }) => {
                tracing::info!(message, "the outcome is not wanted any more");
                journal::forget(&config.journals, &work.attempt);
                return;
            }
            Err(error) if error.is_retryable() => {
                tracing::warn!(%error, "the outcome could not be delivered yet");
                tokio::select! {
                    () = tokio::time::sleep(pause) => (),
                    () = lease.stop.cancelled() => return,
                }
                pause = (pause * 2).min(MAX_DELIVERY_PAUSE);
            }
            Err(error) => {
                tracing::error!(%error, "the outcome was refused");
                return;
            }
        }
    }
}
