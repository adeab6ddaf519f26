//! What is left of many runs of which a third is killed: by cancelling, by dropping, and by killing the launcher.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use edgecoder_sandbox::{Config, Job, Sandbox};
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use rustix::process::{Pid, Signal, getpid, kill_process};
use serde::Serialize;
use tokio_util::sync::CancellationToken;

/// Runs alive at once.
const WIDTH: usize = 8;
/// Longest life of one that is killed: longer than a start, so that a kill strikes at any step.
const LIFE: Duration = Duration::from_millis(15);

/// Counts before and after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Counts {
    processes: usize,
    mounts: usize,
    cgroups: usize,
    descriptors: usize,
    files: usize,
    resident_kib: usize,
}

/// The verdict on the leavings.
#[derive(Debug, Serialize)]
pub(crate) struct Leftovers {
    jobs: usize,
    killed: usize,
    seconds: f64,
    before: Counts,
    /// After each tenth of the runs, while nothing runs.
    on_the_way: Vec<Counts>,
    after: Counts,
}

/// Parts of a soak after which is counted.
const PARTS: usize = 10;

impl Leftovers {
    /// Growth of `what` in a thousand runs: the slope of the straight line nearest to all that was counted on the way.
    fn slope(&self, what: impl Fn(&Counts) -> usize) -> f64 {
        let points: Vec<(f64, f64)> = (1_usize..)
            .zip(&self.on_the_way)
            .map(|(part, counts)| {
                (part as f64 * self.jobs as f64 / PARTS as f64 / 1_000.0, what(counts) as f64)
            })
            .collect();
        let count = points.len().max(1) as f64;
        let (x, y) =
            points.iter().fold((0.0, 0.0), |(x, y), point| (x + point.0 / count, y + point.1 / count));
        let both = |point: &(f64, f64)| (point.0 - x) * (point.1 - y);
        let spread: f64 = points.iter().map(|point| (point.0 - x).powi(2)).sum();
        if spread == 0.0 { 0.0 } else { points.iter().map(both).sum::<f64>() / spread }
    }
}

impl fmt::Display for Leftovers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { jobs, killed, seconds, before, on_the_way: _, after } = self;
        let grown = |after: usize, before: usize| after.cast_signed() - before.cast_signed();
        write!(
            f,
            "after {jobs} runs, {killed} of them killed, in {seconds:.0} s: {:+} processes, {:+} mounts, {:+} cgroups, \
             {:+} descriptors, {:+} files, {:+} KiB resident; in a thousand runs {:+.2} descriptors and {:+.1} KiB",
            grown(after.processes, before.processes),
            grown(after.mounts, before.mounts),
            grown(after.cgroups, before.cgroups),
            grown(after.descriptors, before.descriptors),
            grown(after.files, before.files),
            grown(after.resident_kib, before.resident_kib),
            self.slope(|counts| counts.descriptors),
            self.slope(|counts| counts.resident_kib),
        )
    }
}

pub(crate) async fn count(sandbox: &Sandbox, jail: &Path, jobs: usize) -> anyhow::Result<Leftovers> {
    let tree = tempfile::tempdir()?;
    // Buffers and pools come to their size first.
    many(sandbox, tree.path(), WIDTH * 4, &mut 0).await?;
    let (before, started, mut killed) = (counts(jail), Instant::now(), 0);
    let mut on_the_way = Vec::new();
    for part in 0..PARTS {
        let until = |part: usize| jobs * part / PARTS;
        many(sandbox, tree.path(), until(part + 1) - until(part), &mut killed).await?;
        await_quiet(jail).await;
        on_the_way.push(counts(jail));
    }
    let seconds = started.elapsed().as_secs_f64();
    // Groups of launchers that were killed are swept by the next node.
    let _swept = Sandbox::new(Config { jail: Some(jail.to_owned()), ..Config::default() })?;
    Ok(Leftovers { jobs, killed, seconds, before, on_the_way, after: counts(jail) })
}

