//! Commands: in the sandbox, on a frozen copy of the project, without network. What a command wrote comes back as a
//! patch, which is an action of its own; nothing of a run touches the project.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use edgecoder_agent::session::{ApprovalClass, shown};
use edgecoder_base::snapshot::is_safe_path;
use edgecoder_base::{BlobHash, Manifest, Patch};
use edgecoder_sandbox::{Artefact, Exit, Job, Limits, Refused, Report};
use edgecoder_workspace::{FreezeOptions, Tree, freeze};
use tokio_util::sync::CancellationToken;

use super::{Deed, Hands, Performed, Prepared, ShellOutput};
use crate::error::blocking;

/// Time of a command that names none.
const USUAL: Duration = Duration::from_secs(30);
/// Longest time of one.
const LONGEST: Duration = Duration::from_secs(600);
/// Characters of each stream that are shown and told.
const SHOWN_CHARS: usize = 8_000;
/// Longest command.
const COMMAND_CHARS: usize = 16_384;
/// Where the script leaves what changed.
const OUT: &str = ".edgecoder-out/";

/// Notes the tree, runs the command, and lays out what differs afterwards. Git compares, because it honours what the
/// project ignores; its directory is a throw-away one, so nothing of the project's own git is read or run.
const SCRIPT: &str = r#"
g() { git --git-dir=/tmp/.edgecoder.git --work-tree=/job -c core.autocrlf=false -c core.fileMode=false -c gc.auto=0 "$@"; }
before=$(g init -q 2>/dev/null && g add -A . 2>/dev/null && g write-tree 2>/dev/null)
/bin/sh -c "$EDGECODER_COMMAND"
code=$?
cd /job || exit $code
rm -rf .edgecoder-out && mkdir .edgecoder-out || exit $code
if [ -n "$before" ] && g add -A . ':!.edgecoder-out' >/dev/null 2>&1; then
    g diff-index --cached --name-only --no-renames --diff-filter=D -z "$before" >.edgecoder-out/deleted
    g diff-index --cached --name-only --no-renames --diff-filter=d -z "$before" |
        g checkout-index -z --stdin --prefix=/job/.edgecoder-out/changed/ 2>/dev/null
    echo whole >.edgecoder-out/whole
fi
exit $code
"#;

/// A command as an action.
pub(super) fn prepared(command: String, timeout_ms: Option<u32>) -> Prepared {
    let asked = timeout_ms.map_or(USUAL, |ms| Duration::from_millis(ms.into()));
    let within = asked.clamp(Duration::from_secs(1), LONGEST);
    let title = format!("run in the sandbox, at most {} s: {}", within.as_secs(), shown::line(&command));
    let timeout_ms = u64::try_from(within.as_millis()).unwrap_or(u64::MAX);
    let failed = (command.contains('\0') || command.chars().count() > COMMAND_CHARS)
        .then(|| "the command is too long, or no text".to_owned());
    Prepared { failed, ..Prepared::of(ApprovalClass::Execute, title, Deed::Run { command, timeout_ms }) }
}

/// A frozen copy that is laid out.
struct Copy {
    tree: Tree,
    manifest: Manifest,
}

impl Hands {
    pub(super) async fn run_shell(
        &self,
        command: String,
        timeout_ms: u64,
        stop: &CancellationToken,
    ) -> Performed {
        let copy = match self.copy().await {
            Ok(copy) => copy,
            Err(why) => return Performed::failed(why),
        };
        let mut job = Job::new(copy.tree.path(), SCRIPT);
        job.env = BTreeMap::from([("EDGECODER_COMMAND".to_owned(), command.clone())]);
        job.limits = Limits { wall: Duration::from_millis(timeout_ms), ..Limits::default() };
        job.collect = vec![OUT.to_owned()];
        job.min_level = self.inner.config.min_level;
        let report = match self.inner.deps.sandbox.run(job, stop.clone()).await {
            Ok(report) => report,
            Err(error) => return Performed::failed(format!("the command was not run: {error}")),
        };
        let (stdout, stderr) = (report.stdout.text(), report.stderr.text());
        let shell = ShellOutput {
            stdout: shown::clipped(&stdout, SHOWN_CHARS),
            stderr: shown::clipped(&stderr, SHOWN_CHARS),
            exit_code: exit_code(report.exit),
        };
        let (patch, notes) = wrote(&report, &copy.manifest);
        let mut told = vec![format!("exit status {}", shell.exit_code)];
        told.extend([shell.stdout.clone(), shell.stderr.clone()].into_iter().filter(|text| !text.is_empty()));
        told.extend(notes.iter().map(|note| format!("[{note}]")));
        let following = (!patch.is_empty()).then(|| self.what_it_wrote(&command, patch, &copy.manifest));
        Performed { outcome: Ok(told.join("\n")), shell: Some(shell), following }
    }

