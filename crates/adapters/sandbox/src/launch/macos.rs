//! The launch on macOS: Seatbelt by `sandbox-exec`, and the shell's own limits.
//!
//! Paths reach the profile as parameters, never as text inside it, so no name of a folder can change a rule. What
//! macOS cannot bound for a group of processes (memory, their number) is named, and keeps the level at S2.

use std::path::Path;

use edgecoder_base::Level;

use super::host::{HostLaunch, admit, text};
use super::{LaunchLimits, MASKED, check, environment};
use crate::config::Config;
use crate::error::Error;
use crate::execution::Job;

/// Rules that hold for every job. The last rule that fits wins.
const PROFILE: &str = r#"(version 1)
(deny default)
(allow process-exec process-fork)
(allow signal process-info* (target same-sandbox))
(allow sysctl-read)
(allow file-read-metadata)
(allow file-read*
  (literal "/")
  (subpath "/bin") (subpath "/sbin") (subpath "/usr") (subpath "/System")
  (subpath "/Library/Apple") (subpath "/Library/Developer") (subpath "/Library/Frameworks")
  (subpath "/Applications/Xcode.app") (subpath "/opt/homebrew")
  (subpath "/private/var/db/dyld") (subpath "/private/var/db/timezone")
  (literal "/private/etc/localtime") (literal "/private/var/db/xcode_select_link") (subpath "/private/var/select"))
(allow file-read* file-write-data
  (literal "/dev/null") (literal "/dev/zero") (literal "/dev/random") (literal "/dev/urandom"))
(allow file-read* file-write-data (subpath "/dev/fd"))
"#;
/// Sets limits inside the profile, where no hard limit can be raised again, and becomes the command.
const LIMITED: &str = "ulimit -c 0 && ulimit -t \"$1\" && ulimit -f \"$2\" && exec /bin/sh -c \"$3\"";
/// The unit of `ulimit -f`, bytes.
const BLOCK_BYTES: u64 = 512;

impl HostLaunch {
    /// `job` in `scratch`, a copy of its tree below a folder that holds nothing else.
    pub fn seatbelt(config: &Config, job: &Job, scratch: &Path) -> Result<Self, Error> {
        check(job)?;
        admit(Level::S2, job, "use sandbox mode `docker`, or let a machine with Linux do this work")?;
        let scratch = text(scratch)?;
        let limits = LaunchLimits::from(&job.limits);
        let mut argv = vec!["/usr/bin/sandbox-exec".to_owned(), "-D".into(), format!("WORK={scratch}")];
        let mut profile = PROFILE.to_owned();
        for (at, tool_chain) in config.tool_chains.iter().enumerate() {
            argv.extend(["-D".into(), format!("TOOLS_{at}={}", text(tool_chain)?)]);
            profile.push_str(&tool_chain_rules(at));
        }
        profile.push_str("(allow file-read* file-write* (subpath (param \"WORK\")))\n");
        argv.extend(["-p".to_owned(), profile]);
        argv.extend(["/bin/sh", "-c", LIMITED, "sh"].map(str::to_owned));
        argv.push(limits.cpu_ms.div_ceil(1000).to_string());
        argv.push(limits.disk_bytes.div_ceil(BLOCK_BYTES).to_string());
        argv.push(job.command.clone());
        let mut env = environment(config, &job.env);
        // There is no /tmp of its own here.
        for name in ["HOME", "TMPDIR"] {
            if !job.env.contains_key(name) {
                env.insert(name.into(), scratch.into());
            }
        }
        Ok(Self { argv, env, level: Level::S2, degraded: weaker() })
    }
}

/// A tree of tools is read, but for the credentials that package tools keep in its top.
fn tool_chain_rules(at: usize) -> String {
    let root = format!("(param \"TOOLS_{at}\")");
    let masked = MASKED.iter().map(|name| format!(" (literal (string-append {root} \"/{name}\"))"));
    format!("(allow file-read* (subpath {root}))\n(deny file-read*{})\n", masked.collect::<String>())
}

fn weaker() -> Vec<String> {
    [
        "memory: macOS bounds none for a group of processes, the run is watched by its wall-clock limit only",
        "processes: macOS counts all of the user's together, so their number is not bounded",
        "cpu: bounded for each process by itself",
        "disk: bounded for each file by itself",
        "network: none at all, not even between programs of the run",
        "files: names, sizes and times of files can be asked for everywhere, their content cannot",
    ]
    .map(str::to_owned)
    .into()
}
