//! The neighbours: started in folders of their own on the same file system, with every acknowledgement after
//! the disk has it, and driven by their own clients under node.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use crate::figures::Whose;
use crate::load::{Dispatch, Load};
use crate::{free_port, retried};

/// A server that does not listen after so long will not.
const START: Duration = Duration::from_secs(20);

/// What a neighbour's program prints.
#[derive(Debug, serde::Deserialize)]
pub(crate) struct Report {
    pub(crate) cycles: BTreeMap<usize, f64>,
    pub(crate) dispatch: Dispatch,
}

/// Where to find a neighbour.
#[derive(Debug, Clone)]
pub(crate) struct Neighbour {
    pub(crate) whose: Whose,
    pub(crate) server: PathBuf,
    /// The folder of the programs that drive them.
    pub(crate) programs: PathBuf,
}

impl Neighbour {
    /// One run in `folder`, which must be new.
    pub(crate) async fn run(&self, folder: &Path, load: Load, depths: &[usize]) -> anyhow::Result<Report> {
        let port = free_port()?;
        let (program, settings, before) = self.ways(folder, port)?;
        let _server = self.serve(folder, port, &settings, before).await?;
        let wishes = serde_json::json!({
            "port": port, "clients": load.clients, "seconds": load.seconds, "depths": depths,
            "samples": load.samples, "payload": load.payload,
        });
        let output = Command::new("node")
            .arg(self.programs.join(program))
            .arg(wishes.to_string())
            .stderr(Stdio::inherit())
            .output()
            .await
            .context("starting node")?;
        ensure!(output.status.success(), "{program} failed: {}", output.status);
        serde_json::from_slice(&output.stdout).with_context(|| format!("reading what {program} prints"))
    }

    /// The program that drives it, its server's settings, and what stands before them on the command line.
    fn ways(
        &self,
        folder: &Path,
        port: u16,
    ) -> anyhow::Result<(&'static str, String, &'static [&'static str])> {
        let folder = folder.display();
        Ok(match self.whose {
            Whose::BullMq => (
                "bullmq.mjs",
                format!(
                    "port {port}\nbind 127.0.0.1\ndir {folder}\nappendonly yes\nappendfsync always\nsave \"\"\n"
                ),
                &[],
            ),
            Whose::JetStream => (
                "jetstream.mjs",
                format!(
                    "listen: 127.0.0.1:{port}\njetstream {{ store_dir: \"{folder}\", sync_interval: always }}\n"
                ),
                &["-c"],
            ),
            Whose::Ours | Whose::Inside => bail!("ours is no neighbour"),
        })
    }

    async fn serve(
        &self,
        folder: &Path,
        port: u16,
        settings: &str,
        before: &[&str],
    ) -> anyhow::Result<Child> {
        let file = folder.join("server.conf");
        std::fs::write(&file, settings)?;
        let server = Command::new(&self.server)
            .args(before)
            .arg(&file)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("starting {}", self.server.display()))?;
        retried(START, async || TcpStream::connect(("127.0.0.1", port)).await.ok())
            .await
            .with_context(|| format!("{} does not listen", self.server.display()))?;
        Ok(server)
    }
}
