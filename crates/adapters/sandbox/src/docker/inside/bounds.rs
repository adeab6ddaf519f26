//! What bounds the container, read from its own view of its groups: what a daemon was asked for it may have ignored.

use std::fs;
use std::path::{Path, PathBuf};

use crate::launch::{LaunchLimits, Layers};
use crate::quota::{self, CpuQuota};

/// Where daemons show a container its groups.
const GROUPS: &str = "/sys/fs/cgroup";
/// What no group says that holds no limit: half of what a number has, which also is more than any machine.
const UNBOUNDED: u64 = 1 << 60;
/// Weights below these are below what a process outside has.
const SHARES_V1: u64 = 1024;
const WEIGHT_V2: u64 = 100;

/// The groups of this container, and which of them hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bounds {
    root: PathBuf,
    version: u8,
    memory: bool,
    processes: bool,
    share: bool,
    quota: bool,
}

impl Bounds {
    /// As this container shows them.
    pub(super) fn read(limits: &LaunchLimits) -> Self {
        Self::below(Path::new(GROUPS), limits)
    }

    fn below(root: &Path, limits: &LaunchLimits) -> Self {
        let version = if root.join("cgroup.controllers").is_file() { 2 } else { 1 };
        let mut bounds = Self {
            root: root.to_owned(),
            version,
            memory: false,
            processes: false,
            share: false,
            quota: false,
        };
        let holds = |most: Option<u64>, limit: u64| most.is_some_and(|most| most < limit);
        bounds.memory = holds(bounds.number("memory", "memory.limit_in_bytes", "memory.max"), UNBOUNDED);
        let processes = u64::from(limits.processes).saturating_add(2);
        bounds.processes = holds(bounds.number("pids", "pids.max", "pids.max"), processes);
        let weight = if version == 1 { SHARES_V1 } else { WEIGHT_V2 };
        bounds.share = holds(bounds.number("cpu", "cpu.shares", "cpu.weight"), weight);
        let kept = limits.millicores.zip(bounds.kept_quota());
        bounds.quota = kept.is_some_and(|(asked, kept)| kept.holds(asked.get()));
        bounds
    }

    /// Whether memory and number of processes are bounded for all together.
    pub(super) fn hold(&self) -> bool {
        self.memory && self.processes
    }

    /// The group's part of the layers.
    pub(super) fn layers(&self) -> Layers {
        let version = |holds: bool| holds.then_some(self.version);
        Layers {
            memory_cgroup: version(self.memory),
            pids_cgroup: version(self.processes),
            cpu_cgroup: version(self.share),
            cpu_quota: self.quota.then(|| self.kept_quota()).flatten(),
            proc_mounted: true,
            // Each container has the image under an overlay of its own, or a copy.
            lock_isolation: true,
            memory_peak_bytes: self
                .account(|| self.number("memory", "memory.max_usage_in_bytes", "memory.peak")),
            cpu_ms: self.cpu_ms(),
            ..Layers::default()
        }
    }

    /// What a group says of what was used. Where nothing is bounded there is no group of this container's own, and
    /// what is shown are the machine's figures.
    fn account<T>(&self, read: impl FnOnce() -> Option<T>) -> Option<T> {
        if self.memory || self.processes { read() } else { None }
    }

    /// Processor time used so far.
    pub(super) fn cpu_ms(&self) -> Option<u64> {
        self.account(|| match self.version {
            1 => Some(self.number("cpuacct", "cpuacct.usage", "")? / 1_000_000),
            _ => Some(self.field("cpu", "cpu.stat", "usage_usec")? / 1000),
        })
    }

    /// Whether the kernel killed a process for want of memory.
    pub(super) fn ran_out_of_memory(&self) -> bool {
        let file = if self.version == 1 { "memory.oom_control" } else { "memory.events" };
        self.account(|| self.field("memory", file, "oom_kill")).is_some_and(|count| count > 0)
    }

