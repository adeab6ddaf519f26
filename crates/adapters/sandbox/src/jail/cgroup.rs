//! Bounds on memory and processes by cgroup, version 1 or 2, where this process may make groups.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rustix::process::Pid;

use self::claim::Claim;
use self::place::{Place, places};
use crate::fault::{Fault, trip};
use crate::launch::{LaunchLimits, LaunchSpec, Layers};
use crate::quota::{self, CpuQuota};

mod claim;
mod place;

/// The first process is not the payload's to count.
const OWN_PROCESSES: u32 = 1;
/// Memory limits are kept in pages; the largest in use on Linux.
const PAGE_BYTES: u64 = 65_536;

/// What a group is for: three bounds, and the account of processor time, which every version 2 group keeps.
const MEMORY: &str = "memory";
const PIDS: &str = "pids";
const SHARE: &str = "share";
const ACCOUNT: &str = "account";
/// Lists the processes of a group.
const MEMBERS: &str = "cgroup.procs";
/// Half of what a group has by default, so that the node goes first when both want a core.
const SHARES_V1: u64 = 512;
const SHARES_V2: u64 = 50;
/// Where the quota of processor time stands.
const CFS_QUOTA: &str = "cpu.cfs_quota_us";
const CFS_PERIOD: &str = "cpu.cfs_period_us";
const CPU_MAX: &str = "cpu.max";

/// The groups of one run, at most one for each controller; removed when dropped.
#[derive(Debug, Default)]
pub(super) struct Cgroup {
    groups: Vec<Place>,
    /// The folders they lie in; one may hold several controllers.
    claims: Vec<Claim>,
    /// Whether the processor time per period is bounded as asked.
    quota: bool,
}

impl Cgroup {
    /// Makes the groups, writes their limits and reads them back. `mounts` is a mountinfo. What is refused is left out.
    pub(super) fn create(spec: &LaunchSpec, mounts: &str) -> Self {
        let mut made = Self::default();
        for place in places(mounts) {
            let fault = match place.controller {
                MEMORY => Some(Fault::MemoryCgroup),
                PIDS => Some(Fault::PidsCgroup),
                SHARE => Some(Fault::CpuCgroup),
                _ => None,
            };
            let allowed = fault.map_or(Ok(()), |fault| trip(&spec.faults, fault));
            if made.of(place.controller).is_none()
                && let Ok(folder) = allowed.and_then(|()| made.claim(&place.folder))
            {
                let group = Place { folder, ..place };
                if group.limit(&spec.limits).is_ok() {
                    made.groups.push(group);
                }
            }
        }
        made.quota = made.set_quota(spec).is_some();
        made
    }

    /// The folder of this run in `parent`.
    fn claim(&mut self, parent: &Path) -> io::Result<PathBuf> {
        if let Some(claim) = self.claims.iter().find(|claim| claim.folder().parent() == Some(parent)) {
            return Ok(claim.folder().to_owned());
        }
        let claim = Claim::make(parent)?;
        let folder = claim.folder().to_owned();
        self.claims.push(claim);
        Ok(folder)
    }

    fn of(&self, controller: &str) -> Option<&Place> {
        self.groups.iter().find(|group| group.controller == controller)
    }

    /// The folders, each once: one may hold several controllers.
    fn folders(&self) -> BTreeSet<&Path> {
        self.groups.iter().map(|group| group.folder.as_path()).collect()
    }

    /// The folders of version `version`, each once: one may hold several controllers.
    fn folders_of(&self, version: u8) -> BTreeSet<&Path> {
        let groups = self.groups.iter().filter(|group| group.version == version);
        groups.map(|group| group.folder.as_path()).collect()
    }

    /// Goes in, so that what is cloned now is born inside. Only for version 1, where moving oneself takes no lock
    /// of the whole machine, and moving somebody else waits for it, many milliseconds at times.
    pub(super) fn enter(&self) -> io::Result<()> {
        self.folders_of(1).into_iter().try_for_each(move_self)
    }

