//! Which host ids the sandbox runs under: two that nobody else has when we are root, else our own.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;

use rustix::process::{Pid, getgid, getpid, getuid};

use super::sys;

/// The payload's id inside.
pub(super) const PAYLOAD: u32 = 1000;
/// First host id used by a root launcher: above what distributions hand out to users and containers.
const BASE: u32 = 1_900_000_000;
/// Slots above the base; process ids wrap within it, so that two runs share no id.
const SLOTS: u32 = 4_194_304;

/// The mapping of one run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ids {
    /// Whether id 0 exists inside, for the first process alone.
    pub(super) root_inside: bool,
    host_root: u32,
    host_payload: (u32, u32),
}

impl Ids {
    /// Picks the ids for this launcher.
    pub(super) fn choose() -> Self {
        let (uid, gid) = (getuid().as_raw(), getgid().as_raw());
        if uid != 0 {
            return Self { root_inside: false, host_root: 0, host_payload: (uid, gid) };
        }
        let slot = getpid().as_raw_nonzero().get().cast_unsigned() % SLOTS;
        let base = BASE + 2 * slot;
        Self { root_inside: true, host_root: base, host_payload: (base + 1, base + 1) }
    }

    /// The payload's user and group on the host.
    pub(super) fn host_payload(&self) -> (u32, u32) {
        self.host_payload
    }

    /// Writes the maps of `pid`'s user namespace.
    pub(super) fn install(&self, pid: Pid) -> io::Result<()> {
        let of = |name: &str| format!("/proc/{}/{name}", pid.as_raw_nonzero());
        let (uid, gid) = self.host_payload;
        if self.root_inside {
            let map = |id: u32| format!("0 {} 1\n{PAYLOAD} {id} 1\n", self.host_root);
            fs::write(of("uid_map"), map(uid))?;
            return fs::write(of("gid_map"), map(gid));
        }
        fs::write(of("setgroups"), "deny")?;
        fs::write(of("uid_map"), format!("{PAYLOAD} {uid} 1\n"))?;
        fs::write(of("gid_map"), format!("{PAYLOAD} {gid} 1\n"))
    }

    /// A user namespace that shows files of (`uid`, `gid`) as the payload's, for an id-mapped mount.
    pub(super) fn showing(&self, uid: u32, gid: u32) -> io::Result<OwnedFd> {
        let holder = sys::hold_user_namespace()?;
        let opened = self.map_and_open(holder, uid, gid);
        // Waiting for its end would only cost a start's time, and whoever reaps us reaps it too.
        rustix::process::kill_process(holder, rustix::process::Signal::KILL)?;
        opened
    }

    fn map_and_open(&self, pid: Pid, uid: u32, gid: u32) -> io::Result<OwnedFd> {
        let of = |name: &str| format!("/proc/{}/{name}", pid.as_raw_nonzero());
        fs::write(of("uid_map"), format!("{uid} {} 1\n", self.host_payload.0))?;
        fs::write(of("gid_map"), format!("{gid} {} 1\n", self.host_payload.1))?;
        Ok(fs::File::open(of("ns/user"))?.into())
    }
}
