//! A lawful "no": part of the contract, tested like any outcome.

use crate::{AttemptState, Ineligible, TaskState};

/// Why a command changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A field breaks its rule.
    #[error("{field}: {rule}")]
    Invalid {
        /// The field.
        field: &'static str,
        /// The rule it must keep.
        rule: &'static str,
    },
    /// The plan is not an acyclic graph of 1 to 10 subtasks.
    #[error("the plan is not usable: {0}")]
    BadPlan(&'static str),
    /// No such attempt.
    #[error("there is no such attempt")]
    UnknownAttempt,
    /// The lease is not this caller's: another epoch, another worker, expired or cancelled.
    #[error("the lease is lost: {0}")]
    LeaseLost(&'static str),
    /// The attempt cannot be leased now.
    #[error("the attempt is {0:?} and cannot be leased")]
    NotLeasable(AttemptState),
    /// The worker may not run it.
    #[error("this worker may not run it: {0}")]
    NotEligible(Ineligible),
    /// The report does not fit the kind of work.
    #[error("this kind of work is not reported like that")]
    WrongReport,
    /// The patch touches what tests do not judge, and nobody said that this was looked at.
    #[error("the patch has {0} review notes; look at them, and approve with them accepted")]
    NotesUnread(usize),
    /// The task is not in a state that allows it.
    #[error("a task that is {0} does not allow that")]
    WrongState(TaskState),
}
