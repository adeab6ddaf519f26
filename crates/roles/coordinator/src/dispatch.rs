//! Leases: pull, heartbeat, result. Each is one short transaction; waiting is by doorbell, never by a pause.

use std::time::Duration;

use edgecoder_base::{AttemptId, SubtaskId, Timestamp};
use edgecoder_protocol::ErrorCode;
use edgecoder_protocol::api::agents::{
    BlacklistView, HeartbeatReply, HeartbeatRequest, HeldLease, MAX_WAIT_MS, PullReply, PullRequest,
    ResultReply, ResultRequest,
};
use edgecoder_protocol::work::{Outcome, Report};
use edgecoder_tasks::{AttemptState, Command, Task, TaskState, limits};
use tokio::time::Instant;

use crate::enrolment::{Caller, policy};
use crate::{Error, Handle, Progress, view};

/// Leases one heartbeat may name.
const MAX_LEASES: usize = 256;

impl Handle {
    /// `POST /pull`: the first attempt this worker may take, or none within `wait_ms`.
    pub async fn pull(&self, caller: &Caller, request: PullRequest) -> Result<PullReply, Error> {
        same_agent(caller, &request.agent_id)?;
        let profile = self.profile(caller).await?;
        self.inner.sessions.saw(&caller.id, self.now());
        let deadline = deadline(request.wait_ms);
        let doorbell = self.inner.store.doorbell();
        let mut everybody = doorbell.everybody();
        let mut woken_alone = false;
        loop {
            let rung = doorbell.one();
            tokio::pin!(rung);
            // Armed before looking: work that arrives in between is not missed.
            rung.as_mut().enable();
            everybody.mark_unchanged();
            let (leased, passed_by) = self.inner.store.lease(profile.clone(), self.now()).await?;
            if let Some(leased) = leased {
                return Ok(view::pulled(&leased.task, &leased.attempt));
            }
            if passed_by && woken_alone {
                // The ring was for a row that this worker may not take: somebody else may.
                doorbell.ring_everybody();
                everybody.mark_unchanged();
            }
            tokio::select! {
                biased;
                () = tokio::time::sleep_until(deadline) => return Ok(PullReply::default()),
                () = rung => woken_alone = true,
                _ = everybody.changed() => woken_alone = false,
            }
        }
    }

    /// `POST /heartbeat`: renews leases; answers as soon as one of them must stop, or after `wait_ms`.
    pub async fn heartbeat(
        &self,
        caller: &Caller,
        request: HeartbeatRequest,
    ) -> Result<HeartbeatReply, Error> {
        same_agent(caller, &request.agent_id)?;
        if request.leases.len() > MAX_LEASES {
            return Err(Error::new(ErrorCode::InvalidRequest, "leases: at most 256"));
        }
        let node = self.profile(caller).await?;
        self.inner.sessions.saw(&caller.id, self.now());
        self.inner.sessions.set_active_model(&caller.id, request.active_model.clone());
        let deadline = deadline(request.wait_ms);
        let waiting =
            self.inner.sessions.wait_for(request.leases.iter().map(|l| l.attempt.clone()).collect());
        let mut stop = self.renew(caller, &request.leases).await?;
        let lease_until = self.now().after(limits::LEASE);
        while stop.is_empty() && !request.leases.is_empty() {
            tokio::select! {
                biased;
                () = tokio::time::sleep_until(deadline) => break,
                () = waiting.news() => stop = self.lost(caller, &request.leases).await?,
            }
        }
        if stop.is_empty() && request.leases.is_empty() {
            tokio::time::sleep_until(deadline).await;
        }
        Ok(HeartbeatReply {
            ok: true,
            requeued: 0,
            policy: policy(node.max_concurrent),
            blacklist: BlacklistView::default(),
            stop,
            lease_until,
        })
    }

