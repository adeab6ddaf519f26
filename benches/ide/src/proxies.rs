//! The programs between client and engine, each in a process of its own.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, ChildStdout, Command};

/// A proxy needs this long at most until it listens.
const UP_WITHIN: Duration = Duration::from_secs(90);

/// A running proxy; killed with this value.
#[derive(Debug)]
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    child: Child,
    /// Kept open: a node that cannot say where its doors are ends.
    _output: Option<Lines<BufReader<ChildStdout>>>,
}

impl Proxy {
    /// A node with the roles inference and ide, whose engine is the server at `engine`.
    pub(crate) async fn ours(program: &Path, folder: &Path, engine: SocketAddr) -> anyhow::Result<Self> {
        let settings = format!(
            "[node]\nroles = [\"inference\", \"ide\"]\n[ide]\nport = 0\n[inference]\nport = 0\nengine = \"openai\"\n\
             base_url = \"http://{engine}/v1\"\nmodel = \"scripted\"\n"
        );
        std::fs::write(folder.join("edgecoder.toml"), settings)?;
        let program = std::path::absolute(program)?;
        let mut child = Command::new(&program)
            .arg("up")
            .current_dir(folder)
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("EDGECODER_DATA_DIR", folder.join("data"))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("starting {}", program.display()))?;
        let mut lines = BufReader::new(child.stdout.take().context("no output")?).lines();
        while let Some(line) = lines.next_line().await? {
            if let Some(url) = line.trim().strip_prefix("ide") {
                let address = url.trim().trim_start_matches("http://").parse()?;
                return Ok(Self { address, child, _output: Some(lines) });
            }
        }
        bail!("the node ended before its door was open")
    }

    /// litellm's proxy over the same server.
    pub(crate) async fn litellm(program: &Path, folder: &Path, engine: SocketAddr) -> anyhow::Result<Self> {
        let config = format!(
            "model_list:\n  - model_name: scripted\n    litellm_params:\n      model: openai/scripted\n      \
             api_base: http://{engine}/v1\n      api_key: any\n"
        );
        let place = folder.join("litellm.yaml");
        std::fs::write(&place, config)?;
        let address = TcpListener::bind("127.0.0.1:0").await?.local_addr()?;
        let child = Command::new(program)
            .args(["--host", "127.0.0.1", "--port", &address.port().to_string(), "--config"])
            .arg(&place)
            .current_dir(folder)
            // It neither starts without a key on loopback nor without asking the network for prices, unless told so.
            .env("LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY", "true")
            .env("LITELLM_LOCAL_MODEL_COST_MAP", "True")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("starting {}", program.display()))?;
        let listening = async {
            while TcpStream::connect(address).await.is_err() {
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        };
        tokio::time::timeout(UP_WITHIN, listening).await.context("litellm's proxy does not listen")?;
        Ok(Self { address, child, _output: None })
    }

    /// Memory of the process that it holds in fact, KiB.
    pub(crate) fn resident_kib(&self) -> anyhow::Result<u64> {
        let id = self.child.id().context("the process is gone")?;
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).context("reading its memory")?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no memory told")?;
        Ok(line.trim().trim_end_matches("kB").trim().parse()?)
    }
}
