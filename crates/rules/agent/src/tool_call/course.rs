//! What follows a call that cannot be read: one visible retry with the reason, then the text protocol, then
//! giving up. Never the same thing twice, and never silence.

use super::words::{Dialect, ask_again};
use super::{Call, Malformed, Reading, Tool};

/// What to do with an answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Next {
    /// It is the answer.
    Prose,
    /// Perform these calls, in order.
    Perform(Vec<Call>),
    /// Say this to the model and let it answer again; the person sees the reason.
    AskAgain {
        /// Words for the model.
        message: String,
        /// The form asked for.
        dialect: Dialect,
        /// Why.
        reason: Malformed,
    },
    /// It cannot be read, for the last time.
    GiveUp(Malformed),
}

/// Where a conversation with one model stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Course {
    dialect: Dialect,
    retried: bool,
}

impl Course {
    /// The form that the model is held to.
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Takes the next answer. A model that once needed the text protocol keeps it for the conversation.
    pub fn next(&mut self, reading: Reading, tools: &[Tool]) -> Next {
        match reading {
            Reading::Prose => {
                self.retried = false;
                Next::Prose
            }
            Reading::Calls { calls, .. } => {
                self.retried = false;
                Next::Perform(calls)
            }
            Reading::Malformed { reason, .. } => {
                match (self.dialect, self.retried) {
                    (Dialect::Native, false) => self.retried = true,
                    (Dialect::Native, true) => *self = Self { dialect: Dialect::Text, retried: false },
                    (Dialect::Text, _) => return Next::GiveUp(reason),
                }
                let message = ask_again(&reason, self.dialect, tools);
                Next::AskAgain { message, dialect: self.dialect, reason }
            }
        }
    }
}
