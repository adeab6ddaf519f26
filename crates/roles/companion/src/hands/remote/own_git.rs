//! A git directory of our own, made for one action: it stands on the project's objects, and its settings are written
//! here. Whatever the repository says of helpers, filters, addresses and programs is not read by the git that speaks with a
//! remote, nor by the one that writes files.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use edgecoder_agent::session::Address;
use tempfile::TempDir;

use crate::hands::plumbing::{Git, Plumbing, WITHIN};

/// Longest time of a conversation with a remote.
const SPEAKING: Duration = Duration::from_secs(180);
/// The remote's name in here.
pub(super) const REMOTE: &str = "theirs";

/// What is found of a remote is looked at before it is kept. The mistakes that old, honest histories are full of are let
/// pass.
const SPOKEN: &str = r#"
[transfer]
	fsckObjects = true
[fetch "fsck"]
	zeroPaddedFilemode = ignore
	badTimezone = ignore
	missingSpaceBeforeDate = ignore
[fetch]
	recurseSubmodules = false
	writeCommitGraph = false
[push]
	recurseSubmodules = no
	followTags = false
	gpgSign = false
[http]
	followRedirects = false
	lowSpeedLimit = 100
	lowSpeedTime = 30
[credential]
	interactive = false
[core]
	askPass =
	alternateRefsCommand = :
"#;

/// Nobody is asked for a password: keys come from the person's own settings and from what holds them, or not at all. A
/// connection that ssh keeps for the next time would keep git's complaints open.
const UNASKED: [(&str, &str); 5] = [
    ("GIT_ASKPASS", ""),
    ("SSH_ASKPASS", ""),
    ("SSH_ASKPASS_REQUIRE", "never"),
    ("GCM_INTERACTIVE", "never"),
    (
        "GIT_SSH_COMMAND",
        "ssh -oBatchMode=yes -oControlMaster=no -oConnectTimeout=20 -oServerAliveInterval=15",
    ),
];

/// What the repository may say of the machine's file system: words that start nothing.
const FILE_SYSTEM: &str = "^core\\.(filemode|ignorecase|symlinks|precomposeunicode|autocrlf|eol)$";
const WORDS: [&str; 6] = ["true", "false", "input", "lf", "crlf", "native"];

/// The directory. It ends with the value.
#[derive(Debug)]
pub(super) struct OwnGit {
    folder: TempDir,
    git: Git,
    address: Option<Address>,
}

/// Names of branches and where they stand.
pub(super) type Refs = BTreeMap<String, String>;

impl OwnGit {
    /// One that speaks with a remote, and with nobody else.
    pub(super) async fn speaking(plumbing: &Plumbing, address: &Address) -> Result<Self, String> {
        let url = address.full().replace('\\', "\\\\").replace('"', "\\\"");
        let settings = format!("{SPOKEN}[remote \"{REMOTE}\"]\n\turl = \"{url}\"\n");
        let mut own = Self::of(plumbing, &settings, SPEAKING).await?;
        own.git.env.extend(UNASKED.map(|(name, value)| (name, value.into())));
        own.git.env.push(("GIT_ALLOW_PROTOCOL", address.protocol().into()));
        own.address = Some(address.clone());
        Ok(own)
    }

    /// One that writes the project's files, and runs no filter for that.
    pub(super) async fn working(plumbing: &Plumbing, root: &Path) -> Result<Self, String> {
        let said = plumbing.run(&["config", "--get-regexp", FILE_SYSTEM], b"").await.unwrap_or_default();
        let mut settings = "[core]\n\tprotectHFS = true\n\tprotectNTFS = true\n".to_owned();
        for line in String::from_utf8_lossy(&said).lines() {
            if let Some((name, word)) = line.strip_prefix("core.").and_then(|line| line.split_once(' '))
                && WORDS.contains(&word)
            {
                // Writing to a string cannot fail.
                let _ = writeln!(settings, "\t{name} = {word}");
            }
        }
        let mut own = Self::of(plumbing, &settings, WITHIN).await?;
        let index = plumbing.directory.join("index");
        if std::fs::symlink_metadata(&index).is_ok_and(|found| !found.is_file()) {
            return Err("the project keeps its index elsewhere: use git by hand".to_owned());
        }
        own.git.env.extend([
            ("GIT_WORK_TREE", root.into()),
            ("GIT_INDEX_FILE", index.into()),
            // Also a person's own filters would be run by what a remote says of its files.
            ("GIT_CONFIG_GLOBAL", "/dev/null".into()),
            ("GIT_CONFIG_NOSYSTEM", "1".into()),
        ]);
        Ok(own)
    }

