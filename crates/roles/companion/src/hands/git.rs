//! Git without trust: a repository's configuration can name programs (filters, hooks, monitors), so git runs on the
//! project in the sandbox only. A commit made there comes back as objects, which plumbing that runs no program of
//! anybody's puts into the real repository.

use std::collections::BTreeMap;

use edgecoder_agent::session::{ApprovalClass, shown};
use edgecoder_sandbox::{Artefact, Exit, Job, Limits, Report};
use edgecoder_workspace::Project;
use tokio_util::sync::CancellationToken;

use super::plumbing::{Plumbing, SHOWN_CHARS, WITHIN};
use super::{Deed, Hands, Prepared};

/// Bytes that a commit may bring out of the sandbox.
const PACK_BYTES: u64 = 64 << 20;
/// Commits told where the model names no number.
const COMMITS: u32 = 10;
/// Commits told at most.
const MOST_COMMITS: u32 = 100;
/// Longest message of a commit.
const MESSAGE_CHARS: usize = 10_000;
/// Where a commit comes out of the sandbox.
const OUT: &str = ".edgecoder-out/";

/// What every script begins with. `safe.directory`, because the sandbox has other users; no optional locks, because
/// they would be writes for nothing.
macro_rules! script {
    ($body:literal) => {
        concat!(
            "g() { git --no-pager --no-optional-locks --literal-pathspecs -c safe.directory='*' ",
            "-c core.fsmonitor=false -c core.hooksPath=/dev/null -c commit.gpgSign=false -c gc.auto=0 \"$@\"; }\n",
            $body
        )
    };
}

const STATUS: &str = script!("g status --short --branch");
const CHANGED: &str = script!("g status --porcelain -z --no-renames --untracked-files=all");
const DIFF: &str =
    script!("g diff --no-ext-diff --no-textconv ${REF:+\"$REF\"} -- ${ABOUT_PATH:+\"$ABOUT_PATH\"}");
const LOG: &str =
    script!("g log --max-count=\"$COUNT\" --date=short --format='%h %ad %an: %s' \"${REF:-HEAD}\" --");
const COMMIT: &str = script!(
    r#"
export GIT_AUTHOR_NAME="$NAME" GIT_AUTHOR_EMAIL="$EMAIL" GIT_COMMITTER_NAME="$NAME" GIT_COMMITTER_EMAIL="$EMAIL"
set -e
branch=$(g symbolic-ref -q HEAD) || { echo "no branch is checked out" >&2; exit 3; }
old=$(g rev-parse -q --verify HEAD || true)
printf '%s' "$MESSAGE" >/tmp/.edgecoder-message
printf '%s\n' "$FILES" >/tmp/.edgecoder-paths
g add --pathspec-from-file=/tmp/.edgecoder-paths
g commit -q --no-verify -F /tmp/.edgecoder-message --only --pathspec-from-file=/tmp/.edgecoder-paths
new=$(g rev-parse HEAD)
mkdir .edgecoder-out
{ echo "$new"; [ -z "$old" ] || echo "^$old"; } | g pack-objects -q --revs --stdout >.edgecoder-out/pack
g diff-tree -r -z --no-renames --root --no-commit-id "$new" >.edgecoder-out/index
printf '%s\n%s\n%s\n' "$branch" "$old" "$new" >.edgecoder-out/refs
g log -1 --stat --format='%h %s' "$new"
"#
);

/// What git is asked by name: its scripts, each with its own variables.
type Variables = BTreeMap<&'static str, String>;

pub(super) fn status() -> Prepared {
    Prepared::of(ApprovalClass::Read, "git status", Deed::Look { script: STATUS, about: Variables::new() })
}

pub(super) fn log(count: Option<u32>, reference: Option<String>) -> Prepared {
    let count = count.unwrap_or(COMMITS).clamp(1, MOST_COMMITS).to_string();
    let about = Variables::from([("COUNT", count), ("REF", reference.unwrap_or_default())]);
    Prepared::of(ApprovalClass::Read, "git log", Deed::Look { script: LOG, about })
}