    /// The quota of processor time, and its account.
    fn kept_quota(&self) -> Option<CpuQuota> {
        let text = |file| self.text("cpu", file);
        let kept = match self.version {
            1 => quota::parse_cfs(&text("cpu.cfs_quota_us")?, &text("cpu.cfs_period_us")?)?,
            _ => quota::parse_max(&text("cpu.max")?)?,
        };
        CpuQuota::new(kept, &text("cpu.stat")?)
    }

    fn text(&self, controller: &str, file: &str) -> Option<String> {
        let folder = if self.version == 1 { self.root.join(controller) } else { self.root.clone() };
        fs::read_to_string(folder.join(file)).ok()
    }

    /// The whole of a file; none for `max`, or without the file.
    fn number(&self, controller: &str, first: &str, second: &str) -> Option<u64> {
        let file = if self.version == 1 { first } else { second };
        self.text(controller, file)?.trim().parse().ok()
    }

    fn field(&self, controller: &str, file: &str, name: &str) -> Option<u64> {
        let text = self.text(controller, file)?;
        text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::num::NonZeroU32;

    #[track_caller]
    fn check(files: &[(&str, &str)], held: [bool; 4], cpu_ms: Option<u64>, oom: bool) {
        let root = tempfile::tempdir().unwrap();
        for (file, text) in files {
            let path = root.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let limits = LaunchLimits {
            wall_ms: 1,
            cpu_ms: 1,
            memory_bytes: 1 << 20,
            processes: 48,
            disk_bytes: 1 << 20,
            artefact_bytes: 1,
            millicores: NonZeroU32::new(500),
        };
        let bounds = Bounds::below(root.path(), &limits);
        assert_eq!([bounds.memory, bounds.processes, bounds.share, bounds.quota], held, "{files:?}");
        assert_eq!((bounds.cpu_ms(), bounds.ran_out_of_memory()), (cpu_ms, oom), "{files:?}");
    }

    #[test]
    fn only_what_holds_counts() {
        let first = [
            ("memory/memory.limit_in_bytes", "209715200\n"),
            ("memory/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n"),
            ("pids/pids.max", "49\n"),
            ("cpu/cpu.shares", "512\n"),
            ("cpu/cpu.cfs_quota_us", "50000\n"),
            ("cpu/cpu.cfs_period_us", "100000\n"),
            ("cpu/cpu.stat", "nr_periods 3\n"),
            ("cpuacct/cpuacct.usage", "28790251\n"),
        ];
        check(&first, [true; 4], Some(28), true);
        let second = [
            ("cgroup.controllers", "cpu memory pids\n"),
            ("memory.max", "209715200\n"),
            ("memory.events", "oom 0\noom_kill 0\n"),
            ("pids.max", "49\n"),
            ("cpu.weight", "20\n"),
            ("cpu.max", "60000 100000\n"),
            ("cpu.stat", "usage_usec 5000\nuser_usec 1\n"),
        ];
        // More than was asked for.
        check(&second, [true, true, true, false], Some(5), false);
        // As a rootless daemon without delegated groups leaves them.
        let none = [
            ("memory/memory.limit_in_bytes", "9223372036854771712\n"),
            ("pids/pids.max", "max\n"),
            ("cpu/cpu.shares", "1024\n"),
            ("cpu/cpu.cfs_quota_us", "-1\n"),
            ("cpu/cpu.cfs_period_us", "100000\n"),
            ("cpu/cpu.stat", ""),
            ("cpuacct/cpuacct.usage", "45983251000000\n"),
            ("memory/memory.oom_control", "oom_kill 9\n"),
        ];
        check(&none, [false; 4], None, false);
        check(
            &[("cgroup.controllers", ""), ("memory.max", "max\n"), ("cpu.max", "max 100000\n")],
            [false; 4],
            None,
            false,
        );
        check(&[], [false; 4], None, false);
    }
}