    async fn of(plumbing: &Plumbing, settings: &str, within: Duration) -> Result<Self, String> {
        if std::fs::symlink_metadata(plumbing.directory.join("shallow")).is_ok() {
            return Err("the clone is shallow: use git by hand".to_owned());
        }
        let objects = plumbing.directory.join("objects");
        // Through a link git would write wherever the repository likes.
        if !std::fs::symlink_metadata(&objects).is_ok_and(|found| found.is_dir()) {
            return Err("the project keeps its objects elsewhere: use git by hand".to_owned());
        }
        let format = plumbing.line(&["rev-parse", "--show-object-format"]).await?;
        let folder =
            made(&format, settings).map_err(|error| format!("git has no place to work in: {error}"))?;
        let env: Vec<(&str, OsString)> =
            vec![("GIT_DIR", folder.path().into()), ("GIT_OBJECT_DIRECTORY", objects.into())];
        let git = Git { at: folder.path().to_owned(), env, within };
        Ok(Self { folder, git, address: None })
    }

    /// Runs git; what it says holds no key of the address.
    pub(super) async fn run(&self, args: &[&str], input: &[u8]) -> Result<Vec<u8>, String> {
        let said = self.git.run(args, input).await;
        said.map_err(|why| match &self.address {
            Some(address) => address.redacted(&why),
            None => why,
        })
    }

    /// Tells it what the project has, so that no remote sends it again.
    pub(super) fn know(&self, refs: &Refs) -> Result<(), String> {
        let mut packed = "# pack-refs with: sorted \n".to_owned();
        for (name, hash) in refs {
            // Writing to a string cannot fail.
            let _ = writeln!(packed, "{hash} {name}");
        }
        let written = std::fs::write(self.folder.path().join("packed-refs"), packed);
        written.map_err(|error| format!("git has no place to work in: {error}"))
    }

    pub(super) async fn refs(&self, below: &str) -> Result<Refs, String> {
        Ok(read(&self.run(&LIST.iter().copied().chain([below]).collect::<Vec<_>>(), b"").await?))
    }
}

const LIST: [&str; 2] = ["for-each-ref", "--format=%(objectname) %(refname)"];

impl Plumbing {
    /// The project's own branches, and those it knows of a remote.
    pub(super) async fn refs(&self, below: &[&str]) -> Result<Refs, String> {
        Ok(read(&self.run(&[&LIST, below].concat(), b"").await?))
    }
}

fn read(said: &[u8]) -> Refs {
    let said = String::from_utf8_lossy(said);
    let line = |line: &str| line.split_once(' ').map(|(hash, name)| (name.to_owned(), hash.to_owned()));
    said.lines().filter_map(line).collect()
}

fn made(format: &str, settings: &str) -> std::io::Result<TempDir> {
    let folder = tempfile::Builder::new().prefix("edgecoder-git-").tempdir()?;
    let at = |name: &str| folder.path().join(name);
    std::fs::create_dir(at("refs"))?;
    // Also where git looks for objects when it is asked whether this is a directory of its own.
    std::fs::create_dir(at("objects"))?;
    std::fs::write(at("HEAD"), "ref: refs/heads/none\n")?;
    let first = "[core]\n\trepositoryformatversion = 1\n\tbare = true\n";
    std::fs::write(at("config"), format!("{first}[extensions]\n\tobjectFormat = {format}\n{settings}"))?;
    Ok(folder)
}
