//! Starts the program with a home of its own, free ports, no model, and nothing of the caller's environment.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};

/// The program with the data directory `home`.
pub(crate) fn command(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_edgecoder"));
    command.env_clear().current_dir(home).stdin(Stdio::null());
    command.env("EDGECODER_DATA_DIR", home.join("data")).env("PATH", "/usr/bin:/bin");
    command.env("EDGECODER_INFERENCE__MODEL_PATH", "/nonexistent.gguf");
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
        let mut child =
            command(home).arg("up").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let name = lines.next().unwrap();
        let doors = lines.by_ref().take(5).collect();
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
