//! Where groups may be made: below the group this process is in, in each hierarchy that is mounted.

use std::fs;
use std::path::{Path, PathBuf};

use super::{ACCOUNT, MEMORY, PIDS, SHARE};

/// A directory in which groups of one controller may be made, or such a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) version: u8,
    pub(super) controller: &'static str,
    pub(super) folder: PathBuf,
}

/// All of them, the preferred ones first. `mounts` is a mountinfo.
pub(super) fn places(mounts: &str) -> Vec<Place> {
    let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let mut found = places_v1(&own, mounts);
    for folder in folders_v2(&own, mounts) {
        let enabled = fs::read_to_string(folder.join("cgroup.subtree_control")).unwrap_or_default();
        for (wanted, controller) in [(MEMORY, MEMORY), (PIDS, PIDS), ("cpu", SHARE), (MEMORY, ACCOUNT)] {
            if enabled.split_whitespace().any(|name| name == wanted) {
                found.push(Place { version: 2, controller, folder: folder.clone() });
            }
        }
    }
    found
}

/// The group this process is in, for each controller of version 1: ours go below it and inherit its bounds.
fn places_v1(own: &str, mounts: &str) -> Vec<Place> {
    let mut found = Vec::new();
    for (wanted, controller) in [(MEMORY, MEMORY), (PIDS, PIDS), ("cpu", SHARE), ("cpuacct", ACCOUNT)] {
        let has = |list: &str| list.split(',').any(|name| name == wanted);
        let path = own.lines().find_map(|line| {
            let mut parts = line.splitn(3, ':').skip(1);
            has(parts.next()?).then(|| parts.next())?
        });
        let mount = mounts.lines().filter_map(Mount::parse).find(|m| m.kind == "cgroup" && has(m.options));
        if let (Some(path), Some(mount)) = (path, mount) {
            found.push(Place { version: 1, controller, folder: mount.folder(path) });
        }
    }
    found
}

/// Where version 2 may let us make groups: below our own, or beside it, for a group with members of its own
/// cannot hand controllers down.
fn folders_v2(own: &str, mounts: &str) -> Vec<PathBuf> {
    let path = own.lines().find_map(|line| line.strip_prefix("0::"));
    let mount = mounts.lines().filter_map(Mount::parse).find(|mount| mount.kind == "cgroup2");
    let (Some(path), Some(mount)) = (path, mount) else { return Vec::new() };
    let own = mount.folder(path);
    let beside = own.parent().filter(|parent| parent.starts_with(mount.point)).map(Path::to_owned);
    [Some(own), beside].into_iter().flatten().collect()
}

pub(super) struct Mount<'a> {
    root: &'a str,
    pub(super) point: &'a str,
    pub(super) kind: &'a str,
    options: &'a str,
}

impl<'a> Mount<'a> {
    /// One line of mountinfo: `id parent dev root point options … - kind source super-options`.
    pub(super) fn parse(line: &'a str) -> Option<Self> {
        let (before, after) = line.split_once(" - ")?;
        let mut before = before.split(' ').skip(3);
        let mut after = after.split(' ');
        let (root, point, kind) = (before.next()?, before.next()?, after.next()?);
        Some(Self { root, point, kind, options: after.nth(1)? })
    }

    /// The directory of group `path`; a container may show only a part of the hierarchy.
    fn folder(&self, path: &str) -> PathBuf {
        let inside = Path::new(path).strip_prefix(self.root).unwrap_or_else(|_| Path::new(""));
        Path::new(self.point).join(inside)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "\
30 25 0:26 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
31 25 0:27 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
32 25 0:28 /docker/abc /sys/fs/cgroup/pids ro shared:9 - cgroup cgroup rw,pids
33 25 0:29 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
";

    #[test]
    fn groups_go_below_our_own() {
        let own = "4:memory:/a/b\n3:cpu,cpuacct:/\n8:pids:/docker/abc\n1:name=systemd:/\n0::/u/s\n";
        let place = |controller, folder: &str| Place { version: 1, controller, folder: folder.into() };
        let expected = [
            place(MEMORY, "/sys/fs/cgroup/memory/a/b"),
            place(PIDS, "/sys/fs/cgroup/pids/"),
            place(SHARE, "/sys/fs/cgroup/cpu,cpuacct/"),
            place(ACCOUNT, "/sys/fs/cgroup/cpu,cpuacct/"),
        ];
        assert_eq!(places_v1(own, MOUNTS), expected);
        let both = ["/sys/fs/cgroup/unified/u/s", "/sys/fs/cgroup/unified/u"].map(PathBuf::from);
        assert_eq!(folders_v2(own, MOUNTS), both);
        assert_eq!(folders_v2("0::/\n", MOUNTS), [PathBuf::from("/sys/fs/cgroup/unified/")]);
        assert_eq!(places_v1("", ""), []);
    }
}
