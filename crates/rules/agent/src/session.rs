//! A session: a person's conversation with a model that has tools on a project. What may be done without asking, what
//! is shown before it is done, how long it may go on, and what the model reads, as pure rules.

pub mod approval;

pub use approval::{ApprovalClass, ApprovalRules, Mode, Ruling};
