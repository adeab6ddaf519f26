//! Memory of a run where no cgroup counts it: looked at from outside, often. A limit on each process's writable
//! address space would end threads with their stacks and sanitizers with their shadows, which reserve far more than
//! they use; what is really used can only be seen.

use std::fs;
use std::time::{Duration, Instant};

use rustix::process::Pid;

use super::sys;

/// How often it is looked at least, and how much longer the pause is than the look: a run of many processes must not
/// cost the machine a core for being watched.
const PAUSE: Duration = Duration::from_millis(10);
const PAUSE_PER_LOOK: u32 = 8;
/// All processes together may have this many times what one may: pages that they share count for each.
const TOGETHER: u64 = 4;
/// Most processes that are looked at; beyond that another bound is broken.
const MOST: usize = 4096;

/// Whether the kernel tells who is whose child; where it does not, address space must be limited instead.
pub(super) fn is_possible() -> bool {
    fs::metadata("/proc/thread-self/children").is_ok()
}

/// Looks at all below the first process of a run.
#[derive(Debug)]
pub(super) struct Watch {
    first: Pid,
    /// Bytes of one process.
    limit: u64,
    page_bytes: u64,
    next: Instant,
    pause: Duration,
}

impl Watch {
    /// A watch on the processes below `first`, each of which may have `limit` bytes of its own.
    pub(super) fn new(first: Pid, limit: u64) -> Self {
        Self { first, limit, page_bytes: sys::page_bytes(), next: Instant::now(), pause: PAUSE }
    }

    /// How long until the next look.
    pub(super) fn pause(&self) -> Duration {
        self.next.saturating_duration_since(Instant::now())
    }

    /// Whether a process has more than it may, or all of them far too much; looks when it is time to.
    pub(super) fn is_over(&mut self) -> bool {
        let began = Instant::now();
        if began < self.next {
            return false;
        }
        let (mut all, mut largest, mut seen) = (0_u64, 0_u64, 0);
        let mut pending = vec![self.first.as_raw_nonzero().get()];
        while let Some(pid) = pending.pop() {
            let own = self.own_bytes(pid).unwrap_or(0);
            all = all.saturating_add(own);
            largest = largest.max(own);
            seen += 1;
            if seen < MOST {
                children(pid, &mut pending);
            }
        }
        self.pause = PAUSE.max(began.elapsed() * PAUSE_PER_LOOK);
        self.next = Instant::now() + self.pause;
        largest > self.limit || all > self.limit.saturating_mul(TOGETHER)
    }

    /// What a process has in memory and does not share with a file.
    fn own_bytes(&self, pid: i32) -> Option<u64> {
        let text = fs::read_to_string(format!("/proc/{pid}/statm")).ok()?;
        let mut pages = text.split(' ').skip(1).map_while(|number| number.parse::<u64>().ok());
        let (resident, shared) = (pages.next()?, pages.next()?);
        Some(resident.saturating_sub(shared).saturating_mul(self.page_bytes))
    }
}

/// The children of all threads of `pid`. One that ends meanwhile has none.
fn children(pid: i32, found: &mut Vec<i32>) {
    for thread in fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten() {
        let list = fs::read_to_string(thread.path().join("children")).unwrap_or_default();
        found.extend(list.split_whitespace().filter_map(|pid| pid.parse::<i32>().ok()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_with_too_much_is_seen() {
        if !is_possible() {
            return;
        }
        let hold = "x=$(head -c 33554432 /dev/zero | tr '\\0' x); echo ready; read -r _";
        let mut child = std::process::Command::new("/bin/sh")
            .args(["-c", &format!("sh -c '{}'; true", hold.replace('\'', "'\\''"))])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let stdout = child.stdout.take().unwrap();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(stdout), &mut line).unwrap();
        let first = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
        assert!(Watch::new(first, 16 << 20).is_over(), "the grandchild has 32 MiB");
        assert!(!Watch::new(first, 512 << 20).is_over());
        let mut watch = Watch::new(first, 16 << 20);
        assert!(watch.is_over() && !watch.is_over(), "not again at once");
        drop(child.stdin.take());
        child.wait().unwrap();
    }
}
