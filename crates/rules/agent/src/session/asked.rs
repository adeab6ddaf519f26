//! A call of one of our own tools with its arguments in their types, and how grave it is as far as the call alone tells.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::approval::ApprovalClass;
use super::turn::PastCall;

/// Longest name of a branch, commit or remote that is passed on to git.
const MAX_NAME_CHARS: usize = 200;

fn origin() -> String {
    "origin".to_owned()
}

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
    GitFetch {
        #[serde(default = "origin")]
        remote: String,
    },
    GitPull {
        #[serde(default = "origin")]
        remote: String,
        #[serde(default)]
        branch: Option<String>,
    },
    GitPush {
        #[serde(default = "origin")]
        remote: String,
        #[serde(default)]
        branch: Option<String>,
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
        match self {
            Self::GitDiff { reference: Some(name), .. }
            | Self::GitLog { reference: Some(name), .. }
            | Self::GitBranch { name } => plain(name, "._/~^-"),
            Self::GitFetch { remote } => plain(remote, "._-"),
            Self::GitPull { remote, branch } | Self::GitPush { remote, branch } => {
                plain(remote, "._-")?;
                branch.as_deref().map_or(Ok(()), |branch| plain(branch, "._/-"))
            }
            Self::GitDiff { reference: None, .. }
            | Self::GitLog { reference: None, .. }
            | Self::ReadFile { .. }
            | Self::ListDirectory { .. }
            | Self::SearchFiles { .. }
            | Self::GitStatus {}
            | Self::Plan { .. }
            | Self::WriteFile { .. }
            | Self::EditFile { .. }
            | Self::RunShell { .. }
            | Self::GitCommit { .. }
            | Self::SubmitTask { .. }
            | Self::TaskStatus { .. }
            | Self::ApplyTask { .. } => Ok(()),
        }
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
            Self::SubmitTask { .. } | Self::GitFetch { .. } | Self::GitPull { .. } | Self::GitPush { .. } => {
                ApprovalClass::Network
            }
        }
    }
}

/// Whether a name has nothing but letters, digits and `marks`, and starts like a name.
fn plain(name: &str, marks: &str) -> Result<(), String> {
    let fits = !name.is_empty()
        && name.chars().count() <= MAX_NAME_CHARS
        && name.chars().all(|c| c.is_ascii_alphanumeric() || marks.contains(c))
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && !name.ends_with(".lock");
    if fits { Ok(()) } else { Err(format!("{name:?} is no name of a commit, branch or remote")) }
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
            assert!(Asked::of(&call("git_fetch", json!({"remote": name}))).is_err(), "{name:?}");
            assert!(Asked::of(&call("git_push", json!({"branch": name}))).is_err(), "{name:?}");
        }
        for name in ["HEAD~2", "feature/x-1", "v1.0", "abc123^"] {
            assert!(Asked::of(&call("git_log", json!({"ref": name}))).is_ok(), "{name:?}");
        }
        for address in ["https://host.example/a", "host:a", "../a", "a/b"] {
            assert!(Asked::of(&call("git_pull", json!({"remote": address}))).is_err(), "{address:?}");
        }
        let pull = Asked::GitPull { remote: "origin".to_owned(), branch: None };
        assert_eq!(Asked::of(&call("git_pull", json!({}))), Ok(pull));
    }
}
