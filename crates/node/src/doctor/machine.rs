//! Processors, memory, and the place for data.

use std::path::Path;

use super::Finding;
use crate::error::chain;
use crate::home::Home;

/// Below this the shipped model and the tests of a small project do not fit side by side.
const LITTLE_MEMORY_BYTES: u64 = 2 * 1024 * 1024 * 1024;
/// Below this snapshots and trees soon fill the disk.
const LITTLE_DISK_BYTES: u64 = 2 * 1024 * 1024 * 1024;
/// Below this the database cannot be relied upon to commit.
const NO_DISK_BYTES: u64 = 64 * 1024 * 1024;

fn gigabytes(bytes: u64) -> String {
    let tenths = bytes / (1024 * 1024 * 1024 / 10);
    format!("{}.{} GiB", tenths / 10, tenths % 10)
}

pub(super) fn platform() -> Finding {
    let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
    Finding::good("version", format!("edgecoder {} on {os} {arch}", env!("CARGO_PKG_VERSION")))
}

pub(super) fn processors() -> Finding {
    match std::thread::available_parallelism() {
        Ok(count) => Finding::good("processors", format!("{count} available")),
        Err(error) => Finding::weak("processors", error.to_string(), "set inference.threads"),
    }
}

pub(super) fn memory() -> Finding {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kilobytes = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim_matches([':', ' ']).split(' ').next()?.parse::<u64>().ok()
    };
    let (Some(total), Some(free)) = (kilobytes("MemTotal"), kilobytes("MemAvailable")) else {
        return Finding::good("memory", "not known on this platform");
    };
    let found = format!("{} free of {}", gigabytes(free * 1024), gigabytes(total * 1024));
    if free * 1024 < LITTLE_MEMORY_BYTES {
        return Finding::weak("memory", found, "close other programs, or use a smaller model");
    }
    Finding::good("memory", found)
}

pub(super) fn data_dir(data: &Home) -> Vec<Finding> {
    vec![private(data), disk(data.path())]
}

fn private(data: &Home) -> Finding {
    let shown = data.path().display();
    match data.known_identity() {
        Ok(Some(key)) => Finding::good("identity", format!("{} in {shown}", key.public().node_id())),
        Ok(None) => Finding::good("identity", format!("none yet; made in {shown} at the first start")),
        Err(error) => {
            Finding::bad("identity", chain(&error), "see the message; nothing is replaced by itself")
        }
    }
}

#[cfg(unix)]
fn disk(path: &Path) -> Finding {
    // The directory may not exist yet: its nearest existing parent lies on the same disk.
    let measured = path.ancestors().find_map(|dir| rustix::fs::statvfs(dir).ok());
    let Some(disk) = measured else {
        return Finding::bad("disk", "cannot be measured", "choose another place with --data-dir");
    };
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    let found = format!("{} free where the data lies", gigabytes(free));
    let fix = "free disk space, or choose another place with --data-dir";
    if free < NO_DISK_BYTES {
        return Finding::bad("disk", found, fix);
    }
    if free < LITTLE_DISK_BYTES {
        return Finding::weak("disk", found, fix);
    }
    Finding::good("disk", found)
}

#[cfg(not(unix))]
fn disk(_: &Path) -> Finding {
    Finding::good("disk", "not measured on this platform")
}
