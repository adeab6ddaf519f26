//! A real node in a process of its own: started, measured from outside, stopped.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use edgecoder_base::Secret;
use tokio::process::{Child, Command};

use crate::client::{Place, Wire};
use crate::{free_port, retried};

/// A node that does not answer after so long will not.
const START: Duration = Duration::from_secs(20);
const STOP: Duration = Duration::from_secs(15);
const TOKEN: &str = "bench";
/// The sections of the doors, in `edgecoder.toml`.
const DOORS: [&str; 5] = ["coordinator", "inference", "control", "ide", "portal"];

/// The program and the directory of one node.
#[derive(Debug)]
pub(crate) struct Node {
    child: Child,
    hosts: Vec<String>,
    /// From the start of the process until every door answered.
    pub(crate) boot: Duration,
}

impl Node {
    /// Starts `program` with its doors open; with `worker`, also the worker it forks.
    pub(crate) async fn start(program: &Path, folder: &Path, worker: bool) -> anyhow::Result<Self> {
        let mut hosts = Vec::new();
        let mut settings = String::new();
        for door in DOORS {
            let port = free_port()?;
            hosts.push(format!("127.0.0.1:{port}"));
            settings.push_str(&format!("[{door}]\nport = {port}\n"));
            if door == "coordinator" {
                settings.push_str(&format!("mesh_token = \"{TOKEN}\"\n"));
            }
        }
        settings.push_str(&format!("[worker]\nenabled = {worker}\n"));
        let file = folder.with_extension("toml");
        std::fs::write(&file, settings)?;
        let start = Instant::now();
        let child = Command::new(program)
            .args(["up", "--log", "error", "--config"])
            .arg(&file)
            .arg("--data-dir")
            .arg(folder)
            .stdout(Stdio::null())
            .stderr(Stdio::inherit())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("starting {}", program.display()))?;
        for host in &hosts {
            retried(START, async || {
                let mut wire = Wire::open(host, Secret::new(String::new())).await.ok()?;
                wire.get("/health").await.ok()
            })
            .await
            .with_context(|| format!("the door at {host} does not answer"))?;
        }
        Ok(Self { child, hosts, boot: start.elapsed() })
    }

    /// The coordinator's door.
    pub(crate) fn place(&self) -> Place {
        let host = self.hosts.first().cloned().unwrap_or_default();
        Place::Door { host, token: Secret::new(TOKEN.to_owned()) }
    }

    pub(crate) async fn wire(&self) -> anyhow::Result<Wire> {
        Wire::open(self.hosts.first().context("a node has doors")?, Secret::new(TOKEN.to_owned())).await
    }

    /// Resident memory in MiB: of the process, and with those it started.
    pub(crate) fn memory(&self) -> anyhow::Result<(f64, f64)> {
        let own = self.child.id().context("the node has ended")?;
        let alone = resident(own)?;
        let children = PathBuf::from(format!("/proc/{own}/task"));
        let mut all = alone;
        for thread in std::fs::read_dir(children)?.flatten() {
            let list = std::fs::read_to_string(thread.path().join("children")).unwrap_or_default();
            for child in list.split_whitespace().filter_map(|id| id.parse().ok()) {
                all += resident(child).unwrap_or_default();
            }
        }
        Ok((alone, all))
    }

    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        let id = self.child.id().context("the node has ended by itself")?;
        let status = Command::new("kill").args(["-TERM", &id.to_string()]).status().await?;
        ensure!(status.success(), "the node could not be told to stop");
        let ended =
            tokio::time::timeout(STOP, self.child.wait()).await.context("the node does not stop")??;
        ensure!(ended.success(), "the node ended badly: {ended}");
        Ok(())
    }
}

fn resident(process: u32) -> anyhow::Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    let kib: f64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kib / 1024.0)
}
