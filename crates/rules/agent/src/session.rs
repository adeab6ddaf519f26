//! A session: a person's conversation with a model that has tools on a project. What may be done without asking, what
//! is shown before it is done, how long it may go on, and what the model reads, as pure rules.
//!
//! ```text
//! a person's message ─► Exchange ─► think ─► calls ─► asked ─► class ─► ruling ─► performed ─► think … ─► over
//! ```
//!
//! **Invariants.** An exchange ends: thinking and tokens are bounded. Every call that the model sees as made has a
//! result, also after a crash. What a file or a program says is never taken for words of a person.

pub mod address;
pub mod approval;
pub mod asked;
pub mod exchange;
pub mod fit;
pub mod frame;
pub mod shown;
pub mod tools;
pub mod turn;

pub use address::Address;
pub use approval::{ApprovalClass, ApprovalRules, Mode, Ruling};
pub use asked::{Asked, PlanStep, StepStatus};
pub use exchange::{Ending, Exchange, ExchangeLimits, Next};
pub use fit::fit;
pub use frame::frame;
pub use tools::{Equipment, own_tools};
pub use turn::{PastCall, Turn, mended};
