//! What memory is free, where the system tells; and being the first to go when there is none.

use std::fs;

/// Bytes a new allocation can take without pushing others out: of the machine, or of the container if that is less.
pub(crate) fn free_bytes() -> Option<u64> {
    let machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| available(&text))?;
    Some(container_free_bytes().map_or(machine, |container| container.min(machine)))
}

/// When memory runs out the system kills the engine, which is restarted, rather than the node.
pub(crate) fn go_first() {
    /// Between an ordinary process (0) and one that begs to be killed (1000).
    const SCORE: &str = "500";
    // Only Linux has it, and a container may forbid it; nothing else depends on it.
    if let Err(error) = fs::write("/proc/self/oom_score_adj", SCORE) {
        tracing::debug!(%error, "the engine is not marked as the first to go");
    }
}

fn available(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib.saturating_mul(1024))
}

fn container_free_bytes() -> Option<u64> {
    let number = |name: &str| -> Option<u64> {
        fs::read_to_string(format!("/sys/fs/cgroup/{name}")).ok()?.trim().parse().ok()
    };
    Some(number("memory.max")?.saturating_sub(number("memory.current")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_tells_is_read() {
        let told = "MemTotal:  24000000 kB\nMemAvailable:   1024 kB\n";
        for (text, bytes) in [(told, Some(1 << 20)), ("MemTotal: 1 kB\n", None), ("MemAvailable: x kB", None)]
        {
            assert_eq!(available(text), bytes, "{text}");
        }
    }
}
