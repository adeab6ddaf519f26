//! The companion: owner of the sessions of the IDE door. It lets a model read, search, edit and run a person's project,
//! one approved action at a time, and keeps what was said so that a session can be taken up again.

mod toolbox;

pub use edgecoder_agent::session::ApprovalClass;
pub use edgecoder_agent::tool_call::Tool;
pub use toolbox::{Borrowed, BorrowedCall, NoTools, Toolbox};
