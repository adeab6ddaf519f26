//! Starts the program with a home of its own, free ports, no model, and nothing of the caller's environment.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

const MESH: &str = "the-mesh-token-of-the-test";

/// The program with the data directory `home`.
pub(crate) fn command(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_edgecoder"));
    command.env_clear().current_dir(home).stdin(Stdio::null());
    command.env("EDGECODER_DATA_DIR", home.join("data")).env("PATH", "/usr/bin:/bin");
    command.env("EDGECODER_INFERENCE__MODEL_PATH", "/nonexistent.gguf");
    command.env("MESH_AUTH_TOKEN", MESH);
    for door in ["COORDINATOR", "INFERENCE", "CONTROL", "IDE", "PORTAL"] {
        command.env(format!("EDGECODER_{door}__PORT"), "0");
    }
    command
}

/// Runs a command to its end.
pub(crate) fn edgecoder(home: &Path, args: &[&str]) -> Output {
    command(home).args(args).output().unwrap()
}

/// A running node; killed with the test.
pub(crate) struct Program {
    pub(crate) child: Child,
    pub(crate) name: String,
    pub(crate) doors: Vec<String>,
}

impl Program {
    /// Starts a node and waits until it says where its doors are.
    pub(crate) fn up(home: &Path) -> Self {
        Self::start(command(home))
    }

    /// The same with another command.
    pub(crate) fn start(command: Command) -> Self {
        Self::started(command, 5)
    }

    /// The same with a command whose node has so many doors.
    pub(crate) fn started(mut command: Command, doors: usize) -> Self {
        let mut child = command.arg("up").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let name = lines.next().unwrap();
        let doors = lines.by_ref().take(doors).collect();
        Self { child, name, doors }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// Returns when every process that the node started is gone: they all hold its standard error.
    pub(crate) fn wait_for_descendants(&mut self) {
        let mut rest = Vec::new();
        self.child.stderr.take().unwrap().read_to_end(&mut rest).unwrap();
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _gone_already = self.child.kill();
        let _status = self.child.wait();
    }
}

impl Program {
    /// Asks the coordinator's door as a member of the mesh.
    pub(crate) fn ask(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        let door = self.doors.iter().find_map(|line| line.trim().strip_prefix("coordinator")).unwrap().trim();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let mut request = client.request(method, format!("{door}{path}")).header("x-mesh-token", MESH);
        if let Some(body) = body {
            request = request.json(&body);
        }
        runtime.block_on(async {
            let answer = request.send().await.unwrap();
            (answer.status().as_u16(), answer.json().await.unwrap())
        })
    }

    /// Submits a prompt under a name of its own; the name when it was accepted, else status and code.
    pub(crate) fn prompt(&self, name: &str) -> Result<String, (u16, String)> {
        let body = json!({"taskId": name, "prompt": "p".repeat(4_000)});
        match self.ask("POST", "/submit", Some(body)) {
            (200, _) => Ok(name.to_owned()),
            (status, refused) => Err((status, refused["code"].as_str().unwrap().to_owned())),
        }
    }

    /// Returns when the node's own worker has registered.
    pub(crate) fn await_worker(&self) {
        while self.ask("GET", "/capacity", None).1["totals"]["agentsConnected"] == 0 {
            std::thread::yield_now();
        }
    }
}

/// Gives `command` the environment and directory of `other`.
pub(crate) fn same_environment(command: &mut Command, other: &Command) {
    command.env_clear().stdin(Stdio::null()).current_dir(other.get_current_dir().unwrap());
    command.envs(other.get_envs().filter_map(|(name, value)| Some((name, value?))));
}
