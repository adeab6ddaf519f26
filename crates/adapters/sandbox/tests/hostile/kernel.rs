//! Runs one attempt against the kernel and judges it, from what the program says and from what is left.

use std::fs::{self, File};
use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use edgecoder_sandbox::{Limits, Report};

use crate::cases::{Attempt, Ending, Planted, is_endless};
use crate::rig::{Account, Rig, limits};

/// For what only the wall-clock limit ends.
const ENDLESS: Duration = Duration::from_secs(1);
/// From the limit to the death of the last process, on a machine that does much else.
const KILL_DELAY: Duration = Duration::from_secs(5);

/// What a crowd of spinners shares: so little that it is reached on a busy machine too.
const QUOTA_MILLICORES: u32 = 100;
/// What ends them: some thirty periods of it.
const QUOTA_TIME: Duration = Duration::from_millis(300);
/// And where nobody counts them together.
const CROWDED: Duration = Duration::from_secs(8);
/// What cores may hold of a quota that is used up, a slice of 5 ms each, on a machine of ordinary size.
const SLICES_MS: u64 = 80;

/// Distinguishes the attempts of one process.
static COUNT: AtomicU32 = AtomicU32::new(0);

pub(crate) fn check(attempt: &Attempt, account: Account) -> Result<(), String> {
    let crowd = attempt.name == "spin_many";
    let rig = rig(attempt, account).with_program();
    let rig = if crowd { rig.with_quota(QUOTA_MILLICORES) } else { rig };
    // An argument of the attempt that nobody else has: what is left alive is found by it.
    let marker = format!("corpus-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    let planted = Plant::new(attempt.planted, &rig, &marker);
    let mut job = rig.job(&format!("exec ./hostile {} '{}' {marker}", attempt.name, planted.argument));
    job.limits = bounds(attempt);
    let wall = job.limits.wall;
    let report = rig.run(job);
    judge(attempt, &report)?;
    if report.wall > wall + KILL_DELAY {
        return Err(format!("it took {:?} of {wall:?}", report.wall));
    }
    if crowd {
        stayed_within_quota(&report)?;
    }
    planted.unharmed()?;
    let alive = alive(&marker);
    if !alive.is_empty() {
        return Err(format!("left alive: {alive:?}"));
    }
    let expected = account.level();
    // A root without cgroups is at S2 and says so; nobody is at S3 unless a group was handed down.
    if report.level < expected && report.layers.as_ref().is_some_and(|layers| layers.memory_cgroup.is_some())
    {
        return Err(format!("level {}", report.level));
    }
    Ok(())
}

/// The limits that are reached soonest.
fn bounds(attempt: &Attempt) -> Limits {
    match attempt.name {
        "spin_many" => Limits { cpu: QUOTA_TIME, wall: CROWDED, ..limits() },
        name if name.starts_with("spin") => Limits { cpu: Duration::from_secs(1), ..limits() },
        _ if is_endless(attempt) => Limits { wall: ENDLESS, ..limits() },
        _ => limits(),
    }
}

/// From the kernel's own account: time that passed proves nothing on a machine that does much else.
fn stayed_within_quota(report: &Report) -> Result<(), String> {
    let Some(layers) = report.layers.as_ref().filter(|layers| layers.cpu_cgroup.is_some()) else {
        let said = report.degraded.iter().any(|words| words.starts_with("quota:"));
        return if said { Ok(()) } else { Err("no group, and nothing said of the quota".into()) };
    };
    let quota = layers.cpu_quota.ok_or("no quota in force")?;
    let used_ms = layers.cpu_ms.ok_or("no account of processor time")?;
    // In the first and the last period less than a whole one may have been counted.
    let granted_ms = (quota.periods + 1) * u64::from(QUOTA_MILLICORES) / 10 + SLICES_MS;
    if quota.throttled_periods == 0 || used_ms > granted_ms {
        return Err(format!("used {used_ms} ms of {granted_ms}: {quota:?}"));
    }
    Ok(())
}

fn is_root() -> bool {
    rustix::process::getuid().is_root()
}

/// A rig; for attempts against the network inside a namespace where the addresses they aim at are its own: were
/// the sandbox's own namespace missing, they would be found here and nowhere else.
fn rig(attempt: &Attempt, account: Account) -> Rig {
    if attempt.planted != Planted::Outside || !is_root() {
        return Rig::new(account);
    }
    let addresses = ["192.0.2.1/32", "198.51.100.53/32", "169.254.169.254/32", "2001:db8::1/128"];
    let add = addresses.map(|address| format!("ip address add {address} dev lo"));
    let set_up = format!("ip link set lo up; {}", add.join("; "));
    // Started anew inside the namespace, the script goes on where the argument is set.
    Rig::around(
        account,
        &format!(
            "if [ -z \"$1\" ]; then exec unshare --net /bin/sh -c '{set_up}; exec \"$0\" inside' \"$0\"; fi"
        ),
    )
}

fn judge(attempt: &Attempt, report: &Report) -> Result<(), String> {
    let said = report.stdout.text();
    let ended = |ending: &Ending| match *ending {
        Ending::Held(word) => report.success() && said == format!("held {word}\n"),
        Ending::Ended(exit) => report.exit == exit && !said.contains("BREACH"),
    };
    if attempt.endings.iter().any(ended) {
        return Ok(());
    }
    let shown: String = said.chars().take(200).collect();
    Err(format!(
        "{} {}: expected {:?}, got {:?}, {shown:?}, {:?}",
        attempt.id,
        attempt.name,
        attempt.endings,
        report.exit,
        report.stderr.text()
    ))
}

/// Processes of this machine whose command line holds `marker`.
fn alive(marker: &str) -> Vec<u32> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|pid: &u32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains(marker)
    })
    .collect()
}

