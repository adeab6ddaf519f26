//! What a person must look at before a proven patch is taken: no test can judge it.

use serde::{Deserialize, Serialize};

/// Why a part of a patch is shown apart.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Concern {
    /// Runs by itself where the patch arrives: continuous integration, hooks, settings of tools.
    Automation,
    /// Says how the project is built, so it runs at the next build.
    Build,
    /// Declares or pins what is fetched from elsewhere.
    Dependencies,
    /// The terms under which the project is given away.
    Licence,
    /// A test, or what configures tests.
    Tests,
    /// A character that shows nothing, or turns the direction of what follows.
    Invisible,
    /// A word that mixes letters of two alphabets which look alike.
    Lookalike,
}

impl std::fmt::Display for Concern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Automation => "runs by itself",
            Self::Build => "changes how the project is built",
            Self::Dependencies => "changes dependencies",
            Self::Licence => "changes the licence",
            Self::Tests => "changes a test",
            Self::Invisible => "has invisible or direction-changing characters",
            Self::Lookalike => "has letters that look like others",
        })
    }
}

/// One thing to look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ReviewNote {
    /// Why.
    pub concern: Concern,
    /// The file.
    pub path: String,
    /// The first line that is meant, from 1; none when the whole file is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// What stands there, in printable characters; empty when the path says all.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
}

impl std::fmt::Display for ReviewNote {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.path)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, " {}", self.concern)?;
        if self.detail.is_empty() { Ok(()) } else { write!(f, ": {}", self.detail) }
    }
}
