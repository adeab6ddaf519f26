//! A launch on a system without namespaces: the command runs in a scratch copy, under whatever that system enforces.
//!
//! Linux needs none of this but for mode `none`. Everything here is text and numbers and is the same on every
//! platform, so that what a Mac or a Windows machine would be told can be read, and tested, anywhere.

use std::collections::BTreeMap;
use std::path::Path;

use edgecoder_base::Level;
use serde::Serialize;

use super::{check, environment};
use crate::config::Config;
use crate::error::Error;
use crate::execution::Job;

/// Exact program, arguments and environment of a command in a scratch copy, and how much that is worth.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HostLaunch {
    /// Program and arguments.
    pub argv: Vec<String>,
    /// The whole environment.
    pub env: BTreeMap<String, String>,
    /// The best this can be.
    pub level: Level,
    /// What is weaker than on Linux, in words.
    pub degraded: Vec<String>,
}

impl HostLaunch {
    /// `job` as the node's own user, held by nothing: mode `none`.
    pub fn unconfined(config: &Config, job: &Job, _scratch: &Path) -> Result<Self, Error> {
        check(job)?;
        admit(Level::S0, job, "set sandbox mode `process`")?;
        Ok(Self {
            argv: ["/bin/sh", "-c", &job.command].map(str::to_owned).into(),
            env: environment(config, &job.env),
            level: Level::S0,
            degraded: vec!["unconfined: the command ran as the node's own user".into()],
        })
    }
}

/// Refuses work that asks for more than `level` before anything of it is laid out.
pub(super) fn admit(level: Level, job: &Job, fix: &'static str) -> Result<(), Error> {
    if job.min_level <= level {
        return Ok(());
    }
    let here = if level == Level::S0 {
        "would run unconfined".into()
    } else {
        format!("this system reaches {level}")
    };
    let reason = format!("the work asks for level {} and {here}", job.min_level);
    Err(Error::Unavailable { reason, fix })
}

/// A path as the text that a profile or a list of grants needs.
pub(super) fn text(path: &Path) -> Result<&str, Error> {
    path.to_str().ok_or_else(|| Error::InvalidJob(format!("the path {} is not text", path.display())))
}
