//! Runs a stranger's command on a snapshot of a repository so that it can harm nothing else.
//!
//! ```text
//! Job ──► LaunchSpec ──► edgecoder-jail (second binary, single-threaded) ──► payload
//!          pure           namespaces, mounts, limits, filters               /bin/sh -c …
//! ```
//!
//! [`Sandbox::run`] starts the launcher, hands it the [`LaunchSpec`] over a socket and drains the payload's
//! output to the end. The launcher builds a root of its own (`/job` is the snapshot with the patch laid over
//! it), and answers over the same socket with what happened and which layers held. In mode `docker` a daemon builds
//! the layers and `edgecoder-box` stands for the launcher: see [`docker`].
//!
//! **Invariants.** The node never forks itself. A sandbox that cannot be built is an error, never a quiet run
//! without one. Nothing of a job is written on the host. When the node dies, so does everything it started.
//! The [`Level`](edgecoder_base::Level) is measured from what the launcher did, never configured.

#![cfg_attr(
    not(target_os = "linux"),
    allow(dead_code, unused_imports, reason = "elsewhere only the unconfined mode exists")
)]

mod artefact;
mod config;
#[cfg(target_os = "linux")]
pub mod docker;
mod error;
mod execution;
mod fault;
#[cfg(target_os = "linux")]
pub mod jail;
mod launch;
#[cfg(unix)]
mod output;
#[cfg_attr(not(target_os = "linux"), allow(dead_code))]
mod quota;
mod run;
mod shown;
mod tool_chain;

pub use artefact::{Artefact, ArtefactEntry, Refused};
pub use config::{Config, DockerConfig, Mode};
pub use error::Error;
pub use execution::{Exit, Job, JobFile, Limits, Output, Report};
#[doc(hidden)]
pub use fault::Fault;
pub use launch::{AppContainer, Grant, HostLaunch, JobObject, WindowsLaunch};
pub use launch::{Failure, LaidFile, LaunchLimits, LaunchSpec, Layers, Outcome, Stage};
pub use quota::CpuQuota;
pub use run::{Probe, Sandbox};
pub use shown::{GATE_PORT, PLACE, Shown, ShownTree, Traffic, Workshop};
pub use tool_chain::{detect_tool_chains, jail_path};
