//! The conversation between node and launcher, and the pure function that turns a job into it.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use edgecoder_base::Level;
use edgecoder_base::snapshot::is_safe_path;
use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::error::Error;
use crate::execution::{Job, Limits};
use crate::fault::Fault;
use crate::shown::{self, Shown, ShownTree};

mod host;
mod macos;
mod outcome;
mod windows;

pub use host::HostLaunch;
pub use outcome::{Failure, Layers, Outcome, Stage};
pub use windows::{AppContainer, Grant, JobObject, WindowsLaunch};

/// Longest header the launcher reads: 200,000 paths of ordinary length.
const MAX_HEADER_BYTES: u32 = 64 * 1024 * 1024;
/// Most content of laid files: a patch is small, a hidden test suite rarely exceeds this.
const MAX_CONTENT_BYTES: u64 = 256 * 1024 * 1024;
/// Longest command; `execve` refuses single arguments over 128 KiB.
const MAX_COMMAND_BYTES: usize = 128 * 1024 - 1;
/// Most names of artefacts, each of ordinary length.
const MAX_COLLECT: usize = 256;
/// The system's part of `PATH` inside.
const SYSTEM_PATH: &str = "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin";
/// Credentials that package tools keep inside their own root; an empty file stands in their place.
const MASKED: &[&str] =
    &["credentials", "credentials.toml", ".netrc", ".npmrc", ".pypirc", ".git-credentials", ".env"];
/// Tool chains that must be told where they live, because `HOME` is not theirs: last component, variable.
const ROOT_VARIABLES: &[(&str, &str)] = &[
    (".cargo", "CARGO_HOME"),
    (".rustup", "RUSTUP_HOME"),
    (".pyenv", "PYENV_ROOT"),
    (".nvm", "NVM_DIR"),
    (".volta", "VOLTA_HOME"),
    (".rbenv", "RBENV_ROOT"),
    (".bun", "BUN_INSTALL"),
];

/// Everything the launcher needs, with nothing left for it to decide.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LaunchSpec {
    /// The lower tree of `/job`.
    pub root: PathBuf,
    /// Files laid over it; contents follow the header in this order.
    pub files: Vec<LaidFile>,
    /// Program and arguments.
    pub argv: Vec<String>,
    /// The whole environment.
    pub env: BTreeMap<String, String>,
    /// Read-only trees at their own path.
    pub tool_chains: Vec<PathBuf>,
    /// Names hidden in the top of every tool chain.
    pub masked: Vec<String>,
    /// Read-only trees at a place that is not their own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shown: Vec<ShownTree>,
    /// Whether the run makes such a tree: its place is writable, and there is a gate.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub workshop: bool,
    /// Whether somebody talks with the command: its output is a socket, which is its input too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub spoken: bool,
    /// Bounds.
    pub limits: LaunchLimits,
    /// Artefacts to bring back; a folder ends in `/`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub collect: Vec<String>,
    /// Less is refused before the command starts.
    pub min_level: Level,
    /// Layers that are to fail; only a launcher built for development accepts any.
    #[doc(hidden)]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<Fault>,
}

/// One file laid over the tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LaidFile {
    /// Relative path, safe.
    pub path: String,
    /// Size of the content, bytes; none deletes.
    pub size: Option<u64>,
    /// Whether the owner may execute it.
    pub executable: bool,
}

/// Bounds the launcher keeps; output is bounded by the node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LaunchLimits {
    /// Wall-clock time.
    pub wall_ms: u64,
    /// Processor time.
    pub cpu_ms: u64,
    /// Memory of programs.
    pub memory_bytes: u64,
    /// Processes and threads.
    pub processes: u32,
    /// Files in `/job` and `/tmp`.
    pub disk_bytes: u64,
    /// Artefacts brought back, all together.
    pub artefact_bytes: u64,
    /// Processor time per time that passes, thousandths of a core; none: every core, at half the share.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub millicores: Option<NonZeroU32>,
}

impl From<&Limits> for LaunchLimits {
    fn from(limits: &Limits) -> Self {
        let ms = |time: std::time::Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        Self {
            wall_ms: ms(limits.wall),
            cpu_ms: ms(limits.cpu),
            memory_bytes: limits.memory_bytes,
            processes: limits.processes,
            disk_bytes: limits.disk_bytes,
            artefact_bytes: limits.artefact_bytes,
            millicores: None,
        }
    }
}

impl LaunchSpec {
    /// The launch of `job` under `config`. Refuses paths and names that no honest job has.
    pub fn new(config: &Config, job: &Job) -> Result<Self, Error> {
        check(job)?;
        let files = job.files.iter().map(|file| LaidFile {
            path: file.path.clone(),
            size: file.content.as_ref().map(|content| content.len() as u64),
            executable: file.executable,
        });
        Ok(Self {
            root: job.root.clone(),
            files: files.collect(),
            argv: vec!["/bin/sh".into(), "-c".into(), job.command.clone()],
            env: ahead(environment(config, &job.env), &job.shown),
            tool_chains: config.tool_chains.clone(),
            masked: MASKED.iter().map(|&name| name.to_owned()).collect(),
            shown: job.shown.iter().map(Shown::to_launch).collect(),
            workshop: false,
            spoken: false,
            limits: LaunchLimits { millicores: config.millicores, ..LaunchLimits::from(&job.limits) },
            collect: job.collect.clone(),
            min_level: job.min_level,
            faults: Vec::new(),
        })
    }