    /// What a command wrote, as an action.
    fn what_it_wrote(&self, command: &str, patch: Patch, manifest: &Manifest) -> Prepared {
        let blobs = &self.inner.deps.blobs;
        let before = |change: &edgecoder_base::Change| {
            let hash = manifest.get(&change.path)?.hash;
            String::from_utf8(blobs.read(&hash).ok()?).ok()
        };
        let mut prepared = Self::patching("keep what the command wrote:", patch, before);
        prepared.title = format!("{} (after {})", prepared.title, shown::line(command));
        prepared.tool = Some("keep_changes".to_owned());
        prepared
    }

    /// The project as it is now, without secrets and what is ignored, laid out for the sandbox.
    async fn copy(&self) -> Result<Copy, String> {
        let (root, deps) = (self.root.clone(), self.inner.deps.clone());
        let copied = blocking(move || {
            let blobs = Arc::clone(&deps.blobs);
            let frozen = freeze(&root, &FreezeOptions::default(), &*blobs)?;
            let tree = deps.trees.materialise(&frozen.manifest, &*blobs)?;
            Ok::<_, edgecoder_workspace::Error>(Copy { tree, manifest: frozen.manifest })
        });
        copied.await.map_err(|error| error.message)?.map_err(|error| error.to_string())
    }
}

/// What a run left, against what it began with; and what could not be taken.
fn wrote(report: &Report, manifest: &Manifest) -> (Patch, Vec<String>) {
    let (mut patch, mut notes, mut whole) = (Patch::default(), Vec::new(), false);
    for Artefact { name, found } in &report.artefacts {
        let Some(name) = name.strip_prefix(OUT) else { continue };
        match (name, found) {
            ("whole", Ok(_)) => whole = true,
            ("deleted", Ok(bytes)) => deletions(bytes, manifest, &mut patch),
            (name, Ok(bytes)) => {
                let Some(path) = name.strip_prefix("changed/") else { continue };
                match std::str::from_utf8(bytes) {
                    Ok(text) if is_safe_path(path) => {
                        let before = manifest.get(path).map(|file| file.hash);
                        if before != Some(BlobHash::of(bytes)) {
                            patch.set(path, before, Some(text.to_owned()));
                        }
                    }
                    Ok(_) | Err(_) => notes.push(format!("{path} is not text and was not kept")),
                }
            }
            ("", Err(Refused::Missing | Refused::NotRegular)) => {}
            (name, Err(why)) => notes.push(format!("{name} was not kept: {why}")),
        }
    }
    if !whole {
        // Without the mark nobody knows what is missing, and half of a change is no change.
        let ended = matches!(report.exit, Exit::Code(_));
        let why =
            if ended { "what it wrote cannot be told" } else { "it was ended; nothing it wrote is kept" };
        return (Patch::default(), vec![why.to_owned()]);
    }
    (patch, notes)
}

fn deletions(names: &[u8], manifest: &Manifest, patch: &mut Patch) {
    for name in names.split(|byte| *byte == 0).filter_map(|name| std::str::from_utf8(name).ok()) {
        if let Some(file) = manifest.get(name) {
            patch.set(name, Some(file.hash), None);
        }
    }
}

/// As a shell tells it.
pub(super) fn exit_code(exit: Exit) -> i32 {
    match exit {
        Exit::Code(code) => code,
        Exit::Signal(signal) => 128 + signal,
        Exit::WallTimeout | Exit::CpuTimeout => 124,
        Exit::OutputFlood | Exit::OutOfMemory => 137,
    }
}
