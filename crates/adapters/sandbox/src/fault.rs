//! Switches that make a layer fail as it does on hosts that lack it, so that tests see what then happens.

use std::io;

use serde::{Deserialize, Serialize};

/// A layer that is to fail. Only launchers built for development obey; others refuse the launch.
#[doc(hidden)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    UserNamespace,
    NetNamespace,
    PidNamespace,
    IdMaps,
    CgroupEntry,
    CgroupNamespace,
    MemoryCgroup,
    PidsCgroup,
    CpuCgroup,
    CpuQuota,
    Mount,
    Loopback,
    Overlay,
    Proc,
    ProcSubset,
    Privileges,
    Limits,
    Landlock,
    Seccomp,
    Openat2,
}

/// Fails when `faults` names this layer.
pub(crate) fn trip(faults: &[Fault], here: Fault) -> io::Result<()> {
    if faults.contains(&here) { Err(io::ErrorKind::PermissionDenied.into()) } else { Ok(()) }
}
