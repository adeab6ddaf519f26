//! The launch on Windows: an AppContainer without capabilities, inside a job object that ends with the node.
//!
//! This is what has to be asked of the system, complete and in its own terms. No node performs it yet: mode `process`
//! is refused there, with the reason, until that has been seen to hold.

use std::collections::BTreeMap;
use std::path::Path;

use edgecoder_base::Level;
use serde::Serialize;

use super::host::{admit, text};
use super::{LaunchLimits, check};
use crate::config::Config;
use crate::error::Error;
use crate::execution::Job;

/// Longest command line that `cmd.exe` takes, in UTF-16 units, its own end mark counted.
const MAX_COMMAND_LINE: usize = 8191;
/// 100-nanosecond intervals, in which a job object counts time.
const TICKS_PER_MS: u64 = 10_000;
/// Variables without which ordinary programs do not start. They name the system's folders and nothing of the user.
const SYSTEM: &[(&str, &str)] = &[
    ("SystemRoot", r"C:\Windows"),
    ("SystemDrive", "C:"),
    ("ComSpec", r"C:\Windows\System32\cmd.exe"),
    ("PATHEXT", ".COM;.EXE;.BAT;.CMD"),
];
const SYSTEM_PATH: &str = r"C:\Windows\System32;C:\Windows";

/// Everything that is asked of Windows for one job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WindowsLaunch {
    /// `lpApplicationName` of `CreateProcessW`.
    pub program: String,
    /// `lpCommandLine`.
    pub command_line: String,
    /// The environment block, before it is sorted and joined.
    pub env: BTreeMap<String, String>,
    /// Where the command starts, and the only folder it may write.
    pub folder: String,
    /// `SECURITY_CAPABILITIES`: an AppContainer of this run, without any capability, so without network.
    pub app_container: AppContainer,
    /// Limits of the job object that the process is created in.
    pub job: JobObject,
    /// The best this can be.
    pub level: Level,
    /// What is weaker than on Linux, in words.
    pub degraded: Vec<String>,
}

/// An identity of its own, which owns nothing but what it is granted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AppContainer {
    /// Well-known capabilities; none.
    pub capabilities: Vec<String>,
    /// `PROCESS_CREATION_ALL_APPLICATION_PACKAGES_OPT_OUT`: what is granted to every package is not granted here.
    pub less_privileged: bool,
    /// Access entries added for its SID before the start and removed after the end.
    pub grants: Vec<Grant>,
}

/// One folder and what the container may do below it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Grant {
    /// The folder.
    pub folder: String,
    /// Whether it may be changed, too.
    pub write: bool,
}

/// `JOBOBJECT_EXTENDED_LIMIT_INFORMATION` and `JOBOBJECT_BASIC_UI_RESTRICTIONS`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct JobObject {
    /// `JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE`: the node's death ends everything.
    pub kill_on_close: bool,
    /// Neither flag that lets a process leave the job is set.
    pub breakaway: bool,
    /// `ActiveProcessLimit`.
    pub processes: u32,
    /// `JobMemoryLimit`: of all processes together, bytes.
    pub memory_bytes: u64,
    /// `PerJobUserTimeLimit`, 100 ns.
    pub user_time_ticks: u64,
    /// `JOB_OBJECT_UILIMIT_*`, all of them: no clipboard, desktop, handles of others, settings, shutdown.
    pub ui_restrictions: bool,
}

impl WindowsLaunch {
    /// `job` in `scratch`, a copy of its tree below a folder that holds nothing else.
    pub fn new(config: &Config, job: &Job, scratch: &Path) -> Result<Self, Error> {
        check(job)?;
        admit(Level::S2, job, "use sandbox mode `docker`, or let a machine with Linux do this work")?;
        let folder = text(scratch)?.to_owned();
        let limits = LaunchLimits::from(&job.limits);
        let tools =
            config.tool_chains.iter().map(|tree| Ok(Grant { folder: text(tree)?.into(), write: false }));
        let mut grants = tools.collect::<Result<Vec<_>, Error>>()?;
        grants.push(Grant { folder: folder.clone(), write: true });
        Ok(Self {
            program: r"C:\Windows\System32\cmd.exe".into(),
            command_line: command_line(&job.command)?,
            env: variables(config, job, &folder)?,
            app_container: AppContainer { capabilities: Vec::new(), less_privileged: true, grants },
            folder,
            job: JobObject {
                kill_on_close: true,
                breakaway: false,
                processes: limits.processes,
                memory_bytes: limits.memory_bytes,
                user_time_ticks: limits.cpu_ms.saturating_mul(TICKS_PER_MS),
                ui_restrictions: true,
            },
            level: Level::S2,
            degraded: vec![
                "disk: not bounded".into(),
                "network: none at all, not even between programs of the run".into(),
                "system calls: not filtered".into(),
            ],
        })
    }
}

/// `/s` takes off exactly the outer quotes and reads the rest as it stands; `/d` runs nothing from the registry first.
fn command_line(command: &str) -> Result<String, Error> {
    if command.contains(['\r', '\n']) {
        return Err(Error::InvalidJob("cmd.exe reads one line only, and the command has several".into()));
    }
    let line = format!("cmd.exe /d /s /c \"{command}\"");
    let units = line.encode_utf16().count() + 1;
    if units > MAX_COMMAND_LINE {
        return Err(Error::InvalidJob(format!(
            "its command line has {units} characters, cmd.exe takes {MAX_COMMAND_LINE}"
        )));
    }
    Ok(line)
}

/// Names are compared without regard to case there, so a job's `path` replaces our `PATH`.
fn variables(config: &Config, job: &Job, folder: &str) -> Result<BTreeMap<String, String>, Error> {
    let mut path = config
        .path
        .iter()
        .chain(&config.tool_chains)
        .map(|entry| text(entry))
        .collect::<Result<Vec<_>, _>>()?;
    path.push(SYSTEM_PATH);
    let path = path.join(";");
    let ours = SYSTEM.iter().copied().chain([
        ("PATH", &*path),
        ("TEMP", folder),
        ("TMP", folder),
        ("USERPROFILE", folder),
    ]);
    let named = |name: &str| job.env.keys().any(|other| other.eq_ignore_ascii_case(name));
    let kept = ours.filter(|(name, _)| !named(name)).map(|(name, value)| (name.to_owned(), value.to_owned()));
    Ok(kept.chain(job.env.clone()).collect())
}
