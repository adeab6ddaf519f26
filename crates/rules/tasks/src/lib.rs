//! The life of a task, as pure decisions.
//!
//! ```text
//! submit ─► running ──────────────────────────────────► review ─► approved │ rejected
//!             │   subtasks (a DAG), each:                  ▲
//!             │     N code attempts ─► candidates          │ the last subtask is proven
//!             │            └─► verify attempt (origin) ────┘
//!             │                  refuted: next round, larger model, then a person
//!             ├─► completed   (a prompt without a repository: its answer is the result)
//!             ├─► abstained   (nothing was proven; the reasons are kept)
//!             └─► cancelled
//! ```
//!
//! [`Task::apply`] is the only way a task changes: a [`Command`] at an instant gives new state and
//! [`Event`]s, or a [`Refusal`] and no change. What the queue must know of a task is derived by
//! [`Task::queue_rows`]; which worker may take a row is [`eligibility`].

pub mod attempt;
pub mod command;
pub mod eligibility;
pub mod escalation;
pub mod event;
pub mod invariant;
pub mod lease;
pub mod limits;
pub mod plan;
pub mod queue;
pub mod refusal;
pub mod spec;
pub mod subtask;
pub mod task;

pub use attempt::{Attempt, AttemptState};
pub use command::Command;
pub use eligibility::{Ineligible, WorkerProfile};
pub use event::Event;
pub use plan::{Plan, PlannedSubtask};
pub use queue::QueueRow;
pub use refusal::Refusal;
pub use spec::Spec;
pub use subtask::{Subtask, SubtaskState};
pub use task::{Proof, Task, TaskState};
