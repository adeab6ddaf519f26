//! A call of one of our own tools with its arguments in their types, and how grave it is as far as the call alone tells.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::approval::ApprovalClass;
use super::turn::PastCall;

/// Longest name of a branch or commit that is passed on to git.
const MAX_NAME_CHARS: usize = 200;

/// What the model wants done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "tool", content = "args", rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names are those of the tools, whose descriptions the model reads")]
pub enum Asked {
    ReadFile {
        path: String,
        #[serde(default)]
        offset: Option<u32>,
        #[serde(default)]
        limit: Option<u32>,
    },
    ListDirectory {
        #[serde(default)]
        path: String,
    },
    SearchFiles {
        pattern: String,
        #[serde(default)]
        path: String,
        #[serde(default)]
        include: Option<String>,
    },
    GitStatus {},
    GitDiff {
        #[serde(default, rename = "ref")]
        reference: Option<String>,
        #[serde(default)]
        path: Option<String>,
    },
    GitLog {
        #[serde(default)]
        count: Option<u32>,
        #[serde(default, rename = "ref")]
        reference: Option<String>,
    },
    Plan {
        steps: Vec<PlanStep>,
    },
    WriteFile {
        path: String,
        content: String,
    },
    EditFile {
        path: String,
        old_string: String,
        new_string: String,
    },
    RunShell {
        command: String,
        #[serde(default)]
        timeout: Option<u32>,
    },
    GitCommit {
        message: String,
        #[serde(default)]
        files: Vec<String>,
    },
    GitBranch {
        name: String,
    },
    SubmitTask {
        request: String,
        #[serde(default)]
        verify: Option<String>,
    },
    TaskStatus {
        id: String,
    },
    ApplyTask {
        id: String,
    },
}

/// One step of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanStep {
    /// What is to be done.
    pub description: String,
    /// How far it is.
    #[serde(default)]
    pub status: StepStatus,
}

/// How far a step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepStatus {
    /// Not begun.
    #[default]
    Pending,
    /// Being done.
    InProgress,
    /// Done.
    Completed,
    /// Given up.
    Failed,
}

impl Asked {
    /// The call in its types; what is wrong with it is said for the model.
    pub fn of(call: &PastCall) -> Result<Self, String> {
        let value = json!({"tool": call.name, "args": Value::Object(call.arguments.clone())});
        let asked: Self = serde_json::from_value(value).map_err(|error| error.to_string())?;
        asked.check()?;
        Ok(asked)
    }

    /// Names that go to git are plain names, so that none is an option or a range of something else.
    fn check(&self) -> Result<(), String> {
        let (Self::GitDiff { reference: Some(name), .. }
        | Self::GitLog { reference: Some(name), .. }
        | Self::GitBranch { name }) = self
        else {
            return Ok(());
        };
        let plain = |c: char| c.is_ascii_alphanumeric() || "._/~^-".contains(c);
        let fits = !name.is_empty()
            && name.chars().count() <= MAX_NAME_CHARS
            && name.chars().all(plain)
            && name.starts_with(|c: char| c.is_ascii_alphanumeric())
            && !name.ends_with(".lock");
        if fits { Ok(()) } else { Err(format!("{name:?} is no name of a commit or branch")) }
    }

    /// What it could do at worst, before files are looked at.
    pub const fn class(&self) -> ApprovalClass {
        match self {
            Self::ReadFile { .. }
            | Self::ListDirectory { .. }
            | Self::SearchFiles { .. }
            | Self::GitStatus {}
            | Self::GitDiff { .. }
            | Self::GitLog { .. }
            | Self::Plan { .. }
            | Self::TaskStatus { .. } => ApprovalClass::Read,
            Self::WriteFile { .. }
            | Self::EditFile { .. }
            | Self::GitCommit { .. }
            | Self::GitBranch { .. }
            | Self::ApplyTask { .. } => ApprovalClass::Write,
            Self::RunShell { .. } => ApprovalClass::Execute,
            Self::SubmitTask { .. } => ApprovalClass::Network,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(name: &str, arguments: Value) -> PastCall {
        let arguments = arguments.as_object().cloned().unwrap_or_default();
        PastCall { id: "c".to_owned(), name: name.to_owned(), arguments }
    }

    #[test]
    fn arguments_are_read_in_their_types_and_defaults() {
        let asked = |name, arguments| Asked::of(&call(name, arguments));
        assert_eq!(asked("git_status", json!({})), Ok(Asked::GitStatus {}));
        assert_eq!(
            asked("search_files", json!({"pattern": "x"})),
            Ok(Asked::SearchFiles { pattern: "x".into(), path: String::new(), include: None })
        );
        assert!(asked("read_file", json!({})).unwrap_err().contains("path"));
        assert!(asked("rm_rf", json!({})).is_err());
    }

    #[test]
    fn hole_07_names_for_git_are_never_options() {
        for name in ["--output=/tmp/x", "-p", "", "a b", "a;b", "HEAD@{u}", "a:b", "x.lock", "$(x)", "a\nb"] {
            let asked = Asked::of(&call("git_diff", json!({"ref": name})));
            assert!(asked.is_err(), "{name:?}");
            assert!(Asked::of(&call("git_branch", json!({"name": name}))).is_err(), "{name:?}");
        }
        for name in ["HEAD~2", "feature/x-1", "v1.0", "abc123^"] {
            assert!(Asked::of(&call("git_log", json!({"ref": name}))).is_ok(), "{name:?}");
        }
    }
}
