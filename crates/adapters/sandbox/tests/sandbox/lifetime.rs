//! Nothing outlives its run, however that ends.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use edgecoder_sandbox::{Config, Error, Exit, Job, Sandbox};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};
use tokio_util::sync::CancellationToken;

use crate::rig::{Rig, config, limits};

/// Set only in the process that a test starts to be killed.
const DOOMED: &str = "EDGECODER_TEST_DOOMED_WORKER";
/// Runs beside one who sweeps all the time.
const RUNS_SWEPT: u32 = 20;

/// Processes of this machine whose command line holds `marker` (arguments are separated by NUL).
pub(crate) fn alive(marker: &str) -> Vec<u32> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let shows = |pid: &u32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains(marker)
    };
    pids.filter(shows).collect()
}

/// Spins until the payload has come up; its own clock bounds the wait.
fn await_alive(marker: &str) -> Vec<u32> {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let found = alive(marker);
        if !found.is_empty() {
            return found;
        }
        assert!(Instant::now() < deadline, "{marker:?} never came up");
        std::thread::yield_now();
    }
}

fn open(pid: u32) -> std::os::fd::OwnedFd {
    let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    pidfd_open(pid, PidfdFlags::empty()).unwrap()
}

#[track_caller]
fn assert_dies(pidfd: impl std::os::fd::AsFd) {
    let mut waiting = [PollFd::new(&pidfd, PollFlags::IN)];
    let patience = Timespec { tv_sec: 10, tv_nsec: 0 };
    assert_eq!(poll(&mut waiting, Some(&patience)).unwrap(), 1, "the payload outlived its node");
}

/// Not a test of its own: the worker that the next one kills.
#[test]
fn doomed_worker() {
    let Ok(tree) = std::env::var(DOOMED) else { return };
    let sandbox = Sandbox::new(config()).unwrap();
    let job = Job { limits: limits(), ..Job::new(tree, "setsid sleep 7003 & exec sleep 7003") };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _report = runtime.block_on(sandbox.run(job, CancellationToken::new()));
}

#[test]
fn killing_the_worker_kills_the_payload() {
    let rig = Rig::new();
    let mut worker = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "lifetime::doomed_worker"])
        .env(DOOMED, rig.tree.path())
        .stdout(Stdio::null())
        .process_group(0)
        .spawn()
        .unwrap();
    let payload: Vec<_> = await_alive("sleep\x007003").into_iter().map(open).collect();
    worker.kill().unwrap();
    worker.wait().unwrap();
    payload.iter().for_each(assert_dies);
}

#[tokio::test(flavor = "multi_thread")]
async fn killing_the_launcher_kills_the_payload() {
    let rig = Rig::new();
    let (sandbox, job) = (rig.sandbox.clone(), rig.job("exec sleep 7004"));
    let run = tokio::spawn(async move { sandbox.run(job, CancellationToken::new()).await });
    let payload = await_alive("sleep\x007004")[0];
    let parent = |pid: u32| -> u32 {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        stat.rsplit_once(')').unwrap().1.split_whitespace().nth(1).unwrap().parse().unwrap()
    };
    let launcher = parent(parent(payload));
    let payload = open(payload);
    kill_process(Pid::from_raw(i32::try_from(launcher).unwrap()).unwrap(), Signal::KILL).unwrap();
    assert_dies(&payload);
    assert!(matches!(run.await.unwrap(), Err(Error::NoReport { .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelling_and_dropping_kill_at_once() {
    let rig = Rig::new();
    let cancel = CancellationToken::new();
    let (sandbox, job, token) = (rig.sandbox.clone(), rig.job("exec sleep 7005"), cancel.clone());
    let run = tokio::spawn(async move { sandbox.run(job, token).await });
    let payload = open(await_alive("sleep\x007005")[0]);
    cancel.cancel();
    assert!(matches!(run.await.unwrap(), Err(Error::Cancelled)));
    assert_dies(&payload);

    let (sandbox, job) = (rig.sandbox.clone(), rig.job("exec sleep 7006"));
    let run = tokio::spawn(async move { sandbox.run(job, CancellationToken::new()).await });
    let payload = open(await_alive("sleep\x007006")[0]);
    run.abort();
    assert_dies(&payload);
}

/// Starts the launcher in a process namespace of its own, under an id that is hardly anybody's here.
fn far_launcher(folder: &Path) -> PathBuf {
    let (draft, script) = (folder.join("draft"), folder.join("start"));
    let launcher = config().jail.unwrap();
    let inside = format!("echo 32000 >/proc/sys/kernel/ns_last_pid; {}; exit $?", launcher.display());
    let text = format!("#!/bin/sh\nexec unshare --pid --fork --mount-proc sh -c '{inside}'\n");
    fs::write(&draft, text).unwrap();
    // By another process: what one of ours holds open to write cannot be started.
    let done = Command::new("install").args(["-m", "755"]).args([&draft, &script]).status().unwrap();
    assert!(done.success());
    script
}

/// Its process id is nobody's here, as that of a node in a container is. Only root may make such a namespace.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_swept_is_no_living_run_of_another_process_namespace() {
    if !rustix::process::getuid().is_root() {
        println!("skipped: not root");
        return;
    }
    let rig = Rig::new();
    let script = far_launcher(rig.tree.path());
    let sandbox = Sandbox::new(Config { jail: Some(script), ..config() }).unwrap();
    let whole = rig.run("true").await.level;
    let over = CancellationToken::new();
    let watched = over.clone();
    let sweeper = tokio::task::spawn_blocking(move || {
        while !watched.is_cancelled() {
            assert!(Sandbox::new(config()).is_ok());
        }
    });
    let over = over.drop_guard();
    for _ in 0..RUNS_SWEPT {
        let report = sandbox.run(rig.job("true"), CancellationToken::new()).await.unwrap();
        assert_eq!((report.exit, report.level), (Exit::Code(0), whole), "{report:?}");
    }
    drop(over);
    sweeper.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn many_runs_at_once_leave_nothing_behind() {
    let rig = Rig::new();
    let mounts = || fs::read_to_string("/proc/self/mountinfo").unwrap();
    let before = mounts();
    let mut runs = tokio::task::JoinSet::new();
    for number in 0..20 {
        let (sandbox, job) =
            (rig.sandbox.clone(), rig.job(&format!("setsid sleep 7007 & echo {number} >n; cat n")));
        runs.spawn(async move { (number, sandbox.run(job, CancellationToken::new()).await.unwrap()) });
    }
    while let Some(ended) = runs.join_next().await {
        let (number, report) = ended.unwrap();
        assert_eq!((report.exit, report.stdout.text()), (Exit::Code(0), format!("{number}\n")), "{report:?}");
    }
    assert_eq!(alive("sleep\x007007"), Vec::<u32>::new());
    assert_eq!(mounts(), before);
}
