//! Git as a program: how it is started, for how long, and how much of what it says is kept. And git's plumbing on the
//! real repository: commands that read no file of the project and run no program.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use edgecoder_agent::session::shown;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};

/// Longest time of one git.
pub(super) const WITHIN: Duration = Duration::from_secs(60);
/// Characters told of what git says.
pub(super) const SHOWN_CHARS: usize = 12_000;
/// Most that is taken of what git answers. A pack or a list of files is the longest.
const ANSWER_BYTES: u64 = 64 << 20;
/// Most that is kept of what git, and through it a server, complains of.
const COMPLAINT_BYTES: u64 = 64 << 10;
/// Where the index is written anew, beside git's own.
const NEW_INDEX: &str = "index.edgecoder";
/// What else could start a program, switched off everywhere.
const OFF: [&str; 4] =
    ["core.hooksPath=/dev/null", "core.fsmonitor=false", "gc.auto=0", "maintenance.auto=false"];

/// One way of starting git.
#[derive(Debug)]
pub(super) struct Git {
    /// Where it is started.
    pub(super) at: PathBuf,
    /// What its environment has besides ours.
    pub(super) env: Vec<(&'static str, OsString)>,
    /// Its longest time.
    pub(super) within: Duration,
}

impl Git {
    /// Runs it; what it answers, or what it complains of. Dropping this ends it.
    pub(super) async fn run(&self, args: &[&str], input: &[u8]) -> Result<Vec<u8>, String> {
        let output = tokio::time::timeout(self.within, self.output(args, input)).await;
        let output = output.map_err(|_| "git took too long".to_owned())?;
        let Output { status, stdout, stderr } = output.map_err(|error| format!("git: {error}"))?;
        if stdout.len() as u64 >= ANSWER_BYTES {
            return Err("git answers more than can be taken".to_owned());
        }
        if status.success() { Ok(stdout) } else { Err(format!("git: {}", harmless(&stderr))) }
    }

    async fn output(&self, args: &[&str], input: &[u8]) -> std::io::Result<Output> {
        let mut child = Command::new("git")
            .arg("-C")
            .arg(&self.at)
            .args(OFF.iter().flat_map(|setting| ["-c", setting]))
            .args(args)
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .env("GIT_NO_LAZY_FETCH", "1")
            .env("GIT_TERMINAL_PROMPT", "0")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let group = Group::of(&child);
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let write = async {
            if let Some(mut stdin) = stdin {
                // A git that does not read says itself why.
                let _closed_early = stdin.write_all(input).await;
            }
        };
        let (answer, complaint) = (kept(stdout, ANSWER_BYTES), kept(stderr, COMPLAINT_BYTES));
        let ((), stdout, stderr, status) = tokio::join!(write, answer, complaint, child.wait());
        group.let_go();
        Ok(Output { status: status?, stdout: stdout?, stderr: stderr? })
    }
}

/// Git and the programs that it speaks through. They end with whoever waits for them; what git leaves behind when it ends by
/// itself, such as the keeper of a key, is the person's.
struct Group(Option<Pid>);

impl Group {
    fn of(git: &Child) -> Self {
        Self(git.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw))
    }

    fn let_go(mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // An empty group is what we want; there is nobody to tell.
            let _gone = kill_process_group(group, Signal::KILL);
        }
    }
}

/// The first `most` bytes. The rest is read too, so that who writes comes to its end.
async fn kept(from: Option<impl AsyncRead + Unpin>, most: u64) -> std::io::Result<Vec<u8>> {
    let mut kept = Vec::new();
    if let Some(mut from) = from {
        (&mut from).take(most).read_to_end(&mut kept).await?;
        tokio::io::copy(&mut from, &mut tokio::io::sink()).await?;
    }
    Ok(kept)
}

/// What git and whoever it spoke with say, cut, and with what deceives spelled out.
fn harmless(said: &[u8]) -> String {
    let said = String::from_utf8_lossy(said);
    let lines: Vec<String> = said.trim().split(['\n', '\r']).map(shown::line).collect();
    shown::clipped(&lines.join("\n"), SHOWN_CHARS)
}

/// Git's plumbing on the real repository, with whatever could make it run a program switched off.
#[derive(Debug)]
pub(super) struct Plumbing {
    root: PathBuf,
    pub(super) directory: PathBuf,
}

impl Plumbing {
    pub(super) fn of(root: &Path) -> Result<Self, String> {
        let directory = root.join(".git");
        let own = std::fs::symlink_metadata(&directory).is_ok_and(|found| found.is_dir());
        if own {
            Ok(Self { root: root.to_owned(), directory })
        } else {
            Err("the project has no git directory of its own".to_owned())
        }
    }

    pub(super) async fn run(&self, args: &[&str], input: &[u8]) -> Result<Vec<u8>, String> {
        self.run_on("index", args, input).await
    }

    /// What a command answers in one line.
    pub(super) async fn line(&self, args: &[&str]) -> Result<String, String> {
        let said = self.run(args, b"").await?;
        Ok(String::from_utf8_lossy(&said).trim().to_owned())
    }

    async fn run_on(&self, index: &str, args: &[&str], input: &[u8]) -> Result<Vec<u8>, String> {
        let index = self.directory.join(index);
        let env = vec![("GIT_DIR", self.directory.clone().into()), ("GIT_INDEX_FILE", index.into())];
        Git { at: self.root.clone(), env, within: WITHIN }.run(args, input).await
    }

    /// Puts `changes` into the index, by writing it anew: one that is changed in place has files looked at again, and a
    /// filter of the repository would run for that. Git's own lock keeps others away meanwhile.
    pub(super) async fn reindex(&self, changes: &[u8]) -> Result<(), String> {
        let lock = self.directory.join("index.lock");
        let locked = std::fs::File::create_new(&lock);
        locked.map_err(|_| "the commit is made, but the index is locked: run `git reset`".to_owned())?;
        let written = async {
            let mut entries = self.run(&["ls-files", "-s", "-z"], b"").await?;
            entries.extend_from_slice(changes);
            self.run_on(NEW_INDEX, &["update-index", "-z", "--index-info"], &entries).await?;
            let renamed = std::fs::rename(self.directory.join(NEW_INDEX), self.directory.join("index"));
            renamed.map_err(|error| format!("the index cannot be written: {error}"))
        };
        let written = written.await;
        // Both are ours; a new index that is left is written over by the next commit.
        let _unlocked = std::fs::remove_file(&lock);
        written
    }
}
