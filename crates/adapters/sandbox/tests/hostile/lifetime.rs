//! J: runs that are killed, starved or repeated, and what is left of them.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::{Duration, Instant};

use edgecoder_base::Level;
use edgecoder_sandbox::{Config, Error, Exit, Sandbox};
use rustix::process::{Pid, Signal, kill_process};
use tokio_util::sync::CancellationToken;

use crate::Case;
use crate::rig::{Account, Rig};

#[rustfmt::skip]
pub(crate) const CASES: &[Case] = &[
    Case { id: "J02 killed at every step", holds: killed_at_every_step },
    Case { id: "J03 no memory for the set-up", holds: starved },
    Case { id: "J04 leftovers of the run before", holds: nothing_of_the_run_before },
    Case { id: "J07 many in a row", holds: many_in_a_row },
    Case { id: "J10 job description and status pipe", holds: nothing_of_the_launchers },
];

/// Start-up takes a few milliseconds: a kill falls into every step of it.
const KILLS: u32 = 60;
const STEP: Duration = Duration::from_micros(300);
/// Set only in the process that a case starts for itself.
const ALONE: &str = "EDGECODER_TEST_ALONE";
const RUNS: u32 = 300;

/// Processes that were started as `path`: a launcher cannot be traced, so another user is not shown its program.
fn running(path: &Path) -> Vec<i32> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|pid: &i32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        line.split(|&byte| byte == 0).next() == Some(path.as_os_str().as_bytes())
    })
    .collect()
}

/// Spins until `done`; its own clock bounds the wait.
#[track_caller]
fn await_that(what: &str, done: impl Fn() -> bool) {
    let started = Instant::now();
    while !done() {
        assert!(started.elapsed() < Duration::from_secs(20), "{what}");
        std::thread::yield_now();
    }
}

/// Groups of this program's launchers, wherever they hang.
fn groups() -> usize {
    let mut count = 0;
    let mut folders = vec![std::path::PathBuf::from("/sys/fs/cgroup")];
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

fn killed_at_every_step() {
    for account in Account::all() {
        let rig = Rig::new(account);
        let launcher = rig.launcher();
        for kill in 0..KILLS {
            std::thread::scope(|scope| {
                let run = scope.spawn(|| {
                    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                    runtime.block_on(rig.sandbox.run(rig.job("exec sleep 7209"), CancellationToken::new()))
                });
                await_that("the launcher never came up", || !running(&launcher).is_empty());
                let begun = Instant::now();
                while begun.elapsed() < STEP * kill {
                    std::hint::spin_loop();
                }
                // The first is the supervisor: the others are its children.
                let supervisor = running(&launcher).into_iter().min().and_then(Pid::from_raw);
                kill_process(supervisor.unwrap(), Signal::KILL).unwrap();
                let ended = run.join().unwrap();
                assert!(matches!(ended, Err(Error::NoReport { .. } | Error::Launcher { .. })), "{ended:?}");
            });
            await_that("something outlived its launcher", || running(&launcher).is_empty());
        }
    }
    let swept = Sandbox::new(Config::default());
    assert!(swept.is_ok());
}

/// With little memory the launcher fails, or does everything: nothing lies between.
fn starved() {
    let mut refused = 0;
    for kib in [2_000, 4_000, 6_000, 8_000, 12_000, 20_000] {
        let rig = Rig::around(Account::Own, &format!("ulimit -v {kib}"));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        match runtime.block_on(rig.sandbox.run(rig.job("id -u"), CancellationToken::new())) {
            Err(_) => refused += 1,
            Ok(report) => assert!(report.level >= Level::S2, "{report:?}"),
        }
    }
    assert!(refused > 0, "the least of these is too little for any program");
}

fn nothing_of_the_run_before() {
    for account in Account::all() {
        let rig = Rig::new(account);
        let leave =
            "echo x | tee /tmp/left /dev/shm/left left >/dev/null; sleep 60 & sh -c 'sleep 60 & true'";
        assert_eq!(rig.run(rig.job(leave)).exit, Exit::Code(0));
        let found = rig.run(rig.job("ls -A /tmp /dev/shm /job; ls -d /proc/[0-9]* | wc -l"));
        let text = found.stdout.text();
        let (listed, processes) = text.trim_end().rsplit_once('\n').unwrap();
        assert!(!listed.contains("left") && processes.parse::<u32>().unwrap() <= 4, "{text}");
    }
}

/// In a process of its own: what others open at the same time would be counted too.
fn many_in_a_row() {
    if std::env::var_os(ALONE).is_some() {
        return many_alone();
    }
    let ended = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "J07 many in a row"])
        .env(ALONE, "1")
        .output()
        .unwrap();
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stdout));
}

fn many_alone() {
    let rig = Rig::new(Account::Own);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let count = |path: &str| fs::read_dir(path).unwrap().count();
    let mounts = || fs::read_to_string("/proc/self/mountinfo").unwrap().lines().count();
    let run = || runtime.block_on(rig.sandbox.run(rig.job("true"), CancellationToken::new())).unwrap();
    run();
    let before = (count("/proc/self/fd"), count("/proc/self/task"), mounts());
    for _ in 0..RUNS {
        assert_eq!(run().exit, Exit::Code(0));
    }
    assert_eq!((count("/proc/self/fd"), count("/proc/self/task"), mounts()), before);
    let own = running(&rig.launcher());
    assert!(own.is_empty(), "{own:?}");
    // Other tests run at the same time and have groups of their own, but not hundreds.
    assert!(groups() < 100, "{} groups", groups());
}

fn nothing_of_the_launchers() {
    for account in Account::all() {
        let rig = Rig::new(account);
        let command = "ls /proc/self/fd | tr '\\n' ' '; [ -c /proc/self/fd/0 ] && echo device; cat; \
                       find / -xdev \\( -name '*jail*' -o -name '*job.json' \\) -not -path '/usr/*' -not -path '/opt/*' \
                       -not -path '/proc/*' 2>/dev/null";
        let report = rig.run(rig.job(command));
        // The fourth is `ls` reading the folder.
        assert_eq!(report.stdout.text(), "0 1 2 3 device\n", "{report:?}");
    }
}