    /// Comes out again, to the group this process was in.
    pub(super) fn leave(&self) -> io::Result<()> {
        self.folders_of(1).into_iter().filter_map(Path::parent).try_for_each(move_self)
    }

    /// Moves `pid` in where it was not born there, and makes sure everywhere that it is.
    pub(super) fn join(&self, pid: Pid) -> io::Result<()> {
        let pid = pid.as_raw_nonzero().to_string();
        for folder in self.folders_of(2) {
            fs::write(folder.join(MEMBERS), &pid)?;
        }
        for folder in self.folders() {
            if !fs::read_to_string(folder.join(MEMBERS))?.lines().any(|line| line == pid) {
                return Err(io::Error::other("the process did not enter the cgroup"));
            }
        }
        Ok(())
    }

    /// Kills every member at once, where the kernel does that by itself; the frozen and the newly born too.
    pub(super) fn kill(&self) {
        for folder in self.folders_of(2) {
            // Kernels before 5.14 have no such file, and the namespace's first process is killed besides.
            let _best_effort = fs::write(folder.join("cgroup.kill"), "1");
        }
    }

    /// Leaves the groups alone: the copy of this value in a cloned process does not own them.
    pub(super) fn forget(mut self) {
        self.claims.clear();
    }

    pub(super) fn bounds_memory(&self) -> bool {
        self.of(MEMORY).is_some()
    }

    pub(super) fn bounds_processes(&self) -> bool {
        self.of(PIDS).is_some()
    }

    /// Processor time used so far, where it is counted.
    pub(super) fn cpu_ms(&self) -> Option<u64> {
        let group = self.of(ACCOUNT)?;
        if group.version == 1 {
            let nanoseconds: u64 = group.read("cpuacct.usage")?.trim().parse().ok()?;
            return Some(nanoseconds / 1_000_000);
        }
        Some(group.field("cpu.stat", "usage_usec")? / 1000)
    }

    /// Whether the kernel killed a process of the run for want of memory.
    pub(super) fn ran_out_of_memory(&self) -> bool {
        let Some(group) = self.of(MEMORY) else { return false };
        let file = if group.version == 1 { "memory.oom_control" } else { "memory.events" };
        group.field(file, "oom_kill").is_some_and(|count| count > 0)
    }

    /// Bounds the processor time per period, where that is asked for. Without it the group still has its share.
    fn set_quota(&self, spec: &LaunchSpec) -> Option<()> {
        let millicores = spec.limits.millicores?.get();
        let group = self.of(SHARE)?;
        let us = quota::quota_us(millicores);
        let write = |file: &str, text: String| fs::write(group.folder.join(file), text).ok();
        trip(&spec.faults, Fault::CpuQuota).ok()?;
        match group.version {
            1 => {
                write(CFS_PERIOD, quota::PERIOD_US.to_string())?;
                write(CFS_QUOTA, us.to_string())?;
            }
            _ => write(CPU_MAX, format!("{us} {}", quota::PERIOD_US))?,
        }
        self.quota()?.holds(millicores).then_some(())
    }

    /// The quota of the group as the kernel keeps it, and its account.
    fn quota(&self) -> Option<CpuQuota> {
        let group = self.of(SHARE)?;
        let kept = match group.version {
            1 => quota::parse_cfs(&group.read(CFS_QUOTA)?, &group.read(CFS_PERIOD)?)?,
            _ => quota::parse_max(&group.read(CPU_MAX)?)?,
        };
        CpuQuota::new(kept, &group.read("cpu.stat")?)
    }

    /// The cgroup part of the layers.
    pub(super) fn layers(&self) -> Layers {
        let version = |controller| self.of(controller).map(|group| group.version);
        let peak = self.of(MEMORY).and_then(|group| {
            let file = if group.version == 1 { "memory.max_usage_in_bytes" } else { "memory.peak" };
            group.read(file)?.trim().parse().ok()
        });
        Layers {
            memory_cgroup: version(MEMORY),
            pids_cgroup: version(PIDS),
            cpu_cgroup: version(SHARE),
            cpu_quota: self.quota.then(|| self.quota()).flatten(),
            memory_peak_bytes: peak,
            cpu_ms: self.cpu_ms(),
            ..Layers::default()
        }
    }
}

