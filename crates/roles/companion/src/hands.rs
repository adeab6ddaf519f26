//! What does things in a project. First an action is prepared: looked up, worked out and classed, so that what a person
//! is shown is the very thing that is done afterwards. Nothing is changed while preparing.

mod edit;
mod git;
mod plumbing;
mod queue;
mod read;
mod remote;
mod shell;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use edgecoder_agent::session::{ApprovalClass, Asked, PastCall, shown};
use edgecoder_base::{BlobHash, Patch, TaskId};
use edgecoder_workspace::Project;
use serde::Serialize;
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use crate::companion::Inner;
use crate::error::blocking;
use crate::event::DiffFile;
use crate::{BorrowedCall, Error};

/// The hands of one exchange, in one project.
#[derive(Debug)]
pub(crate) struct Hands {
    inner: Arc<Inner>,
    project: Arc<Project>,
    root: PathBuf,
}

/// An action that is ready to be shown and done.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Prepared {
    pub(crate) class: ApprovalClass,
    /// One line made from the action.
    pub(crate) title: String,
    /// What it changes.
    pub(crate) diffs: Vec<DiffFile>,
    pub(crate) deed: Deed,
    /// Why it cannot be done at all.
    pub(crate) failed: Option<String>,
    /// Another name than the call's, for what follows from a call.
    pub(crate) tool: Option<String>,
}

/// What is done, exactly.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Deed {
    Nothing,
    /// It was looked up already.
    Tell(String),
    /// Shows a file that looks like a secret.
    Reveal {
        path: String,
        offset: u32,
        limit: u32,
    },
    Apply(Patch),
    Run {
        command: String,
        timeout_ms: u64,
    },
    /// Git, in the sandbox, only looking.
    Look {
        script: &'static str,
        about: BTreeMap<&'static str, String>,
    },
    Commit {
        message: String,
        files: Vec<String>,
    },
    Branch {
        name: String,
    },
    /// Addresses are as they were shown.
    Fetch {
        remote: String,
        address: String,
    },
    Pull {
        remote: String,
        address: String,
        branch: String,
    },
    /// From one commit to another, by their hashes.
    FastForward {
        branch: String,
        old: String,
        new: String,
    },
    Push {
        remote: String,
        address: String,
        branch: String,
        commit: String,
    },
    Submit {
        request: String,
        verify: Option<String>,
    },
    TaskStatus {
        id: TaskId,
    },
    Borrowed {
        name: String,
        arguments: Map<String, Value>,
    },
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Performed {
    /// For the model.
    pub(crate) outcome: Result<String, String>,
    pub(crate) shell: Option<ShellOutput>,
    /// What has to be decided next.
    pub(crate) following: Option<Prepared>,
}

/// What a command said.
#[derive(Debug)]
pub(crate) struct ShellOutput {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) exit_code: i32,
}

impl Prepared {
    pub(crate) fn of(class: ApprovalClass, title: impl Into<String>, deed: Deed) -> Self {
        Self { class, title: title.into(), diffs: Vec::new(), deed, failed: None, tool: None }
    }

    /// Names the action: what is done, as what, in which session. Whoever approves names this.
    pub(crate) fn hash(&self, session: &str) -> BlobHash {
        let all = (session, self.class, &self.title, &self.deed);
        BlobHash::of(&serde_json::to_vec(&all).unwrap_or_default())
    }
}

impl Performed {
    fn told(outcome: Result<String, String>) -> Self {
        Self { outcome, shell: None, following: None }
    }

    pub(crate) fn failed(why: String) -> Self {
        Self::told(Err(why))
    }
}

impl Hands {
    /// Hands in the project at `root`, a directory that was checked.
    pub(crate) async fn new(inner: &Arc<Inner>, root: PathBuf) -> Result<Self, Error> {
        let at = root.clone();
        let project = blocking(move || Project::open(&at)).await?;
        let project = project.map_err(|error| Error::invalid(format!("projectRoot: {error}")))?;
        Ok(Self { inner: Arc::clone(inner), project: Arc::new(project), root })
    }

    /// The project's name.
    pub(crate) fn name(&self) -> &str {
        self.root.file_name().and_then(|name| name.to_str()).unwrap_or("project")
    }

    /// Whether git's own directory is there.
    pub(crate) fn is_repository(&self) -> bool {
        std::fs::symlink_metadata(self.root.join(".git")).is_ok_and(|found| found.is_dir())
    }

