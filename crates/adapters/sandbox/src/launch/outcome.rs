//! What the launcher says at the end: why nothing ran, or how it ended and which layers held.

use std::io::{self, Read};
use std::num::NonZeroU32;

use edgecoder_base::Level;
use serde::{Deserialize, Serialize};

use super::{read_exactly, read_header};
use crate::artefact::{Artefact, ArtefactEntry};
use crate::execution::Exit;
use crate::quota::CpuQuota;

/// Whether a failure is the host's or the job's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// A layer of the sandbox could not be built here.
    Host,
    /// The job's tree or files could not be laid out.
    Job,
}

/// Why the payload was never started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("while {doing}: {cause}")]
pub struct Failure {
    /// Whose failure it is.
    pub stage: Stage,
    /// What the launcher was doing.
    pub doing: String,
    /// The system's answer.
    pub cause: String,
}

/// The layers a run really had. Those not listed are required and held, or the run did not start.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Layers {
    /// cgroup version that bounds memory, 1 or 2; none when unbounded.
    pub memory_cgroup: Option<u8>,
    /// cgroup version that bounds processes.
    pub pids_cgroup: Option<u8>,
    /// cgroup version that keeps the run from starving the node.
    pub cpu_cgroup: Option<u8>,
    /// Quota of processor time in force, and what it came to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_quota: Option<CpuQuota>,
    /// Landlock ABI in force.
    pub landlock_abi: Option<u8>,
    /// Whether `/proc` could be mounted.
    pub proc_mounted: bool,
    /// Whether `/job` is an overlay (else a copy).
    pub overlay: bool,
    /// Whether file locks on shared trees are private to the run.
    pub lock_isolation: bool,
    /// Most memory in use at once, bytes. Without cgroups only of the largest process that somebody waited for.
    pub memory_peak_bytes: Option<u64>,
    /// Processor time used, ms. Without cgroups only of processes that somebody waited for.
    pub cpu_ms: Option<u64>,
}

impl Layers {
    /// The level these layers amount to, given that the required ones held.
    pub fn level(&self) -> Level {
        if self.memory_cgroup.is_some() && self.pids_cgroup.is_some() { Level::S3 } else { Level::S2 }
    }

    /// What is weaker than it should be where a quota of `millicores` was asked for, in words.
    pub fn degraded(&self, millicores: Option<NonZeroU32>) -> Vec<String> {
        let mut words = Vec::new();
        let mut note = |missing: bool, text: &str| {
            if missing {
                words.push(text.to_owned());
            }
        };
        note(self.memory_cgroup.is_none(), "memory: no cgroup, each process is watched or bounded by itself");
        note(self.pids_cgroup.is_none(), "processes: no cgroup, bounded by rlimit");
        note(self.cpu_cgroup.is_none(), "cpu: no cgroup, the run competes with the node as an equal");
        let unlimited = millicores.is_some() && self.cpu_quota.is_none();
        note(unlimited, "quota: the kernel keeps none, the run may use every core");
        note(self.landlock_abi.is_none(), "landlock: the kernel has none");
        note(!self.proc_mounted, "proc: refused, some tools fail");
        note(!self.overlay, "copy: no overlay, the tree was copied");
        note(!self.lock_isolation, "locks: file locks on system trees are visible to other runs");
        words
    }
}

/// The launcher's last word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The payload was never started.
    Failed(Failure),
    /// The payload ran and everything is dead.
    Ended {
        /// How it ended.
        exit: Exit,
        /// What confined it.
        layers: Layers,
        /// What was asked for; the bytes follow the outcome in this order.
        #[serde(default)]
        artefacts: Vec<ArtefactEntry>,
    },
}

impl Outcome {
    /// Reads the launcher's last word: the length of the outcome, the outcome, and the bytes of its artefacts.
    pub fn read(from: &mut impl Read) -> io::Result<(Self, Vec<Artefact>)> {
        let outcome: Self = read_header(from)?;
        let Self::Ended { artefacts: entries, .. } = &outcome else { return Ok((outcome, Vec::new())) };
        let mut artefacts = Vec::with_capacity(entries.len());
        for entry in entries {
            let found = match &entry.found {
                Ok(size) => Ok(read_exactly(from, *size)?),
                Err(why) => Err(why.clone()),
            };
            artefacts.push(Artefact { name: entry.name.clone(), found });
        }
        Ok((outcome, artefacts))
    }
}
