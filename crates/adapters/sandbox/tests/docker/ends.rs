//! How runs end, and that nothing is left of them.

use std::time::{Duration, Instant};

use edgecoder_base::Level;
use edgecoder_sandbox::docker::Owner;
use edgecoder_sandbox::{Config, Error, Exit, Sandbox};
use tokio_util::sync::CancellationToken;

use crate::rig::{Rig, config, own};

#[tokio::test]
async fn the_wall_limit_kills_daemons_too() {
    let Some(rig) = Rig::new() else { return };
    let mut job = rig.job(
        "for i in 1 2 3; do setsid sh -c 'trap \"\" TERM HUP; sleep 7301 & sleep 7301' & done; sleep 7301",
    );
    job.limits.wall = Duration::from_millis(300);
    assert_eq!(rig.run_job(job).await.unwrap().exit, Exit::WallTimeout);
    assert_eq!(alive("sleep\x007301"), Vec::<u32>::new());
}

#[tokio::test]
async fn bounds_end_a_run_by_their_names() {
    let Some(rig) = Rig::new() else { return };
    let check = async |command: &str, expected: Exit| {
        let mut job = rig.job(command);
        job.limits.cpu = Duration::from_secs(1);
        job.limits.memory_bytes = 128 << 20;
        let report = rig.run_job(job).await.unwrap();
        // Without a group it is the allocation that fails, in the program.
        let unbounded = report.level == Level::S2 && expected == Exit::OutOfMemory;
        let expected = if unbounded { Exit::Code(1) } else { expected };
        assert_eq!(report.exit, expected, "{command} {}", report.stderr.text());
    };
    check("while :; do :; done", Exit::CpuTimeout).await;
    check("exec python3 -c 'x = bytearray(1 << 30); print(len(x))'", Exit::OutOfMemory).await;
    check("exec yes", Exit::OutputFlood).await;
    check("exec yes >&2", Exit::OutputFlood).await;
    check("kill -SEGV $$", Exit::Signal(11)).await;
    check("setsid sleep 7302 & exit 4", Exit::Code(4)).await;
    assert_eq!(alive("sleep\x007302"), Vec::<u32>::new());
}

#[tokio::test]
async fn cancelling_answers_when_everything_is_dead() {
    let Some(rig) = Rig::new() else { return };
    let (cancel, job) = (CancellationToken::new(), rig.job("sleep 7303"));
    let cancelling = async {
        let started = Instant::now();
        while alive("sleep\x007303").is_empty() {
            assert!(started.elapsed() < Duration::from_secs(60), "the command never came up");
            tokio::task::yield_now().await;
        }
        cancel.cancel();
    };
    let (ended, ()) = tokio::join!(rig.sandbox.run(job, cancel.clone()), cancelling);
    assert!(matches!(ended, Err(Error::Cancelled)), "{ended:?}");
    assert_eq!(alive("sleep\x007303"), Vec::<u32>::new());

    let early = CancellationToken::new();
    early.cancel();
    assert!(matches!(rig.sandbox.run(rig.job("true"), early).await, Err(Error::Cancelled)));
}

#[tokio::test]
async fn a_dropped_run_leaves_nothing() {
    let Some(rig) = Rig::new() else { return };
    for delay in [0, 20, 60, 150, 400, 800] {
        let run = rig.run_job(rig.job("sleep 7304"));
        let dropped = tokio::time::timeout(Duration::from_millis(delay), run).await;
        assert!(dropped.is_err(), "{dropped:?}");
    }
    rig.await_none(&own()).await;
    assert_eq!(alive("sleep\x007304"), Vec::<u32>::new());
}

#[tokio::test]
async fn a_new_node_sweeps_what_the_dead_left() {
    let Some(rig) = Rig::new() else { return };
    rig.run("true").await;
    // No process of this machine started at the time of its boot with the highest id there can be.
    let dead = Owner { pid: u32::MAX / 2, start: 1, ..this() };
    let (left, others) = (rig.plant(dead.labels(None)).await, rig.plant([].into()).await);
    let living = rig.plant(this().labels(Some("t1.s1.a2"))).await;
    // What this node started in a container of its own that is no more.
    let elsewhere = Owner { namespace: "pid:[1]".into(), node: Some("ec1node".into()), ..this() };
    let ours = rig.plant(elsewhere.labels(None)).await;
    let config = Config { node: Some("ec1node".into()), ..config(rig.socket.clone()) };
    let sandbox = Sandbox::new(config).unwrap();
    sandbox.run(rig.job("true"), CancellationToken::new()).await.unwrap();
    let all = rig.containers(&[]).await;
    assert!(!all.contains(&left) && !all.contains(&ours), "a container without an owner was left");
    assert!(all.contains(&others) && all.contains(&living), "{all:?}");
    rig.remove(&others).await;
    rig.remove(&living).await;
}

/// An owner that lives as long as this test.
fn this() -> Owner {
    let line = std::fs::read_to_string("/proc/self/stat").unwrap();
    let start = line.rsplit_once(')').unwrap().1.split_whitespace().nth(19).unwrap().parse().unwrap();
    let read = |path: &str| std::fs::read_to_string(path).unwrap().trim().to_owned();
    Owner {
        pid: std::process::id(),
        start,
        namespace: std::fs::read_link("/proc/self/ns/pid").unwrap().display().to_string(),
        boot: read("/proc/sys/kernel/random/boot_id"),
        node: None,
    }
}

/// Processes of this machine whose command line holds `marker`.
fn alive(marker: &str) -> Vec<u32> {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|pid: &u32| {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).starts_with(marker)
    })
    .collect()
}