    /// Works out what a call would do. `Err` tells the model why it cannot be done.
    pub(crate) async fn prepare(&self, asked: Asked) -> Result<Prepared, String> {
        let class = asked.class();
        match asked {
            Asked::ReadFile { path, offset, limit } => self.read_file(path, offset, limit).await,
            Asked::ListDirectory { path } => self.list(path).await,
            Asked::SearchFiles { pattern, path, include } => self.search(pattern, path, include).await,
            Asked::WriteFile { path, content } => self.write(path, content).await,
            Asked::EditFile { path, old_string, new_string } => self.edit(path, old_string, new_string).await,
            Asked::RunShell { command, timeout } => Ok(shell::prepared(command, timeout)),
            Asked::GitStatus {} => Ok(git::status()),
            Asked::GitDiff { reference, path } => self.git_diff(reference, path),
            Asked::GitLog { count, reference } => Ok(git::log(count, reference)),
            Asked::GitCommit { message, files } => self.git_commit(message, files).await,
            Asked::GitBranch { name } => {
                let title = format!("git branch {}: make it here and switch to it", shown::line(&name));
                Ok(Prepared::of(class, title, Deed::Branch { name }))
            }
            Asked::GitFetch { remote } => self.git_fetch(remote).await,
            Asked::GitPull { remote, branch } => self.git_pull(remote, branch).await,
            Asked::GitPush { remote, branch } => self.git_push(remote, branch).await,
            Asked::SubmitTask { request, verify } => Ok(self.submission(request, verify)),
            Asked::TaskStatus { id } => {
                let id = queue::task_id(&id)?;
                Ok(Prepared::of(class, format!("state of {id}"), Deed::TaskStatus { id }))
            }
            Asked::ApplyTask { id } => self.apply_task(&id).await,
            Asked::Plan { .. } => Err("a plan is shown, not done".to_owned()),
        }
    }

    /// A call of somebody else's tool.
    pub(crate) fn borrow(&self, call: &PastCall, class: ApprovalClass) -> Prepared {
        let arguments = Value::Object(call.arguments.clone()).to_string();
        let title = format!("{} {}", shown::line(&call.name), shown::line(&arguments));
        let (name, arguments) = (call.name.clone(), call.arguments.clone());
        Prepared::of(class, title, Deed::Borrowed { name, arguments })
    }

    /// Does it.
    pub(crate) async fn perform(&self, deed: Deed, stop: &CancellationToken) -> Performed {
        match deed {
            Deed::Nothing => Performed::told(Ok(String::new())),
            Deed::Tell(text) => Performed::told(Ok(text)),
            Deed::Reveal { path, offset, limit } => Performed::told(self.reveal(path, offset, limit).await),
            Deed::Apply(patch) => Performed::told(self.apply(patch).await),
            Deed::Run { command, timeout_ms } => self.run_shell(command, timeout_ms, stop).await,
            Deed::Look { script, about } => Performed::told(self.look(script, about, stop).await),
            Deed::Commit { message, files } => Performed::told(self.commit(message, files, stop).await),
            Deed::Branch { name } => Performed::told(self.branch(&name).await),
            Deed::Fetch { remote, address } => Performed::told(self.fetch(&remote, &address).await),
            Deed::Pull { remote, address, branch } => self.pull(&remote, &address, &branch).await,
            Deed::FastForward { branch, old, new } => {
                Performed::told(self.fast_forward(&branch, &old, &new).await)
            }
            Deed::Push { remote, address, branch, commit } => {
                Performed::told(self.push(&remote, &address, &branch, &commit).await)
            }
            Deed::Submit { request, verify } => Performed::told(self.submit(request, verify).await),
            Deed::TaskStatus { id } => Performed::told(self.task_status(id).await),
            Deed::Borrowed { name, arguments } => {
                let call = BorrowedCall { name, arguments, project: self.root.clone() };
                Performed::told(self.inner.deps.toolbox.call(call, stop.clone()).await)
            }
        }
    }

    /// Work on the project off the async threads; errors as the model may read them.
    async fn with_project<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Project) -> Result<T, edgecoder_workspace::Error> + Send + 'static,
    ) -> Result<T, String> {
        let project = Arc::clone(&self.project);
        let done = blocking(move || work(&project)).await.map_err(|error| error.message)?;
        done.map_err(|error| error.to_string())
    }

    /// The path below the root that the model means.
    fn path(&self, path: &str) -> Result<String, String> {
        let below = self.project.relative(path);
        below.ok_or_else(|| format!("{}: not a path inside the project", shown::line(path)))
    }
}
