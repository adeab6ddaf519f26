//! Bounds on time, processes, memory, disk and output.

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use edgecoder_base::Level;
use edgecoder_sandbox::{Config, Exit, Fault, Limits, Sandbox};
use tokio_util::sync::CancellationToken;

use crate::rig::{Rig, limits};

#[tokio::test]
async fn the_wall_limit_kills_daemons_too() {
    let rig = Rig::new();
    let mut job = rig.job(
        "for i in 1 2 3; do setsid sh -c 'trap \"\" TERM HUP; sleep 7001 & sleep 7001' & done; sleep 7001",
    );
    job.limits = Limits { wall: Duration::from_millis(300), ..limits() };
    let started = Instant::now();
    let report = rig.run_job(job).await;
    assert_eq!(report.exit, Exit::WallTimeout, "{report:?}");
    assert!(started.elapsed() < Duration::from_secs(10));
    assert_eq!(crate::lifetime::alive("sleep\x007001"), Vec::<u32>::new());
}

#[tokio::test]
async fn what_the_command_leaves_behind_dies_with_it() {
    let report = Rig::new().run("setsid sleep 7002 & echo done").await;
    assert_eq!((report.exit, report.stdout.text()), (Exit::Code(0), "done\n".into()));
    assert_eq!(crate::lifetime::alive("sleep\x007002"), Vec::<u32>::new());
}

#[tokio::test]
async fn processor_time_is_bounded() {
    let rig = Rig::new();
    let mut job = rig.job("while :; do :; done");
    job.limits = Limits { cpu: Duration::from_secs(1), ..limits() };
    assert_eq!(rig.run_job(job).await.exit, Exit::CpuTimeout);
}

#[tokio::test]
async fn a_fork_bomb_stays_small() {
    let rig = Rig::new();
    let program = "import os\nn = 0\ntry:\n  while True:\n    if os.fork() == 0:\n      import time; time.sleep(60)\n    n += 1\nexcept OSError:\n  print(n <= 20, n > 5)";
    let mut job = rig.job(&format!("python3 -c '{program}'"));
    job.limits = Limits { processes: 20, ..limits() };
    let report = rig.run_job(job).await;
    assert_eq!((report.exit, report.stdout.text()), (Exit::Code(0), "True True\n".into()), "{report:?}");
}

#[tokio::test]
async fn memory_is_bounded() {
    let rig = Rig::new();
    let mut job = rig.job("exec python3 -c 'x = bytearray(1 << 30); print(len(x))'");
    job.limits = Limits { memory_bytes: 256 << 20, ..limits() };
    let report = rig.run_job(job).await;
    // Without a cgroup the allocation fails in the program, which then ends in its own way.
    let expected = if report.level >= Level::S3 { Exit::OutOfMemory } else { Exit::Code(1) };
    assert_eq!((report.exit, report.stdout.total), (expected, 0), "{report:?}");
}

#[tokio::test]
async fn most_memory_is_told_with_a_group_and_without() {
    const USED: u64 = 64 << 20;
    let rig = Rig::new();
    for faults in [&[][..], &[Fault::MemoryCgroup]] {
        let sandbox = rig.sandbox.clone().with_faults(faults);
        let job = rig.job(&format!("python3 -c 'b\"x\" * {USED}'"));
        let report = sandbox.run(job, CancellationToken::new()).await.unwrap();
        let peak = report.layers.as_ref().and_then(|layers| layers.memory_peak_bytes);
        assert!(peak > Some(USED), "{faults:?}: {report:?}");
    }
}

#[tokio::test]
async fn disk_is_bounded() {
    let rig = Rig::new();
    let mut job = rig.job("head -c 20000000 /dev/zero >/tmp/a; head -c 20000000 /dev/zero >b; du -cb /tmp/a b | tail -1 | cut -f1");
    job.limits = Limits { disk_bytes: 16 << 20, ..limits() };
    let report = rig.run_job(job).await;
    let kept: u64 = report.stdout.text().trim().parse().unwrap();
    assert!(kept <= 16 << 20, "{report:?}");
}

#[tokio::test]
async fn output_is_kept_in_part_and_a_flood_ends_the_run() {
    let rig = Rig::new();
    let mut job = rig.job("echo first; head -c 1000000 /dev/zero; echo; echo last");
    job.limits = Limits { output_bytes: 1024 * 32, ..limits() };
    let report = rig.run_job(job).await;
    assert_eq!((report.exit, report.stdout.total), (Exit::Code(0), 1_000_012));
    assert!(report.stdout.truncated() && report.stdout.head.starts_with(b"first\n"));
    assert!(report.stdout.tail.ends_with(b"\nlast\n"));
    assert_eq!(report.stdout.head.len() + report.stdout.tail.len(), 1024 * 32);

    for stream in ["yes", "yes >&2"] {
        assert_eq!(rig.run(stream).await.exit, Exit::OutputFlood, "{stream}");
    }
}

#[tokio::test]
async fn processor_time_per_period_is_bounded_where_the_operator_says_so() {
    let mut rig = Rig::new();
    let config = Config { millicores: NonZeroU32::new(100), ..crate::rig::config() };
    rig.sandbox = Sandbox::new(config).unwrap();
    let mut job = rig.job("while :; do :; done");
    job.limits = Limits { cpu: Duration::from_millis(100), ..limits() };
    let report = rig.run_job(job).await;
    let layers = report.layers.unwrap();
    match layers.cpu_quota {
        Some(quota) => assert!(quota.millicores == 100 && quota.throttled_periods > 0, "{quota:?}"),
        None => assert!(report.degraded.iter().any(|words| words.starts_with("quota:"))),
    }
    let unbounded = Rig::new().run("true").await;
    assert_eq!(unbounded.layers.unwrap().cpu_quota, None, "without a word of his there is none");
}
