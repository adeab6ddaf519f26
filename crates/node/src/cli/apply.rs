//! `edgecoder apply`: a proven patch goes into a working directory exactly, or not at all. Git is used only when
//! asked for, and never runs a hook.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use clap::Args;
use edgecoder_base::{Patch, TaskId};
use edgecoder_net::ApiClient;
use edgecoder_protocol::api::tasks::TaskView;
use edgecoder_workspace::patch::{ApplyMode, apply_to_directory};
use tokio::process::Command;

use super::Context;
use super::session::{Need, with_client};
use crate::error::{Error, Exit};
use crate::output::{Style, harmless};
use crate::working_directory::{is_in_place, paths_of, together};

#[derive(Debug, Args)]
pub(crate) struct ApplyArgs {
    /// The task
    pub(crate) id: TaskId,
    /// The working directory
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(crate) repo: PathBuf,
    /// Make this git branch first
    #[arg(long, value_name = "NAME")]
    pub(crate) branch: Option<String>,
    /// Commit the change with git
    #[arg(long)]
    pub(crate) commit: bool,
    /// Say that the review notes on the patch were read; a patch with notes is applied only then
    #[arg(long)]
    pub(crate) accept_notes: bool,
}

/// Bytes of git's complaint that are shown.
const SHOWN_BYTES: usize = 2_000;
/// Longest first line of a commit message.
const SUBJECT_CHARS: usize = 72;

pub(super) async fn run(context: &Context, args: ApplyArgs) -> Result<Exit, Error> {
    with_client(context, Need::Queue, async |client| apply(context, client, &args).await).await
}

async fn apply(context: &Context, client: &ApiClient, args: &ApplyArgs) -> Result<Exit, Error> {
    let task = client.task(&args.id).await?;
    let patch = together(&client.patches(&args.id).await?);
    if patch.is_empty() {
        return Err(Error::Usage(format!("task {} has no patch to apply", args.id)));
    }
    let paths = harmless(&paths_of(&patch).join(", "));
    if is_in_place(&args.repo, &patch) {
        context.out.line(format_args!("already applied: {paths}"));
        return Ok(Exit::Done);
    }
    let notes = task.result.as_ref().map(|result| result.notes.as_slice()).unwrap_or_default();
    super::render::notes(context.out, notes).into_iter().for_each(|note| context.out.note(note));
    if !notes.is_empty() && !args.accept_notes {
        let why =
            format!("the patch has {} review notes; look at them, then give --accept-notes", notes.len());
        return Err(Error::Usage(why));
    }
    let message = args.commit.then(|| message(&task));
    put(&args.repo, &patch, args.branch.as_deref(), message.as_deref()).await?;
    context.out.line(format_args!("{}: {paths}", context.out.paint(Style::Good, "applied")));
    Ok(Exit::Done)
}

/// Writes the patch, on a branch of its own and as a commit where asked for. Nothing happens when it does not fit.
async fn put(repo: &Path, patch: &Patch, branch: Option<&str>, commit: Option<&str>) -> Result<(), Error> {
    apply_to_directory(repo, patch, ApplyMode::Check)?;
    if let Some(branch) = branch {
        git(repo, &["switch", "--quiet", "--create", branch]).await?;
    }
    apply_to_directory(repo, patch, ApplyMode::Write)?;
    let Some(message) = commit else { return Ok(()) };
    let paths = paths_of(patch);
    let with_paths = |words: &[&'static str]| -> Vec<String> {
        words.iter().copied().chain(paths.iter().copied()).map(str::to_owned).collect()
    };
    git(repo, &with_paths(&["add", "--"])).await?;
    // Only the patch's own paths: whatever else is staged stays as it is.
    let mut commit: Vec<String> =
        ["commit", "--quiet", "--no-verify", "--message", message].map(str::to_owned).into();
    commit.extend(with_paths(&["--"]));
    git(repo, &commit).await
}

fn message(task: &TaskView) -> String {
    let subject = subject(&harmless(task.request.lines().next().unwrap_or_default()));
    let proof = match (&task.verifier, task.result.as_ref().is_some_and(|result| result.verified_by_user)) {
        (Some(verifier), true) => format!("Proven by `{}`.", verifier.command),
        _ => "Not proven by a verifier of the user's.".to_owned(),
    };
    format!("{subject}\n\n{proof}\nEdgeCoder task: {}\n", task.id)
}

/// The request as the first line of a commit: cut between words, and seen to be cut.
fn subject(request: &str) -> String {
    if request.chars().count() <= SUBJECT_CHARS {
        return request.to_owned();
    }
    let kept: String = request.chars().take(SUBJECT_CHARS - 1).collect();
    let end = kept.rfind(' ').unwrap_or(kept.len());
    format!("{}…", kept[..end].trim_end())
}

