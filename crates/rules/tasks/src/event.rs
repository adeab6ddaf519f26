//! What happened to a task: each is one record of the ledger.

use edgecoder_base::SubtaskId;
use serde_json::Value;

/// One happening.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Published name.
    pub kind: EventKind,
    /// To which subtask.
    pub subtask: Option<SubtaskId>,
    /// By whom.
    pub actor: String,
    /// Details. Never content: hashes, numbers, ids, reasons.
    pub detail: Value,
}

macro_rules! kinds {
    ($($variant:ident = $text:literal: $doc:literal;)*) => {
        /// Names of happenings, as published in the ledger.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum EventKind { $(#[doc = $doc] $variant,)* }
        impl EventKind {
            /// The published name.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }
    };
}

kinds! {
    Enqueued = "task_enqueue": "A task was accepted.";
    Claimed = "task_claim": "A worker leased an attempt.";
    Requeued = "task_requeue": "A lease ended without an outcome; the attempt waits again.";
    Completed = "task_complete": "A worker reported an attempt.";
    Verdict = "task_verdict": "The origin judged a candidate.";
    SubtaskDone = "subtask_done": "A candidate of a subtask is proven.";
    Escalated = "task_escalate": "A subtask goes to the next round, a larger model or a person.";
    DeadLetter = "task_dead_letter": "An attempt failed too often for reasons outside the work.";
    InReview = "task_review": "The whole task is proven and waits for a person.";
    Receipt = "task_receipt": "The signed receipt of a proven task was written.";
    Approved = "task_approved": "A person took the patch.";
    Rejected = "task_rejected": "A person dropped the patch.";
    Retried = "task_retry": "A person asked for another go.";
    Abstained = "task_abstained": "Nothing was proven.";
    Cancelled = "task_cancel": "A person stopped the task.";
}
