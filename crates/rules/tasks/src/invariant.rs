//! What must hold after every change, named as in the docs: asserted in debug builds, in property tests and in
//! the simulator.

use std::collections::BTreeSet;

use edgecoder_protocol::work::WorkKind;

use crate::attempt::AttemptState;
use crate::subtask::SubtaskState;
use crate::task::{Task, TaskState};

/// Checks a task; the error names the invariant that is broken.
pub fn check(task: &Task) -> Result<(), &'static str> {
    for subtask in &task.subtasks {
        let numbers: BTreeSet<u32> = subtask.attempts.iter().map(|attempt| attempt.number).collect();
        ensure(numbers.len() == subtask.attempts.len(), "attempts are numbered uniquely")?;
        for attempt in &subtask.attempts {
            let leased = attempt.state == AttemptState::Leased;
            ensure(leased == attempt.lease_until.is_some(), "T2: a deadline exists exactly while leased")?;
            ensure(!leased || attempt.worker.is_some(), "T2: a lease has a holder")?;
            ensure(!leased || attempt.epoch > 0, "T2: a lease has an epoch")?;
            ensure(
                attempt.state != AttemptState::Proven
                    || attempt.verdict.as_ref().is_some_and(|verdict| verdict.passed()),
                "T1: nothing is proven without a passing verdict of the origin",
            )?;
        }
        let proven = subtask.attempts.iter().filter(|attempt| attempt.state == AttemptState::Proven).count();
        ensure(proven <= 1, "T1: at most one candidate of a subtask wins")?;
        let accepted = subtask.accepted.is_some();
        ensure(
            subtask.state != SubtaskState::Done || accepted || subtask.integrates,
            "a done subtask has a winner",
        )?;
        let live = subtask.attempts.iter().any(|attempt| attempt.state.is_live());
        ensure(
            live == (subtask.state == SubtaskState::Active),
            "T3: a subtask is active while attempts live",
        )?;
        let judged = |number| {
            subtask
                .attempts
                .iter()
                .any(|a| a.kind == WorkKind::Verify && a.judges == Some(number) && a.state.is_live())
        };
        let unjudged =
            subtask.attempts.iter().any(|a| a.state == AttemptState::Proposed && !judged(a.number));
        ensure(!unjudged, "T3: a proposed candidate has a judgement under way")?;
    }
    let active = task.subtasks.iter().any(|subtask| subtask.state == SubtaskState::Active);
    ensure(active == (task.state == TaskState::Running), "T3: a running task has something under way")
}

fn ensure(holds: bool, invariant: &'static str) -> Result<(), &'static str> {
    if holds { Ok(()) } else { Err(invariant) }
}
