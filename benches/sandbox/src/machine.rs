//! What the figures were taken on: without it they mean nothing.

use std::fmt;
use std::fs::read_to_string;

use serde::Serialize;

/// A machine in few words.
#[derive(Debug, Serialize)]
pub(crate) struct Facts {
    processor: String,
    cores: usize,
    kernel: String,
    load_average: String,
}

impl fmt::Display for Facts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} × {}, Linux {}, load average {}",
            self.cores, self.processor, self.kernel, self.load_average
        )
    }
}

pub(crate) fn facts() -> Facts {
    let text = read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    Facts {
        processor: model.map_or_else(|| "unknown".to_owned(), |(_, name)| name.trim().to_owned()),
        cores: std::thread::available_parallelism().map_or(1, usize::from),
        kernel: read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned(),
        load_average: load_average(),
    }
}

pub(crate) fn load_average() -> String {
    let text = read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').take(3).collect::<Vec<_>>().join(" ")
}
