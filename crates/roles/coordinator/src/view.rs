//! Tasks as doors show them: views made from aggregates, and nothing that must stay inside.

use edgecoder_base::{AttemptId, Timestamp};
use edgecoder_protocol::api::agents::{ProjectMeta, PullReply, PulledSubtask};
use edgecoder_protocol::api::tasks::{
    AttemptView, ResultView, SubtaskView, TaskEventView, TaskSummary, TaskView,
};
use edgecoder_protocol::ledger::Entry;
use edgecoder_protocol::work::{Assignment, WorkKind};
use edgecoder_tasks::{Attempt, Task, TaskState};

/// A task in full.
pub fn task(task: &Task, outputs: &[(usize, String)]) -> TaskView {
    let output = (task.state == TaskState::Completed)
        .then(|| outputs.iter().map(|(_, body)| body.as_str()).collect::<Vec<_>>().join("\n"));
    TaskView {
        id: task.id.clone(),
        state: task.state.as_str().to_owned(),
        reason: task.reason.clone(),
        request: task.spec.request.clone(),
        snapshot: task.spec.snapshot,
        verifier: task.spec.verifier.clone(),
        has_hidden_verifier: task.spec.hidden.is_some(),
        privacy: task.spec.privacy,
        priority: task.spec.priority,
        project: task.spec.project.clone(),
        samples: task.spec.samples,
        created_at: task.created_at,
        updated_at: task.updated_at,
        ended_at: task.ended_at,
        subtasks: (0..task.subtasks.len()).map(|index| subtask(task, index)).collect(),
        usage: task.usage(),
        result: result(task),
        ok: output.as_ref().map(|_| task.reason.is_none()),
        output,
    }
}

/// A task as one line of a list.
pub fn summary(task: &Task) -> TaskSummary {
    TaskSummary {
        id: task.id.clone(),
        state: task.state.as_str().to_owned(),
        title: task.spec.request.lines().next().unwrap_or_default().chars().take(120).collect(),
        created_at: task.created_at,
        updated_at: task.updated_at,
    }
}

fn subtask(task: &Task, index: usize) -> SubtaskView {
    let subtask = &task.subtasks[index];
    let id = task.id.subtask(index);
    SubtaskView {
        request: subtask.request.clone(),
        state: subtask.state.as_str().to_owned(),
        depends_on: subtask.depends_on.iter().map(|on| task.id.subtask(*on)).collect(),
        attempts: subtask.attempts.iter().map(|a| attempt(id.attempt(a.number), a, &id)).collect(),
        id,
    }
}

fn attempt(id: AttemptId, attempt: &Attempt, subtask: &edgecoder_base::SubtaskId) -> AttemptView {
    let verdict = attempt.verdict.as_ref();
    AttemptView {
        id,
        kind: attempt.kind,
        state: attempt.state.as_str().to_owned(),
        sample: attempt.sample,
        judges: attempt.judges.map(|number| subtask.attempt(number)),
        epoch: attempt.epoch,
        worker: attempt.worker.clone(),
        model: attempt.model.clone(),
        started_at: attempt.started_at,
        ended_at: attempt.ended_at,
        patch: attempt.patch,
        trace: attempt.trace,
        log: verdict.and_then(|verdict| verdict.log),
        rejections: verdict.map(|verdict| verdict.rejections.clone()).unwrap_or_default(),
        detail: attempt.detail.clone(),
        confinement: attempt.confinement.clone(),
        usage: attempt.usage,
    }
}

fn result(task: &Task) -> Option<ResultView> {
    let proof = task.proof()?;
    Some(ResultView {
        diff: proof.verdict.diff,
        lines_added: proof.verdict.lines.0,
        lines_removed: proof.verdict.lines.1,
        tests: proof.verdict.tests,
        log: proof.verdict.log,
        verified_by_user: proof.verdict.verified_by_user,
        level: proof.verdict.level,
        degraded: proof.verdict.degraded.clone(),
        notes: proof.verdict.notes.clone(),
        trace: proof.attempt.trace,
        attempt: proof.id,
        patches: proof.patches,
        receipt: task.receipt,
    })
}

/// A ledger entry as an event of its task, at its place among them.
pub fn event(place: u64, entry: Entry) -> TaskEventView {
    let detail = entry.payload_json.as_deref().and_then(|text| serde_json::from_str(text).ok());
    TaskEventView {
        sequence: place,
        event: entry.event_type,
        at: Timestamp::from_millis(entry.issued_at_ms),
        subtask: entry.subtask_id,
        actor: entry.actor_id,
        detail: detail.unwrap_or_default(),
    }
}

/// What a worker gets when it leased `id`.
pub(crate) fn pulled(task: &Task, id: &AttemptId) -> PullReply {
    let Some(work) = assignment(task, id) else { return PullReply::default() };
    let wall_ms = work.limits.wall_ms;
    let subtask = PulledSubtask {
        id: work.subtask.clone(),
        task_id: task.id.clone(),
        kind: work.kind.as_str().to_owned(),
        language: work.language.clone().unwrap_or_else(|| "python".to_owned()),
        input: work.request.clone(),
        timeout_ms: wall_ms,
        snapshot_ref: work.snapshot.map(|hash| hash.to_string()).unwrap_or_default(),
        project_meta: ProjectMeta {
            project_id: task.spec.project.clone(),
            resource_class: "cpu".to_owned(),
            priority: task.spec.priority,
        },
        requested_model: work.model.clone(),
    };
    PullReply { subtask: Some(subtask), work: Some(work), blocked: false, reason: None }
}

/// Everything a worker needs for attempt `id`, and not more: the hidden verifier only goes to judges.
pub(crate) fn assignment(task: &Task, id: &AttemptId) -> Option<Assignment> {
    let (index, attempt) = task.attempt(id)?;
    let subtask = &task.subtasks[index];
    let judges = attempt.kind == WorkKind::Verify;
    let only_one = task.subtasks.len() == 1;
    let whole = only_one || subtask.integrates;
    let verifier = subtask.verifier.clone().or_else(|| task.spec.verifier.clone().filter(|_| whole));
    Some(Assignment {
        task: task.id.clone(),
        subtask: task.id.subtask(index),
        attempt: id.clone(),
        epoch: attempt.epoch,
        lease_until: attempt.lease_until?,
        kind: attempt.kind,
        request: subtask.request.clone(),
        language: task.spec.language.clone(),
        snapshot: task.spec.snapshot,
        base: task.base_patches(index),
        candidate: attempt.judges.and_then(|number| subtask.attempt(number)?.patch),
        verifier,
        hidden: task.spec.hidden.clone().filter(|_| judges && whole),
        scope: subtask.scope.clone().unwrap_or_else(|| task.spec.scope.clone()),
        sample: attempt.sample,
        seed: seed(task, index),
        limits: task.spec.limits,
        min_level: task.spec.min_level,
        model: subtask.model.clone().or_else(|| task.spec.model.clone()),
        privacy: task.spec.privacy,
    })
}

/// The same task gives the same seeds; samples differ by their number.
fn seed(task: &Task, index: usize) -> u64 {
    let hash = blake3::hash(task.id.subtask(index).as_str().as_bytes());
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&hash.as_bytes()[..8]);
    u64::from_le_bytes(bytes)
}
