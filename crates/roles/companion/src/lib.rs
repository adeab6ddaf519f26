//! The companion: owner of the sessions of the IDE door. It lets a model read, search, edit and run a person's project,
//! one approved action at a time, and keeps what was said so that a session can be taken up again.
//!
//! ```text
//! chat ─► Run: Exchange says what is next ─┬─ think ──► Thinker (the door's router) ─► text, calls
//!                                          └─ perform ─► Hands: prepare ─► ruling ─► a person? ─► do it ─► result
//!                            log on disk ◄─── events ───► the client's stream
//! ```
//!
//! **Invariants.** Whoever drops the stream of a chat ends it with all it started and rejects its own pending actions,
//! nobody else's. An approval names the hash of what was shown, holds for that one action and once. What is written is
//! what was shown, or nothing. Commands run in the sandbox only; what they wrote is an action of its own. Nothing that a
//! repository names is run by the git that speaks with its remotes.

mod approvals;
mod companion;
mod config;
mod error;
mod event;
mod hands;
mod log;
mod run;
mod tasks;
mod thinker;
mod toolbox;

pub use companion::{Chat, Companion, Seen, SessionView, Transcript};
pub use config::{Config, Deps};
pub use edgecoder_agent::TokenUsage;
pub use edgecoder_agent::session::{
    ApprovalClass, ApprovalRules, Ending, ExchangeLimits, Mode, PastCall, PlanStep, Ruling, StepStatus, Turn,
};
pub use edgecoder_agent::tool_call::Tool;
pub use edgecoder_workspace::project::Hunk;
pub use error::Error;
pub use event::{DiffFile, Event, NumberedStep, PlanStatus, Usage};
pub use tasks::TaskQueue;
pub use thinker::{Thinker, Thought, Uttered};
pub use toolbox::{Borrowed, BorrowedCall, NoTools, Toolbox};