async fn many(sandbox: &Sandbox, tree: &Path, jobs: usize, killed: &mut usize) -> anyhow::Result<()> {
    let mut running = FuturesUnordered::new();
    for job in 0..jobs {
        if running.len() >= WIDTH {
            *killed += usize::from(running.next().await.unwrap_or(false));
        }
        running.push(one(sandbox, tree, job, random()?));
    }
    while let Some(was_killed) = running.next().await {
        *killed += usize::from(was_killed);
    }
    Ok(())
}

/// Runs one job, or kills it after a while; says which.
async fn one(sandbox: &Sandbox, tree: &Path, job: usize, random: u64) -> bool {
    let cancel = CancellationToken::new();
    let command = "sleep 60 & (setsid sleep 60 &) ; true";
    if !job.is_multiple_of(3) {
        // A launcher may have been killed by one of the others; then there is no report.
        return sandbox.run(Job::new(tree, command), cancel).await.is_err();
    }
    let run = sandbox.run(Job::new(tree, "sleep 60 & setsid sleep 60 & exec sleep 60"), cancel.clone());
    tokio::pin!(run);
    let life = LIFE.mul_f64((random % 1000) as f64 / 1000.0);
    let early = tokio::time::timeout(life, &mut run).await;
    match (early, random / 1000 % 3) {
        (Ok(_ended), _) => {}
        // Dropped here.
        (Err(_), 0) => return true,
        (Err(_), 1) => {
            cancel.cancel();
            let _cancelled = run.await;
        }
        (Err(_), _) => {
            kill_some_launcher(random);
            cancel.cancel();
            let _broken = run.await;
        }
    }
    true
}

/// One of our children, whichever.
fn kill_some_launcher(random: u64) {
    let children = children();
    let at = usize::try_from(random).unwrap_or_default() % children.len().max(1);
    if let Some(pid) = children.iter().nth(at).copied().and_then(Pid::from_raw) {
        // It may just have ended.
        let _gone = kill_process(pid, Signal::KILL);
    }
}

fn children() -> BTreeSet<i32> {
    let pid = getpid().as_raw_nonzero();
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let lists = tasks.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
    lists
        .flat_map(|list| list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>())
        .collect()
}

fn random() -> anyhow::Result<u64> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).map_err(|error| anyhow::anyhow!("no random bytes: {error}"))?;
    Ok(u64::from_le_bytes(bytes))
}

/// The kernel takes a moment to bury a namespace.
async fn await_quiet(jail: &Path) {
    let started = Instant::now();
    while processes(jail) > 0 && started.elapsed() < Duration::from_secs(5) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Processes that run the launcher, or were started by it and are still about.
fn processes(jail: &Path) -> usize {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let ours = entries.filter(|entry| {
        let exe = fs::read_link(entry.path().join("exe")).unwrap_or_default();
        let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        exe == jail || line == b"sleep\x0060\0"
    });
    ours.count()
}

fn counts(jail: &Path) -> Counts {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let resident =
        status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.split_whitespace().next()?.parse().ok());
    let files = |folder: &Path| fs::read_dir(folder).into_iter().flatten().count();
    Counts {
        processes: processes(jail),
        mounts: fs::read_to_string("/proc/self/mountinfo").unwrap_or_default().lines().count(),
        cgroups: cgroups(),
        descriptors: files(Path::new("/proc/self/fd")),
        files: files(&std::env::temp_dir()),
        resident_kib: resident.unwrap_or_default(),
    }
}

fn cgroups() -> usize {
    let mut folders = vec![PathBuf::from("/sys/fs/cgroup")];
    let mut count = 0;
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                count += usize::from(entry.file_name().to_string_lossy().starts_with("edgecoder-jail-"));
                folders.push(entry.path());
            }
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leak_shows_in_the_slope() {
        let counts = |descriptors| Counts {
            processes: 0,
            mounts: 0,
            cgroups: 0,
            descriptors,
            files: 0,
            resident_kib: 7,
        };
        let on_the_way = (1..=PARTS).map(|part| counts(10 + 3 * part)).collect();
        let left = Leftovers {
            jobs: 10_000,
            killed: 0,
            seconds: 1.0,
            before: counts(10),
            on_the_way,
            after: counts(40),
        };
        assert!((left.slope(|counts| counts.descriptors) - 3.0).abs() < 1e-9);
        assert!(left.slope(|counts| counts.resident_kib).abs() < 1e-9);
    }
}