    /// Renews what the caller holds; returns what it does not hold any more.
    async fn renew(&self, caller: &Caller, leases: &[HeldLease]) -> Result<Vec<AttemptId>, Error> {
        let mut lost = Vec::new();
        for lease in leases {
            let now = self.now();
            let (attempt, worker, epoch) = (lease.attempt.clone(), caller.id.clone(), lease.epoch);
            let Some(task) = attempt.task() else {
                lost.push(attempt);
                continue;
            };
            let renewed = self
                .inner
                .store
                .change(&task, move |task| {
                    task.apply(Command::Renew { attempt: &attempt, epoch, worker: &worker }, now)
                })
                .await;
            match renewed {
                Ok(_) => {
                    let progress =
                        Progress { phase: lease.phase.clone(), output_tokens: lease.output_tokens };
                    self.inner.sessions.note_progress(&lease.attempt, progress);
                }
                Err(edgecoder_store::Error::Refused(_) | edgecoder_store::Error::UnknownTask(_)) => {
                    lost.push(lease.attempt.clone());
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(lost)
    }

    /// Which of the leases the caller does not hold any more.
    async fn lost(&self, caller: &Caller, leases: &[HeldLease]) -> Result<Vec<AttemptId>, Error> {
        let mut lost = Vec::new();
        for lease in leases {
            let task = match lease.attempt.task() {
                Some(id) => self.inner.store.task(&id).await?,
                None => None,
            };
            let held =
                task.as_ref().and_then(|task| task.attempt(&lease.attempt)).is_some_and(|(_, attempt)| {
                    attempt.state == AttemptState::Leased
                        && attempt.epoch == lease.epoch
                        && attempt.worker.as_ref() == Some(&caller.id)
                });
            if !held {
                lost.push(lease.attempt.clone());
            }
        }
        Ok(lost)
    }

    /// `POST /result`: takes the outcome from the holder of the lease, and from nobody else.
    pub async fn result(&self, caller: &Caller, request: ResultRequest) -> Result<ResultReply, Error> {
        same_agent(caller, &request.agent_id)?;
        let now = self.now();
        self.inner.sessions.saw(&caller.id, now);
        let report = request.report.clone().unwrap_or_else(|| published_report(&request));
        let (attempt, epoch) = (request.attempt, request.epoch);
        let (subtask, worker) = (request.subtask_id, caller.id.clone());
        let task = self
            .inner
            .store
            .change(&request.task_id, move |task| {
                let attempt = match &attempt {
                    Some(attempt) => attempt.clone(),
                    None => held_attempt(task, &subtask, &worker).ok_or(
                        edgecoder_tasks::Refusal::LeaseLost("this agent holds no lease on this subtask"),
                    )?,
                };
                let command =
                    Command::Report { attempt: &attempt, epoch, worker: &worker, report: report.clone() };
                task.apply(command, now)
            })
            .await?;
        self.inner.sessions.task_changed(&task);
        if task.state == TaskState::Review {
            self.issue_receipt(&task).await?;
        }
        Ok(ResultReply { ok: true })
    }

    /// A worker gives back what it holds and goes: graceful stop.
    pub async fn release_all(&self, caller: &Caller) -> Result<u32, Error> {
        Ok(self.inner.store.release_held(caller.id.clone(), self.now()).await?)
    }
}

fn deadline(wait_ms: u64) -> Instant {
    Instant::now() + Duration::from_millis(wait_ms.min(MAX_WAIT_MS))
}

fn same_agent(caller: &Caller, claimed: &edgecoder_base::NodeId) -> Result<(), Error> {
    if caller.id == *claimed {
        return Ok(());
    }
    Err(Error::new(ErrorCode::AgentIdMismatch, "the body names another agent than the signature"))
}

/// The attempt of `subtask` that `worker` holds, for clients that do not name attempts.
fn held_attempt(task: &Task, subtask: &SubtaskId, worker: &edgecoder_base::NodeId) -> Option<AttemptId> {
    let index = (0..task.subtasks.len()).find(|index| task.id.subtask(*index) == *subtask)?;
    let holds = |attempt: &&edgecoder_tasks::Attempt| {
        attempt.state == AttemptState::Leased && attempt.worker.as_ref() == Some(worker)
    };
    let attempt = task.subtasks[index].attempts.iter().find(holds)?;
    Some(subtask.attempt(attempt.number))
}

/// The published shape as a report: output, with the error below it when there is one.
fn published_report(request: &ResultRequest) -> Report {
    let output = match &request.error {
        Some(error) if !request.ok => format!("{}\n{error}", request.output).trim().to_owned(),
        Some(_) | None => request.output.clone(),
    };
    Report::of(Outcome::Answer { ok: request.ok, output })
}

impl Handle {
    /// When the queue must be looked at next, for the reaper.
    pub(crate) async fn next_due(&self, now: Timestamp) -> Result<Option<Timestamp>, Error> {
        Ok(self.inner.store.next_due(now).await?)
    }
}