    /// Header length, header, and the contents of `job`'s files: what the launcher reads.
    pub(crate) fn frame(&self, job: &Job) -> Result<Vec<u8>, Error> {
        // Only paths that are not text cannot be written down.
        let header = serde_json::to_vec(self).map_err(|error| Error::InvalidJob(error.to_string()))?;
        let length = u32::try_from(header.len()).unwrap_or(u32::MAX);
        if length > MAX_HEADER_BYTES {
            return Err(Error::InvalidJob(format!("its description has {length} bytes")));
        }
        let mut frame = length.to_le_bytes().to_vec();
        frame.extend_from_slice(&header);
        for content in job.files.iter().filter_map(|file| file.content.as_ref()) {
            frame.extend_from_slice(content);
        }
        Ok(frame)
    }

    /// Reads a frame: the launch and the contents of its files, in order.
    pub fn read(from: &mut impl Read) -> io::Result<(Self, Vec<Option<Vec<u8>>>)> {
        let spec: Self = read_header(from)?;
        let mut left = MAX_CONTENT_BYTES;
        let mut contents = Vec::with_capacity(spec.files.len());
        for file in &spec.files {
            let Some(size) = file.size else {
                contents.push(None);
                continue;
            };
            let too_large = || io::Error::new(io::ErrorKind::InvalidData, "the files are too large");
            left = left.checked_sub(size).ok_or_else(too_large)?;
            contents.push(Some(read_exactly(from, size)?));
        }
        Ok((spec, contents))
    }
}

pub(crate) fn check(job: &Job) -> Result<(), Error> {
    let refuse = |why: String| Err(Error::InvalidJob(why));
    if !job.root.is_absolute() {
        return refuse(format!("the tree {} is not an absolute path", job.root.display()));
    }
    if job.command.contains('\0') || job.command.len() > MAX_COMMAND_BYTES {
        return refuse("the command is too long or holds a NUL".into());
    }
    for file in &job.files {
        if !is_safe_path(&file.path) {
            return refuse(format!("the path {:?} is not a path below the tree", file.path));
        }
    }
    let wanted = job.collect.iter().map(|path| path.strip_suffix('/').unwrap_or(path));
    if let Some(path) = wanted.clone().find(|path| !is_safe_path(path)) {
        return refuse(format!("the artefact {path:?} is not a path below the tree"));
    }
    if wanted.count() > MAX_COLLECT {
        return refuse(format!("it asks for more than {MAX_COLLECT} artefacts"));
    }
    let sizes = job.files.iter().filter_map(|file| file.content.as_ref()).map(|content| content.len() as u64);
    if sizes.fold(0_u64, u64::saturating_add) > MAX_CONTENT_BYTES {
        return refuse(format!("the files laid over the tree exceed {MAX_CONTENT_BYTES} bytes"));
    }
    shown::check(&job.shown)?;
    for (name, value) in &job.env {
        let letters = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if name.is_empty() || !letters || name.as_bytes()[0].is_ascii_digit() || value.contains('\0') {
            return refuse(format!("the variable {name:?} is not one"));
        }
    }
    Ok(())
}

/// The environment inside, from scratch: nothing of the node's own gets in.
pub(crate) fn environment(config: &Config, additions: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut env: BTreeMap<String, String> = [
        ("PATH", search_path(config).as_str()),
        ("HOME", "/tmp"),
        ("TMPDIR", "/tmp"),
        ("LANG", "C.UTF-8"),
        ("TERM", "dumb"),
        ("USER", "edgecoder"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    for tool_chain in &config.tool_chains {
        let variable = ROOT_VARIABLES.iter().find(|(last, _)| tool_chain.ends_with(last));
        if let (Some((_, variable)), Some(path)) = (variable, tool_chain.to_str()) {
            env.insert((*variable).to_owned(), path.to_owned());
        }
    }
    env.extend(additions.iter().map(|(name, value)| (name.clone(), value.clone())));
    env
}

/// The environment with the shown trees' programs found first.
fn ahead(mut env: BTreeMap<String, String>, shown: &[Shown]) -> BTreeMap<String, String> {
    for entry in shown.iter().rev().flat_map(|tree| tree.path.iter().rev()) {
        env.entry("PATH".to_owned()).and_modify(|path| *path = format!("{entry}:{path}"));
    }
    env
}

fn search_path(config: &Config) -> String {
    let spoken_for = |tree: &&PathBuf| !config.path.iter().any(|entry| entry.starts_with(tree));
    let bins = config.tool_chains.iter().filter(spoken_for).map(|tree| tree.join("bin"));
    let entries = config.path.iter().cloned().chain(bins).chain([PathBuf::from(SYSTEM_PATH)]);
    entries.map(|entry| entry.display().to_string()).collect::<Vec<_>>().join(":")
}

/// Four bytes of length, and JSON of that length.
fn read_header<T: serde::de::DeserializeOwned>(from: &mut impl Read) -> io::Result<T> {
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    let length = u32::from_le_bytes(length);
    if length > MAX_HEADER_BYTES {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "the header is too long"));
    }
    Ok(serde_json::from_slice(&read_exactly(from, length.into())?)?)
}

/// Grows as bytes come, so that a length alone claims no memory.
fn read_exactly(from: &mut impl Read, size: u64) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    from.by_ref().take(size).read_to_end(&mut content)?;
    if content.len() as u64 == size {
        Ok(content)
    } else {
        Err(io::Error::new(io::ErrorKind::UnexpectedEof, "a file is cut short"))
    }
}

/// Where the launcher lies: as configured, else beside `program`.
pub(crate) fn launcher(config: &Config, program: Option<&Path>) -> PathBuf {
    let name = "edgecoder-jail";
    let beside = || program.and_then(Path::parent).map(|folder| folder.join(name));
    config.jail.clone().or_else(beside).unwrap_or_else(|| PathBuf::from(name))
}