impl Hands {
    pub(super) fn git_diff(
        &self,
        reference: Option<String>,
        path: Option<String>,
    ) -> Result<Prepared, String> {
        let path = path.map(|path| self.path(&path)).transpose()?.unwrap_or_default();
        let about = Variables::from([("REF", reference.unwrap_or_default()), ("ABOUT_PATH", path)]);
        Ok(Prepared::of(ApprovalClass::Read, "git diff", Deed::Look { script: DIFF, about }))
    }

    pub(super) async fn git_commit(&self, message: String, files: Vec<String>) -> Result<Prepared, String> {
        let mut paths: Vec<String> = files.iter().map(|file| self.path(file)).collect::<Result<_, _>>()?;
        if paths.is_empty() || paths.iter().any(String::is_empty) {
            // What is approved is a list of names, never "whatever there will be".
            paths = self.changed().await?;
        }
        let asked = paths.clone();
        let look = move |project: &Project| {
            Ok(asked.into_iter().find_map(|path| project.secret(&path).map(|why| (path, why))))
        };
        if let Some((path, why)) = self.with_project(look).await? {
            return Err(format!("{} looks like a secret ({why}): it is not committed", shown::line(&path)));
        }
        if message.trim().is_empty() || message.contains('\0') || message.chars().count() > MESSAGE_CHARS {
            return Err("a commit needs a message of reasonable length".to_owned());
        }
        let title = format!("git commit {}: {}", shown::line(&paths.join(", ")), shown::line(&message));
        Ok(Prepared::of(ApprovalClass::Write, title, Deed::Commit { message, files: paths }))
    }

    /// Every path that differs from the commit that is checked out.
    async fn changed(&self) -> Result<Vec<String>, String> {
        let report = self.confined(CHANGED, Variables::new(), Vec::new(), &CancellationToken::new()).await?;
        if report.exit != Exit::Code(0) || report.stdout.truncated() {
            return Err("git cannot tell what changed: name the files to commit".to_owned());
        }
        let said = report.stdout.text();
        let paths: Vec<String> = said
            .split('\0')
            .filter_map(|entry| entry.get(3..))
            .filter(|path| !path.is_empty())
            .map(str::to_owned)
            .collect();
        if paths.is_empty() {
            return Err("there is nothing to commit".to_owned());
        }
        Ok(paths)
    }

    /// Git in the sandbox on the project itself, below a layer that is thrown away.
    pub(super) async fn look(
        &self,
        script: &'static str,
        about: Variables,
        stop: &CancellationToken,
    ) -> Result<String, String> {
        let report = self.confined(script, about, Vec::new(), stop).await?;
        let said = report.stdout.text();
        if report.exit != Exit::Code(0) {
            return Err(format!("git: {}", shown::clipped(report.stderr.text().trim(), SHOWN_CHARS)));
        }
        if let Some(why) = self.project.secret_in_diff(&said) {
            return Err(format!("it shows what looks like a secret ({why}): name one file that does not"));
        }
        Ok(if said.trim().is_empty() { "(nothing)".to_owned() } else { shown::clipped(&said, SHOWN_CHARS) })
    }

    async fn confined(
        &self,
        script: &'static str,
        env: Variables,
        collect: Vec<String>,
        stop: &CancellationToken,
    ) -> Result<Report, String> {
        let mut job = Job::new(&self.root, script);
        job.env = env.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        job.limits = Limits { wall: WITHIN, artefact_bytes: PACK_BYTES, ..Limits::default() };
        job.collect = collect;
        job.min_level = self.inner.config.min_level;
        let ran = self.inner.deps.sandbox.run(job, stop.clone()).await;
        ran.map_err(|error| format!("git was not run: {error}"))
    }

