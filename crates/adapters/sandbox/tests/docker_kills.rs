//! 200 kills in mode `docker`: 100 of a whole node, at any moment of its runs, and 100 of a client that goes away in
//! the middle of its own. What is left is counted by the daemon.
//!
//! Runs where `EDGECODER_TEST_DOCKER` names a daemon's socket and the images are built; otherwise says so and passes.

#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a program that cannot go on has failed, and it prints its result"
)]

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode};
use std::time::{Duration, Instant};

use bollard::query_parameters::ListContainersOptionsBuilder;
use bollard::{API_DEFAULT_VERSION, Docker};
use edgecoder_sandbox::{Config, DockerConfig, Job, Limits, Mode, Sandbox};
use tokio_util::sync::CancellationToken;

const NODES: u64 = 100;
const CLIENTS: u64 = 100;
/// The life of a run from its request to its death falls into this, on a busy machine.
const SPREAD: Duration = Duration::from_millis(1_500);
/// Side by side, so that one is created while another dies.
const SIDE_BY_SIDE: usize = 4;
/// For the time that one run takes.
const STARTS: usize = 50;
const SOON: Duration = Duration::from_secs(120);
/// Set only in the nodes that are to be killed; the tree they run on.
const VICTIM: &str = "EDGECODER_TEST_VICTIM";

fn sandbox(socket: &Path) -> Sandbox {
    let docker = DockerConfig { socket: socket.to_owned(), ..DockerConfig::default() };
    Sandbox::new(Config { mode: Mode::Docker, docker, ..Config::default() }).unwrap()
}

fn job(tree: &Path) -> Job {
    let limits = Limits { memory_bytes: 64 << 20, disk_bytes: 16 << 20, ..Limits::default() };
    Job { limits, ..Job::new(tree, "setsid sleep 7399 & exec sleep 7399") }
}

fn main() -> ExitCode {
    // A runner of tests asks first what there is, and reads every line of the answer.
    if std::env::args().any(|word| word == "--list") {
        return ExitCode::SUCCESS;
    }
    let Ok(named) = std::env::var("EDGECODER_TEST_DOCKER") else {
        println!(
            "skipped: set EDGECODER_TEST_DOCKER=unix:///… to a dockerd that has the images of `make sandbox-images`"
        );
        return ExitCode::SUCCESS;
    };
    let socket = PathBuf::from(named.strip_prefix("unix://").unwrap_or(&named));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    if let Some(tree) = std::env::var_os(VICTIM) {
        // Until somebody kills us.
        let ended = runtime.block_on(sandbox(&socket).run(job(Path::new(&tree)), CancellationToken::new()));
        panic!("the run ended by itself: {ended:?}");
    }
    let tree = tempfile::tempdir().unwrap();
    std::fs::write(tree.path().join("file"), "x").unwrap();
    kill_nodes(tree.path());
    runtime.block_on(kill_clients(&socket, tree.path()));
    let left = runtime.block_on(count(&socket));
    println!(
        "{NODES} nodes and {CLIENTS} clients killed; {left} containers before anybody looked after them"
    );
    runtime.block_on(sandbox(&socket).run(Job::new(tree.path(), "true"), CancellationToken::new())).unwrap();
    let started = Instant::now();
    while runtime.block_on(count(&socket)) > 0 || !alive().is_empty() {
        if started.elapsed() > SOON {
            println!("left: {} containers, processes {:?}", runtime.block_on(count(&socket)), alive());
            return ExitCode::FAILURE;
        }
    }
    println!("200 kills: 0 containers, 0 processes left after {:?}", started.elapsed());
    let starts = runtime.block_on(starts(&socket, tree.path()));
    let [least, middle] =
        [starts.first(), starts.get(starts.len() / 2)].map(|wall| wall.copied().unwrap_or_default());
    println!("{STARTS} runs of nothing, one after the other: least {least:?}, p50 {middle:?}");
    ExitCode::SUCCESS
}

/// How long runs of nothing took, sorted.
async fn starts(socket: &Path, tree: &Path) -> Vec<Duration> {
    let sandbox = sandbox(socket);
    let mut walls = Vec::new();
    for _ in 0..STARTS {
        let job = Job { command: "true".into(), ..job(tree) };
        walls.push(sandbox.run(job, CancellationToken::new()).await.unwrap().wall);
    }
    walls.sort();
    walls
}

/// The moment of the `number`th kill: all over the spread, in no order.
fn moment(number: u64) -> Duration {
    SPREAD * u32::try_from(number * 37 % 100).unwrap() / 100
}

fn kill_nodes(tree: &Path) {
    let mut running: Vec<(Child, Instant)> = Vec::new();
    let mut started = 0;
    while started < NODES || !running.is_empty() {
        while started < NODES && running.len() < SIDE_BY_SIDE {
            let node = Command::new(std::env::current_exe().unwrap()).env(VICTIM, tree).spawn().unwrap();
            running.push((node, Instant::now() + moment(started)));
            started += 1;
        }
        running.retain_mut(|(node, until)| {
            if Instant::now() < *until {
                return true;
            }
            node.kill().unwrap();
            node.wait().unwrap();
            false
        });
        std::thread::yield_now();
    }
}

async fn kill_clients(socket: &Path, tree: &Path) {
    let sandbox = sandbox(socket);
    let numbers: Vec<u64> = (0..CLIENTS).collect();
    for some in numbers.chunks(SIDE_BY_SIDE) {
        let runs = some.iter().map(|&number| {
            tokio::time::timeout(moment(number), sandbox.run(job(tree), CancellationToken::new()))
        });
        for ended in futures::future::join_all(runs).await {
            assert!(ended.is_err(), "the run ended by itself: {ended:?}");
        }
    }
}

/// Containers of ours, in whatever state.
async fn count(socket: &Path) -> usize {
    let client = Docker::connect_with_unix(&socket.to_string_lossy(), 60, API_DEFAULT_VERSION).unwrap();
    let client = client.negotiate_version().await.unwrap();
    let filters = HashMap::from([("label", vec!["edgecoder.sandbox=1"])]);
    let options = ListContainersOptionsBuilder::new().all(true).filters(&filters).build();
    client.list_containers(Some(options)).await.unwrap().len()
}

/// Processes of this machine that only these runs start.
fn alive() -> Vec<u32> {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let line = |pid: &u32| std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    pids.filter(|pid| line(pid) == b"sleep\x007399\0").collect()
}
