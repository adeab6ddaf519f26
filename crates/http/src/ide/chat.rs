//! The companion over the door: chats in which a model works on a project, step by step, and the sessions that are kept
//! of them. Always behind the token: what these routes do, they do in the name of the machine's owner.

mod approval;
mod ask;
mod sessions;
mod thinker;

pub(super) use approval::{__path_decide, ENDPOINT as APPROVAL, decide};
pub(super) use ask::{__path_chat, ENDPOINT as CHAT, chat};
pub(super) use sessions::{
    __path_list, __path_mode, __path_one, __path_open, __path_project, __path_set_project, MODE, OPEN,
    PROJECT, list, mode, one, open, project, set_project,
};

use edgecoder_companion::Companion;
use edgecoder_protocol::ErrorCode;

use super::State;
use crate::Error;

/// Start of the paths of these routes.
pub(super) const PREFIX: &str = "/v1/ide/";

impl State {
    /// The companion, where this node has one.
    fn companion(&self) -> Result<&Companion, Error> {
        let absent = || Error::new(ErrorCode::NotImplementedHere, "this node has no companion");
        self.companion.as_ref().ok_or_else(absent)
    }
}
