//! The agent: plan, code, test, iterate, as a machine of steps.
//!
//! A worker creates an [`Agent`] from a [`Brief`], tells it what happened as an [`Observation`] and performs the
//! [`Step`] that comes back, until that is a submission or the agent gives up. The machine reads no clock, no
//! file and no random number: the same brief and observations give the same steps, so an attempt is rebuilt
//! after a crash by replaying its [`journal`], and at most one step happens twice.
//!
//! **Invariants.** A prompt and the answer it asks for fit the window, by estimate, or the agent gives up and
//! says so. Whatever is cut, retried or refused on the way is an [`AgentEvent`]. No patch names an unsafe path.

pub mod agent;
pub mod brief;
pub mod budget;
pub mod edit;
pub mod error;
pub mod eval;
pub mod event;
pub mod failure;
pub mod journal;
pub mod observation;
pub mod profile;
pub mod prompt;
pub mod python;
pub mod review;
pub mod scope;
pub mod session;
pub mod split;
pub mod step;
pub mod syntax;
pub mod target;
pub mod test_report;
pub mod tool_call;

pub use agent::Agent;
pub use brief::{Brief, FileSummary, RepoView, SymbolSummary};
pub use error::Error;
pub use event::{AgentEvent, Phase};
pub use journal::{Entry, replay};
pub use observation::{
    CompletionFailure, FileText, Finish, Interruption, Observation, TestReport, TokenUsage,
};
pub use profile::{EditFormat, Flow, Profile};
pub use scope::ScopeViolation;
pub use step::{GiveUpReason, Message, Prompt, Role, Standing, Step};
