//! How soon a node's doors answer while hostile programs have every core.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use edgecoder_sandbox::{Job, Limits, Sandbox};
use tokio_util::sync::CancellationToken;

use crate::figures::Figures;

/// One life of a hostile program.
const WALL: Duration = Duration::from_secs(3);
/// Between two questions to the same door.
const PAUSE: Duration = Duration::from_millis(5);
/// What takes processors, processes, memory, disk and the node's own attention.
const HOSTILE: &[&str] = &[
    "b() { b | b & b; }; b",
    "while :; do :; done & while :; do :; done & while :; do :; done & while :; do :; done",
    "x=$(head -c 1500000000 /dev/zero | tr '\\0' x); echo $x | wc -c; while :; do :; done",
    "yes",
    "i=0; while :; do i=$((i+1)); head -c 1000000 /dev/zero >f$i || rm -f f*; done",
    "while :; do (setsid sleep 9 &) ; done",
];

/// A running node; killed when dropped.
struct Node {
    child: Child,
    doors: Vec<String>,
}

impl Drop for Node {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}

fn start(program: &Path, home: &Path) -> anyhow::Result<Node> {
    let mut command = Command::new(program);
    command.env_clear().current_dir(home).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    command.env("EDGECODER_DATA_DIR", home.join("data")).env("PATH", "/usr/bin:/bin").arg("up");
    command.env("EDGECODER_INFERENCE__MODEL_PATH", "/nonexistent.gguf");
    for door in ["COORDINATOR", "INFERENCE", "CONTROL", "IDE", "PORTAL"] {
        command.env(format!("EDGECODER_{door}__PORT"), "0");
    }
    let mut child = command.spawn().with_context(|| format!("starting {}", program.display()))?;
    let stdout = child.stdout.take().context("the node has no output")?;
    let mut node = Node { child, doors: Vec::new() };
    for line in BufReader::new(stdout).lines() {
        if let Some(at) = line?.split("http://").nth(1) {
            node.doors.push(at.trim().to_owned());
        }
        if node.doors.len() == 2 {
            return Ok(node);
        }
    }
    anyhow::bail!("the node has no doors")
}

/// A question and its whole answer, on a connection of its own.
fn ask(door: &str) -> anyhow::Result<Duration> {
    let began = Instant::now();
    let mut stream = TcpStream::connect(door)?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    write!(stream, "GET /health HTTP/1.1\r\nhost: {door}\r\nconnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    anyhow::ensure!(answer.starts_with("HTTP/1.1 200"), "the door answered {answer:?}");
    Ok(began.elapsed())
}

/// Asks the doors of a node for `seconds`, first alone, then beside `slots` hostile programs at a time.
pub(crate) fn measure(
    program: &Path,
    sandbox: &Sandbox,
    slots: usize,
    seconds: u64,
    figures: &mut Figures,
) -> anyhow::Result<()> {
    let home = tempfile::tempdir()?;
    let node = start(program, home.path())?;
    for (whose, slots) in [("alone", 0), ("beside a full house", slots)] {
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for slot in 0..slots {
                let over = &over;
                scope.spawn(move || occupy(sandbox, slot, over));
            }
            let asked = asked(&node, Duration::from_secs(seconds), whose, figures);
            over.store(true, Ordering::Relaxed);
            asked
        })?;
    }
    Ok(())
}

fn asked(node: &Node, time: Duration, whose: &'static str, figures: &mut Figures) -> anyhow::Result<()> {
    let began = Instant::now();
    while began.elapsed() < time {
        for door in &node.doors {
            figures.add("an answer of a door", whose, ask(door)?);
        }
        std::thread::sleep(PAUSE);
    }
    Ok(())
}

/// One slot, never empty.
fn occupy(sandbox: &Sandbox, slot: usize, over: &AtomicBool) -> anyhow::Result<()> {
    let tree = tempfile::tempdir()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut turn = slot;
    while !over.load(Ordering::Relaxed) {
        let limits = Limits { wall: WALL, ..Limits::default() };
        let job = Job { limits, ..Job::new(tree.path(), HOSTILE[turn % HOSTILE.len()]) };
        runtime.block_on(sandbox.run(job, CancellationToken::new()))?;
        turn += 1;
    }
    Ok(())
}