async fn git(repo: &Path, args: &[impl AsRef<OsStr>]) -> Result<(), Error> {
    let hooks = if cfg!(windows) { "core.hooksPath=NUL" } else { "core.hooksPath=/dev/null" };
    let output = Command::new("git")
        .arg("-C")
        .arg(repo)
        .args(["-c", hooks, "-c", "core.fsmonitor=false", "--literal-pathspecs"])
        .args(args)
        .stdin(std::process::Stdio::null())
        .output()
        .await
        .map_err(Error::io("start", "git"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let detail = harmless(said.trim()).chars().take(SHOWN_BYTES).collect();
    Err(Error::Git {
        command: args.first().map(|verb| verb.as_ref().to_string_lossy().into_owned()).unwrap_or_default(),
        detail,
    })
}

#[cfg(test)]
mod tests {
    use edgecoder_base::BlobHash;

    use super::*;

    /// A repository with one commit, a hook that would tell, and something staged.
    async fn repository() -> (tempfile::TempDir, Patch) {
        let home = tempfile::tempdir().unwrap();
        let repo = home.path();
        std::fs::write(repo.join("a.py"), "old\n").unwrap();
        let identity = |key: &str| ["config".to_owned(), format!("user.{key}"), "t@example.org".to_owned()];
        git(repo, &["init", "--quiet"]).await.unwrap();
        git(repo, &identity("name")).await.unwrap();
        git(repo, &identity("email")).await.unwrap();
        git(repo, &["config", "commit.gpgsign", "false"]).await.unwrap();
        git(repo, &["add", "a.py"]).await.unwrap();
        git(repo, &["commit", "--quiet", "--message", "first"]).await.unwrap();
        for hook in ["pre-commit", "post-checkout", "post-commit"] {
            let hook = repo.join(".git/hooks").join(hook);
            std::fs::create_dir_all(hook.parent().unwrap()).unwrap();
            std::fs::write(&hook, format!("#!/bin/sh\ntouch '{}'\n", repo.join("hooked").display())).unwrap();
            #[cfg(unix)]
            std::fs::set_permissions(&hook, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        }
        std::fs::write(repo.join("staged"), "mine").unwrap();
        git(repo, &["add", "staged"]).await.unwrap();
        let mut patch = Patch::default();
        patch.set("a.py", Some(BlobHash::of(b"old\n")), Some("new\n".into()));
        patch.set("b.py", None, Some("b\n".into()));
        (home, patch)
    }

    async fn said(repo: &Path, args: &[&str]) -> String {
        let output = Command::new("git").arg("-C").arg(repo).args(args).output().await.unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    #[tokio::test]
    async fn a_commit_holds_the_patch_alone_and_runs_no_hook() {
        let (home, patch) = repository().await;
        let repo = home.path();
        assert!(!is_in_place(repo, &patch));
        put(repo, &patch, Some("work"), Some("second")).await.unwrap();
        assert_eq!(said(repo, &["branch", "--show-current"]).await, "work");
        assert_eq!(said(repo, &["show", "--format=%s", "--name-only"]).await, "second\n\na.py\nb.py");
        assert_eq!(said(repo, &["diff", "--cached", "--name-only"]).await, "staged");
        assert!(is_in_place(repo, &patch) && !repo.join("hooked").is_file());
    }

    #[tokio::test]
    async fn a_dirty_file_refuses_before_a_branch_is_made() {
        let (home, patch) = repository().await;
        let repo = home.path();
        std::fs::write(repo.join("a.py"), "mine\n").unwrap();
        let error = put(repo, &patch, Some("work"), Some("second")).await.unwrap_err();
        assert!(error.to_string().contains("a.py"), "{error}");
        assert_eq!(said(repo, &["branch", "--list", "work"]).await, "");
        assert_eq!(std::fs::read_to_string(repo.join("a.py")).unwrap(), "mine\n");
    }

    #[tokio::test]
    async fn what_git_refuses_is_said_in_its_words() {
        let (home, patch) = repository().await;
        let error = put(home.path(), &patch, Some("bad name"), None).await.unwrap_err();
        assert!(
            matches!(&error, Error::Git { command, detail } if command == "switch" && detail.contains("bad name"))
        );
    }

    #[test]
    fn a_subject_is_cut_between_words() {
        let check = |request: &str, expected: &str| assert_eq!(subject(request), expected);
        check("add a function", "add a function");
        check(
            "add a function that returns the median of a list of numbers to the statistics module please",
            "add a function that returns the median of a list of numbers to the…",
        );
        check(&"é".repeat(80), &format!("{}…", "é".repeat(71)));
    }
}
