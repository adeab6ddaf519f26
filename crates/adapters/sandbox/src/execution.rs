//! One execution: what is asked, what bounds it, and what came of it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use edgecoder_base::Level;
use serde::{Deserialize, Serialize};

use crate::artefact::Artefact;
use crate::launch::Layers;
use crate::shown::Shown;

/// One file laid over the snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobFile {
    /// Relative path as in a manifest.
    pub path: String,
    /// New content; none deletes the file.
    pub content: Option<Vec<u8>>,
    /// Whether the owner may execute it.
    pub executable: bool,
}

impl JobFile {
    /// A plain file with `content`.
    pub fn write(path: impl Into<String>, content: impl Into<Vec<u8>>) -> Self {
        Self { path: path.into(), content: Some(content.into()), executable: false }
    }

    /// The removal of a file.
    pub fn delete(path: impl Into<String>) -> Self {
        Self { path: path.into(), content: None, executable: false }
    }
}

/// One execution to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// A materialised snapshot. Never written to: the payload changes a layer of its own above it. Modes count
    /// as they stand, so a file its owner may not write can be replaced by the payload but not edited in place.
    pub root: PathBuf,
    /// The patch, laid over `root`.
    pub files: Vec<JobFile>,
    /// For `/bin/sh -c`, in the top of the tree.
    pub command: String,
    /// Variables besides our own; the caller's allow list has been applied.
    pub env: BTreeMap<String, String>,
    /// Trees besides the system's and the tool chains, read-only. Only mode `process` has them.
    pub shown: Vec<Shown>,
    /// Bounds.
    pub limits: Limits,
    /// Files to bring back when everything is dead, relative paths; one that ends in `/` is a folder, and all
    /// regular files below it are meant. Each comes with its bytes or with the reason why not.
    pub collect: Vec<String>,
    /// Less than this level is refused before the command starts.
    pub min_level: Level,
}

impl Job {
    /// `command` on `root` unchanged, under the default limits.
    pub fn new(root: impl Into<PathBuf>, command: impl Into<String>) -> Self {
        Self {
            root: root.into(),
            files: Vec::new(),
            command: command.into(),
            env: BTreeMap::new(),
            shown: Vec::new(),
            limits: Limits::default(),
            collect: Vec::new(),
            min_level: Level::S0,
        }
    }
}

/// Bounds of one execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Wall-clock time from start to end.
    pub wall: Duration,
    /// Processor time of all processes together (of each one, where cgroups are missing).
    pub cpu: Duration,
    /// Memory of all programs together (writable memory of each one, where cgroups are missing).
    pub memory_bytes: u64,
    /// Processes and threads alive at once.
    pub processes: u32,
    /// Output kept per stream. What exceeds it is counted and dropped; at 64 times it the run is killed.
    pub output_bytes: usize,
    /// Files written to `/job` and `/tmp` together.
    pub disk_bytes: u64,
    /// Artefacts brought back, all together.
    pub artefact_bytes: u64,
}

/// Output beyond this many times `output_bytes` ends the run: nobody reads that, and it burns a core.
pub(crate) const FLOOD_FACTOR: u64 = 64;

impl Default for Limits {
    fn default() -> Self {
        Self {
            wall: Duration::from_secs(300),
            cpu: Duration::from_secs(300),
            memory_bytes: 2 << 30,
            processes: 256,
            output_bytes: 1 << 20,
            disk_bytes: 1 << 30,
            artefact_bytes: 16 << 20,
        }
    }
}

/// How the payload ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exit {
    /// By itself, with this status.
    Code(i32),
    /// By this signal.
    Signal(i32),
    /// It was killed at the wall-clock limit.
    WallTimeout,
    /// It was killed at the processor time limit.
    CpuTimeout,
    /// It was killed for endless output.
    OutputFlood,
    /// The kernel killed a process of it for want of memory, and it did not succeed afterwards.
    OutOfMemory,
}

impl Exit {
    /// How a run ended, from what ended it (none: itself) and what its own program came to. What a program says of
    /// itself counts less than that it was short of memory or time.
    pub(crate) fn judged(
        cause: Option<Self>,
        ended: Option<Self>,
        ran_out_of_memory: bool,
        out_of_time: bool,
    ) -> Self {
        /// `SIGKILL` and `SIGXCPU`, which only Unix names.
        const KILLED: i32 = 9;
        const OVER_CPU: i32 = 24;
        if let Some(cause) = cause {
            return cause;
        }
        let exit = ended.unwrap_or(Self::Signal(KILLED));
        let by_signal = [Self::Signal(OVER_CPU), Self::Code(128 + OVER_CPU)].contains(&exit);
        let failed = exit != Self::Code(0);
        if failed && ran_out_of_memory {
            Self::OutOfMemory
        } else if by_signal || (failed && out_of_time) {
            Self::CpuTimeout
        } else {
            exit
        }
    }
}

/// What was kept of one stream: its beginning and its end, which say most.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Output {
    /// The beginning.
    pub head: Vec<u8>,
    /// The end; empty when `head` holds everything.
    pub tail: Vec<u8>,
    /// Bytes the payload wrote.
    pub total: u64,
}

impl Output {
    /// Whether something between `head` and `tail` was dropped.
    pub fn truncated(&self) -> bool {
        self.total > (self.head.len() + self.tail.len()) as u64
    }

    /// The kept text, with a line in place of what was dropped. Invalid UTF-8 is replaced.
    pub fn text(&self) -> String {
        let head = String::from_utf8_lossy(&self.head);
        let tail = String::from_utf8_lossy(&self.tail);
        if !self.truncated() {
            return format!("{head}{tail}");
        }
        let dropped = self.total - (self.head.len() + self.tail.len()) as u64;
        format!("{head}\n[… {dropped} bytes left out …]\n{tail}")
    }
}

/// What came of an execution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// How it ended.
    pub exit: Exit,
    /// Standard output.
    pub stdout: Output,
    /// Standard error.
    pub stderr: Output,
    /// From the start of the launcher to the death of the last process.
    pub wall: Duration,
    /// Confinement this run really had.
    pub level: Level,
    /// What was weaker or slower than it should be, in words.
    pub degraded: Vec<String>,
    /// The layers, one by one; none for an unconfined run.
    pub layers: Option<Layers>,
    /// What [`Job::collect`] asked for, in that order; none for an unconfined run.
    pub artefacts: Vec<Artefact>,
}

impl Report {
    /// Whether the command ended with status 0.
    pub fn success(&self) -> bool {
        self.exit == Exit::Code(0)
    }
}