/// Shared memory of the host, removed when dropped.
struct Segment(String);

impl Segment {
    fn new() -> Self {
        let said = Command::new("ipcmk").args(["--shmem", "4096", "--mode", "0666"]).output().unwrap().stdout;
        Self(String::from_utf8(said).unwrap().trim().rsplit(' ').next().unwrap().to_owned())
    }

    fn key(&self) -> String {
        let all = fs::read_to_string("/proc/sysvipc/shm").unwrap();
        let found = all.lines().find_map(|line| {
            let mut words = line.split_whitespace();
            let key = words.next()?;
            (words.next()? == self.0).then(|| key.to_owned())
        });
        found.expect("the segment is there")
    }
}

impl Drop for Segment {
    fn drop(&mut self) {
        let _status = Command::new("ipcrm").args(["--shmem-id", &self.0]).status();
    }
}

/// What the host planted, and what of it must be unharmed.
struct Plant {
    argument: String,
    listener: Option<TcpListener>,
    bystander: Option<std::process::Child>,
    held: Vec<Box<dyn std::any::Any>>,
}

impl Plant {
    fn new(planted: Planted, rig: &Rig, marker: &str) -> Self {
        let mut plant = Self { argument: String::new(), listener: None, bystander: None, held: Vec::new() };
        match planted {
            Planted::Nothing | Planted::Outside => {}
            Planted::Secret => {
                let file = tempfile::Builder::new().prefix("canary").tempfile().unwrap();
                fs::write(file.path(), "a secret").unwrap();
                plant.argument = file.path().display().to_string();
                plant.held.push(Box::new(file));
            }
            Planted::Port => {
                let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
                listener.set_nonblocking(true).unwrap();
                plant.argument = listener.local_addr().unwrap().port().to_string();
                plant.listener = Some(listener);
            }
            Planted::Abstract => {
                let address = SocketAddr::from_abstract_name(marker).unwrap();
                plant.held.push(Box::new(UnixListener::bind_addr(&address).unwrap()));
                plant.argument = marker.to_owned();
            }
            Planted::Segment => {
                let segment = Segment::new();
                plant.argument = segment.key();
                plant.held.push(Box::new(segment));
            }
            Planted::Lock => {
                let path = "/usr/bin/env";
                let file = File::open(path).unwrap();
                file.lock().unwrap();
                plant.held.push(Box::new(file));
                plant.argument = path.to_owned();
            }
            Planted::Folder => plant.argument = rig.tree.path().display().to_string(),
            Planted::Bystander => plant.bystander = Some(rig.bystander()),
        }
        plant
    }

    fn unharmed(self) -> Result<(), String> {
        if self.listener.is_some_and(|listener| listener.accept().is_ok()) {
            return Err("somebody came to the host's own port".into());
        }
        if let Some(mut bystander) = self.bystander {
            let harmed = bystander.try_wait().unwrap();
            bystander.kill().unwrap();
            bystander.wait().unwrap();
            if harmed.is_some() {
                return Err("a process outside was killed".into());
            }
        }
        Ok(())
    }
}
