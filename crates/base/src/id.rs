//! Identifiers: readable strings with a checked alphabet, so that one may stand in a path, a URL, a
//! log line or a prompt without escaping. Subtask and attempt ids are derived from their task's id, which
//! keeps randomness out of the rules.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// Longest identifier taken from outside; long enough for a UUID with a prefix and derived suffixes.
const MAX_LEN: usize = 96;

/// Why a string is not an identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// Empty, or longer than any identifier may be.
    #[error("an id has 1 to {MAX_LEN} characters, this one has {0}")]
    Length(usize),
    /// A character outside `A-Z a-z 0-9 . _ -`, or a leading dot or dash.
    #[error("an id is made of letters, digits, '.', '_' and '-', and starts with a letter or digit")]
    Alphabet,
}

fn checked(text: &str) -> Result<(), IdError> {
    if text.is_empty() || text.len() > MAX_LEN {
        return Err(IdError::Length(text.len()));
    }
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if !text.chars().all(legal) || !text.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        return Err(IdError::Alphabet);
    }
    Ok(())
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
        #[serde(try_from = "String", into = "String")]
        #[schema(value_type = String)]
        pub struct $name(String);

        impl $name {
            /// Checks the alphabet and length of `text`.
            pub fn new(text: impl Into<String>) -> Result<Self, IdError> {
                let text = text.into();
                checked(&text)?;
                Ok(Self(text))
            }

            /// The identifier as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;
            fn try_from(text: String) -> Result<Self, IdError> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::new(text)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_id!(
    /// What a user submitted. Chosen by the submitter (`task_…` when we choose it) and unique per coordinator.
    TaskId
);
text_id!(
    /// One unit of a task's plan: `<task>.s<index>`.
    SubtaskId
);
text_id!(
    /// One try at a subtask by one worker: `<subtask>.a<number>`.
    AttemptId
);
text_id!(
    /// A node, as it names itself. Nodes of ours use `node_` and the start of their public key's hash;
    /// clients of older versions choose freely, so the key and not the name is what proves identity.
    NodeId
);

impl TaskId {
    /// A new task id from entropy that the caller supplies.
    pub fn from_entropy(entropy: u128) -> Self {
        Self(format!("task_{entropy:032x}"))
    }

    /// A new task id whose first 48 bits are the time: ids that are made one after the other lie side by side in an
    /// index, whose pages are then written together.
    pub fn made_at(now: Timestamp, entropy: u128) -> Self {
        let ms = u128::from(now.as_millis().unsigned_abs());
        Self::from_entropy((ms << 80) | (entropy >> 48))
    }

    /// The id of this task's subtask number `index`.
    pub fn subtask(&self, index: usize) -> SubtaskId {
        SubtaskId(format!("{self}.s{index}"))
    }
}

impl SubtaskId {
    /// The id of this subtask's attempt number `number`.
    pub fn attempt(&self, number: u32) -> AttemptId {
        AttemptId(format!("{self}.a{number}"))
    }
}

impl AttemptId {
    /// The task this attempt belongs to, as its id says.
    pub fn task(&self) -> Option<TaskId> {
        let (subtask, _) = self.0.rsplit_once(".a")?;
        let (task, _) = subtask.rsplit_once(".s")?;
        TaskId::new(task).ok()
    }
}

/// Longest task id accepted from outside: leaves room for the suffixes of subtask and attempt.
pub const MAX_TASK_ID_LEN: usize = 72;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derived_ids_lead_back_to_their_task() {
        let task = TaskId::from_entropy(7);
        let attempt = task.subtask(2).attempt(11);
        assert_eq!(attempt.as_str(), "task_00000000000000000000000000000007.s2.a11");
        assert_eq!(attempt.task(), Some(task));
    }

    #[test]
    fn ids_made_later_sort_later() {
        let made = |ms, entropy| TaskId::made_at(Timestamp::from_millis(ms), entropy);
        assert!(made(1, u128::MAX) < made(2, 0));
        assert_ne!(made(1, 0), made(1, u128::MAX));
        assert_eq!(made(1_764_000_000_000, 0).as_str().len(), "task_".len() + 32);
    }

    #[test]
    fn hostile_text_is_not_an_id() {
        for text in ["", "../etc", "a/b", "-rf", "a b", "a\nb", "é", &"x".repeat(97)] {
            assert!(TaskId::new(text).is_err(), "{text:?}");
        }
    }
}