    pub(super) async fn commit(
        &self,
        message: String,
        files: Vec<String>,
        stop: &CancellationToken,
    ) -> Result<String, String> {
        let (name, email) = (self.who("user.name").await?, self.who("user.email").await?);
        if self.is_sparse().await {
            return Err("the checkout is sparse: commit by hand".to_owned());
        }
        let files = files.join("\n");
        let env = Variables::from([("NAME", name), ("EMAIL", email), ("MESSAGE", message), ("FILES", files)]);
        let report = self.confined(COMMIT, env, vec![OUT.to_owned()], stop).await?;
        if report.exit != Exit::Code(0) {
            let said = format!("{}{}", report.stdout.text(), report.stderr.text());
            return Err(format!("git: {}", shown::clipped(said.trim(), SHOWN_CHARS)));
        }
        let made = Made::of(&report).ok_or("the commit could not be taken out of the sandbox")?;
        let old = if made.old.is_empty() { "0".repeat(made.new.len()) } else { made.old };
        let plumbing = self.plumbing()?;
        plumbing.run(&["unpack-objects", "-q", "--strict"], &made.pack).await?;
        // The branch first: it moves only if nobody else moved it meanwhile.
        plumbing.run(&["update-ref", "-m", "commit", &made.branch, &made.new, &old], b"").await?;
        plumbing.reindex(&made.index).await?;
        Ok(shown::clipped(report.stdout.text().trim(), SHOWN_CHARS))
    }

    /// A new branch at the commit that is checked out: no file changes, so none is checked out anew.
    pub(super) async fn branch(&self, name: &str) -> Result<String, String> {
        let plumbing = self.plumbing()?;
        let full = format!("refs/heads/{name}");
        plumbing.run(&["check-ref-format", &full], b"").await?;
        let head = plumbing.line(&["rev-parse", "-q", "--verify", "HEAD"]).await?;
        let none = "0".repeat(head.len());
        plumbing.run(&["update-ref", &full, &head, &none], b"").await?;
        plumbing.run(&["symbolic-ref", "HEAD", &full], b"").await?;
        Ok(format!("on the new branch {name}"))
    }

    async fn who(&self, key: &str) -> Result<String, String> {
        let said = self.plumbing()?.line(&["config", "--get", key]).await.ok();
        said.filter(|said| !said.is_empty())
            .ok_or_else(|| format!("git does not know who commits: set {key}"))
    }

    /// Whether parts of the project are left out of its folder.
    pub(super) async fn is_sparse(&self) -> bool {
        let Ok(plumbing) = self.plumbing() else { return false };
        plumbing.line(&["config", "--get", "core.sparseCheckout"]).await.is_ok_and(|sparse| sparse == "true")
    }

    pub(super) fn plumbing(&self) -> Result<Plumbing, String> {
        Plumbing::of(&self.root)
    }
}

/// What a commit in the sandbox made.
struct Made {
    branch: String,
    old: String,
    new: String,
    pack: Vec<u8>,
    /// As `update-index -z --index-info` reads it.
    index: Vec<u8>,
}

impl Made {
    /// Taken apart with care: the repository may have had its say in there.
    fn of(report: &Report) -> Option<Self> {
        let found = |name: &str| {
            let name = format!("{OUT}{name}");
            let found = |artefact: &&Artefact| artefact.name == name;
            report.artefacts.iter().find(found)?.found.as_ref().ok().cloned()
        };
        let refs = String::from_utf8(found("refs")?).ok()?;
        let [branch, old, new] = refs.lines().collect::<Vec<_>>().try_into().ok()?;
        let named = branch.starts_with("refs/heads/") && !branch.contains(char::is_whitespace);
        let hash = |text: &str| [40, 64].contains(&text.len()) && text.bytes().all(|b| b.is_ascii_hexdigit());
        if !named || !hash(new) || !(old.is_empty() || hash(old)) {
            return None;
        }
        let changes = found("index")?;
        let mut fields = changes.split(|byte| *byte == 0).filter(|field| !field.is_empty());
        let mut index = Vec::new();
        while let Some(change) = fields.next() {
            index.extend(entry(std::str::from_utf8(change).ok()?, fields.next()?)?);
        }
        let (branch, old, new) = (branch.to_owned(), old.to_owned(), new.to_owned());
        Some(Self { branch, old, new, pack: found("pack")?, index })
    }
}

/// `:100644 100755 old new M` and a path as an entry of an index.
fn entry(change: &str, path: &[u8]) -> Option<Vec<u8>> {
    let fields: Vec<&str> = change.strip_prefix(':')?.split(' ').collect();
    let [_, mode, _, hash, _] = fields.try_into().ok()?;
    Some([format!("{mode} {hash}\t").as_bytes(), path, b"\0"].concat())
}
