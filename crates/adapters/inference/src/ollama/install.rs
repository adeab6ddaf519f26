//! Installing Ollama with its vendor's own installer, only when the settings ask for it. What is run is said
//! beforehand, its time is bounded, and it dies with us.

use std::ffi::OsString;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::process::Command;

use crate::Error;
use crate::switch::millis;

/// Fetching the installer and the program over a slow line.
const WITHIN: Duration = Duration::from_secs(900);
/// How much of what an installer says at its end is kept.
const KEPT_BYTES: usize = 2_048;

/// A command that installs, and its bound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installer {
    /// The program.
    pub command: OsString,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// Longest time it may take.
    pub within: Duration,
}

impl Installer {
    /// The vendor's installer for this system; none where there is none that runs unattended.
    pub fn of_vendor(os: &str) -> Option<Self> {
        let (command, args): (&str, &[&str]) = match os {
            "linux" | "macos" => ("sh", &["-c", "curl -fsSL https://ollama.com/install.sh | sh"]),
            "windows" => {
                ("powershell", &["-NoProfile", "-Command", "irm https://ollama.com/install.ps1 | iex"])
            }
            _ => return None,
        };
        let args = args.iter().map(OsString::from).collect();
        Some(Self { command: command.into(), args, within: WITHIN })
    }

    /// What it runs, for people.
    pub fn shown(&self) -> String {
        let words = std::iter::once(&self.command).chain(&self.args);
        words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
    }
}

/// Runs the installer to its end.
pub async fn install(installer: &Installer) -> Result<(), Error> {
    let shown = installer.shown();
    let failed = |reason: String| Error::EngineMissing { command: shown.clone(), reason };
    tracing::warn!(command = shown, "installing Ollama, as the settings ask");
    let mut child = Command::new(&installer.command)
        .args(&installer.args)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| failed(error.to_string()))?;
    let mut errors = child.stderr.take();
    let run = async {
        let mut last = Vec::new();
        if let Some(errors) = &mut errors {
            let mut piece = [0; 1024];
            while let Ok(length @ 1..) = errors.read(&mut piece).await {
                last.extend_from_slice(&piece[..length]);
                let much = last.len().saturating_sub(KEPT_BYTES);
                last.drain(..much);
            }
        }
        (child.wait().await, String::from_utf8_lossy(&last).trim().to_owned())
    };
    match tokio::time::timeout(installer.within, run).await {
        Err(_) => Err(failed(format!("it did not end within {} ms", millis(installer.within)))),
        Ok((Ok(status), _)) if status.success() => Ok(()),
        Ok((Ok(status), last)) => Err(failed(format!("it ended with {status}: {last}"))),
        Ok((Err(error), _)) => Err(failed(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Installer {
        Installer {
            command: "sh".into(),
            args: vec!["-c".into(), script.into()],
            within: Duration::from_millis(200),
        }
    }

    #[tokio::test]
    async fn an_installer_succeeds_or_says_why_not() {
        assert_eq!(install(&shell("exit 0")).await, Ok(()));
        let reason = |result: Result<(), Error>| match result {
            Err(Error::EngineMissing { reason, .. }) => reason,
            other => panic!("{other:?}"),
        };
        assert!(reason(install(&shell("echo no disk >&2; exit 3")).await).contains("3: no disk"));
        assert!(reason(install(&shell("sleep 60")).await).contains("within 200 ms"));
        let missing = Installer { command: "/nonexistent/installer".into(), ..shell("") };
        assert!(!reason(install(&missing).await).is_empty());
    }

    #[test]
    fn only_known_systems_have_an_installer() {
        for os in ["linux", "macos", "windows"] {
            assert!(Installer::of_vendor(os).unwrap().shown().contains("https://ollama.com/install"), "{os}");
        }
        assert_eq!(Installer::of_vendor("plan9"), None);
    }
}
