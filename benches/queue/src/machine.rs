//! What the figures were taken on: without it they mean nothing.

use std::fmt;
use std::fs::{File, read_to_string};
use std::io::Write as _;
use std::path::Path;
use std::time::Instant;

use serde::Serialize;

/// Appends of 4 KiB, each followed by a sync, for the disk's median.
const SYNCS: usize = 200;

/// A machine in few words.
#[derive(Debug, Serialize)]
pub(crate) struct Facts {
    processor: String,
    cores: usize,
    memory_gib: f64,
    kernel: String,
    file_system: String,
    sync_ms: f64,
    load_average: String,
}

impl fmt::Display for Facts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} × {}, {:.0} GiB, {}, {}, a sync of 4 KiB takes {:.2} ms, load average {}",
            self.cores,
            self.processor,
            self.memory_gib,
            self.kernel,
            self.file_system,
            self.sync_ms,
            self.load_average
        )
    }
}

pub(crate) fn facts(folder: &Path) -> anyhow::Result<Facts> {
    let line = |file: &str, name: &str| {
        let text = read_to_string(file).unwrap_or_default();
        let found = text
            .lines()
            .find_map(|line| line.strip_prefix(name)?.split_once(':')?.1.trim().to_owned().into());
        found.unwrap_or_else(|| "unknown".to_owned())
    };
    let kib = line("/proc/meminfo", "MemTotal").trim_end_matches(" kB").parse().unwrap_or(f64::NAN);
    let kernel = read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    Ok(Facts {
        processor: line("/proc/cpuinfo", "model name"),
        cores: std::thread::available_parallelism()?.get(),
        memory_gib: kib / 1024.0 / 1024.0,
        kernel: format!("{} {}", std::env::consts::OS, kernel.trim()),
        file_system: file_system(folder),
        sync_ms: sync(folder)?,
        load_average: load_average(),
    })
}

pub(crate) fn load_average() -> String {
    let text = read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').take(3).collect::<Vec<_>>().join(" ")
}

/// The kind of the longest mount point above `folder`.
fn file_system(folder: &Path) -> String {
    let mounts = read_to_string("/proc/mounts").unwrap_or_default();
    let above = mounts.lines().filter_map(|line| {
        let mut words = line.split(' ').skip(1);
        let (point, kind) = (words.next()?, words.next()?);
        folder.starts_with(point).then_some((point.len(), kind))
    });
    above.max().map_or_else(|| "unknown file system".to_owned(), |(_, kind)| kind.to_owned())
}

fn sync(folder: &Path) -> anyhow::Result<f64> {
    let path = folder.join("sync");
    let mut file = File::create(&path)?;
    let mut waits = Vec::new();
    for _ in 0..SYNCS {
        let start = Instant::now();
        file.write_all(&[7; 4096])?;
        file.sync_data()?;
        waits.push(start.elapsed().as_secs_f64() * 1_000.0);
    }
    std::fs::remove_file(path)?;
    Ok(crate::percentile(&mut waits, 50))
}
