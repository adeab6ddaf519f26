//! `edgecoder apply`: a proven patch goes into a working directory exactly, or not at all. Git is used only when
//! asked for, and never runs a hook.

use std::path::Path;

use edgecoder_base::Patch;
use edgecoder_net::ApiClient;
use edgecoder_protocol::api::tasks::TaskView;
use edgecoder_workspace::patch::{ApplyMode, apply_to_directory};
use tokio::process::Command;

use super::session::{Need, with_client};
use super::{ApplyArgs, Context};
use crate::error::{Error, Exit};
use crate::output::{Style, harmless};

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
    apply_to_directory(&args.repo, &patch, ApplyMode::Check)?;
    if let Some(branch) = &args.branch {
        git(&args.repo, &["switch", "--create", branch]).await?;
    }
    apply_to_directory(&args.repo, &patch, ApplyMode::Write)?;
    let paths: Vec<&str> = patch.changes.iter().map(|change| change.path.as_str()).collect();
    if args.commit {
        commit(&args.repo, &task, &paths).await?;
    }
    let done = context.out.paint(Style::Good, "applied");
    context.out.line(format_args!("{done}: {}", harmless(&paths.join(", "))));
    Ok(Exit::Done)
}

/// Patches of several subtasks, made one after the other, as one.
fn together(patches: &[Patch]) -> Patch {
    let mut whole = Patch::default();
    for change in patches.iter().flat_map(|patch| &patch.changes) {
        whole.set(&change.path, change.before, change.after.clone());
    }
    whole
}

async fn commit(repo: &Path, task: &TaskView, paths: &[&str]) -> Result<(), Error> {
    let mut add = vec!["add", "--"];
    add.extend(paths);
    git(repo, &add).await?;
    let message = message(task);
    // Only the patch's own paths: whatever else is staged stays as it is.
    let mut commit = vec!["commit", "--quiet", "--no-verify", "--message", &message, "--"];
    commit.extend(paths);
    git(repo, &commit).await
}

fn message(task: &TaskView) -> String {
    let subject: String =
        harmless(task.request.lines().next().unwrap_or_default()).chars().take(SUBJECT_CHARS).collect();
    let proof = match (&task.verifier, task.result.as_ref().is_some_and(|result| result.verified_by_user)) {
        (Some(verifier), true) => format!("Proven by `{}`.", verifier.command),
        _ => "Not proven by a verifier of the user's.".to_owned(),
    };
    format!("{subject}\n\n{proof}\nEdgeCoder task: {}\n", task.id)
}

async fn git(repo: &Path, args: &[&str]) -> Result<(), Error> {
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
    Err(Error::Git { command: args.first().copied().unwrap_or_default().to_owned(), detail })
}

#[cfg(test)]
mod tests {
    use edgecoder_base::BlobHash;

    use super::*;

    #[test]
    fn patches_of_a_plan_become_one_from_first_before_to_last_after() {
        let (old, middle) = (BlobHash::of(b"old"), BlobHash::of(b"middle"));
        let mut first = Patch::default();
        first.set("b", Some(old), Some("middle".into()));
        let mut second = Patch::default();
        second.set("a", None, Some("new".into()));
        second.set("b", Some(middle), Some("last".into()));
        let mut whole = Patch::default();
        whole.set("a", None, Some("new".into()));
        whole.set("b", Some(old), Some("last".into()));
        assert_eq!(together(&[first, second]), whole);
    }
}