/// Moves the only thread of this process.
fn move_self(group: &Path) -> io::Result<()> {
    fs::write(group.join("tasks"), "0")
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        self.claims.iter().for_each(Claim::remove);
    }
}

impl Place {
    /// Writes the limits of this controller and reads them back.
    fn limit(&self, limits: &LaunchLimits) -> io::Result<()> {
        let memory = limits.memory_bytes.saturating_add(limits.disk_bytes);
        let processes = u64::from(limits.processes.saturating_add(OWN_PROCESSES));
        match (self.controller, self.version) {
            (MEMORY, 1) => {
                self.bound("memory.limit_in_bytes", memory).and_then(|()| {
                    // Absent where swap is not accounted, and then there is nothing to bound.
                    self.bound_if_present("memory.memsw.limit_in_bytes", memory)
                })
            }
            (MEMORY, _) => self
                .bound("memory.max", memory)
                .and_then(|()| self.bound_if_present("memory.swap.max", 0))
                .and_then(|()| self.bound_if_present("memory.oom.group", 1)),
            (PIDS, _) => self.bound("pids.max", processes),
            (SHARE, 1) => self.bound("cpu.shares", SHARES_V1),
            (SHARE, _) => self.bound("cpu.weight", SHARES_V2),
            _ => Ok(()),
        }
    }

    fn bound(&self, file: &str, value: u64) -> io::Result<()> {
        let path = self.folder.join(file);
        fs::write(&path, value.to_string())?;
        let kept: u64 = fs::read_to_string(&path)?.trim().parse().map_err(io::Error::other)?;
        if kept > value.saturating_add(PAGE_BYTES) {
            return Err(io::Error::other(format!("{file} did not take the limit")));
        }
        Ok(())
    }

    fn bound_if_present(&self, file: &str, value: u64) -> io::Result<()> {
        if fs::exists(self.folder.join(file))? { self.bound(file, value) } else { Ok(()) }
    }

    fn read(&self, file: &str) -> Option<String> {
        fs::read_to_string(self.folder.join(file)).ok()
    }

    fn field(&self, file: &str, name: &str) -> Option<u64> {
        let text = self.read(file)?;
        text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
    }
}

/// Removes the groups of launchers that were killed before they could.
pub(crate) fn sweep() {
    let parents: BTreeSet<PathBuf> = places(&mounts()).into_iter().map(|place| place.folder).collect();
    parents.iter().for_each(|parent| claim::sweep(parent));
}

/// What is mounted where, as the kernel lists it; empty where it does not.
pub(super) fn mounts() -> String {
    fs::read_to_string("/proc/self/mountinfo").unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// On the kernel's own hierarchy, which needs no controllers for this.
    #[test]
    fn members_of_version_2_are_counted_and_killed_even_when_frozen() {
        use std::os::unix::process::ExitStatusExt;
        use std::process::{Command, Stdio};

        let mounts = mounts();
        let mount = mounts.lines().filter_map(place::Mount::parse).find(|mount| mount.kind == "cgroup2");
        let claim = mount.and_then(|mount| Claim::make(Path::new(mount.point)).ok());
        let Some(claim) = claim else {
            println!("skipped: no hierarchy of version 2 that this user may change");
            return;
        };
        let folder = claim.folder().to_owned();
        let place = Place { version: 2, controller: ACCOUNT, folder: folder.clone() };
        let group = Cgroup { groups: vec![place], claims: vec![claim], quota: false };
        let mut child = Command::new("sleep").arg("7600").stdin(Stdio::null()).spawn().unwrap();
        group.join(Pid::from_child(&child)).unwrap();
        assert!(group.cpu_ms().is_some());
        fs::write(folder.join("cgroup.freeze"), "1").unwrap();
        group.kill();
        assert_eq!(child.wait().unwrap().signal(), Some(9));
        drop(group);
        assert!(matches!(folder.try_exists(), Ok(false)), "the group was left");
    }
}
