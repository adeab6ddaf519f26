//! The jobs one node can perform, and the names people give them.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A job a node performs. Any subset may run in one process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Role {
    /// Owns a queue and arbitrates its leases.
    Coordinator,
    /// Runs models for this node's other roles.
    Inference,
    /// The operators' door.
    Control,
    /// The editors' door.
    Ide,
    /// The door for people.
    Portal,
    /// Executes subtasks; a supervised child process.
    Worker,
}

impl Role {
    /// Every role, in the order they start. They stop in reverse.
    pub(crate) const ALL: [Self; 6] =
        [Self::Coordinator, Self::Inference, Self::Control, Self::Ide, Self::Portal, Self::Worker];

    /// The name in settings and on the command line.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Coordinator => "coordinator",
            Self::Inference => "inference",
            Self::Control => "control",
            Self::Ide => "ide",
            Self::Portal => "portal",
            Self::Worker => "worker",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text names no role.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown role {0:?}: use coordinator, inference, control, ide, portal or worker")]
pub(crate) struct UnknownRole(String);

impl FromStr for Role {
    type Err = UnknownRole;
    fn from_str(text: &str) -> Result<Self, UnknownRole> {
        let named = Self::ALL.into_iter().find(|role| role.as_str() == text);
        named.ok_or_else(|| UnknownRole(text.to_owned()))
    }
}
