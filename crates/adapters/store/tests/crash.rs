//! A killed process loses nothing that it acknowledged, and a full disk nothing that it refused half way. Both
//! need a process of their own: this binary starts itself, with its task as a file in the child's directory.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command as Process, Stdio};

use edgecoder_store::{Error, Store};
use edgecoder_tasks::TaskState;
use tokio::task::JoinSet;

use crate::world::{World, answer, at, id, lease, own, prompt, report, submit, task, worker};

#[allow(dead_code, reason = "shared with the conformance suite, which needs more of it")]
#[path = "conformance/world.rs"]
mod world;

/// Says what a child has to do; lies in its directory.
const ORDER: &str = "order.txt";
const DATABASE: &str = "store.db";
/// Tasks of one round are numbered from its number times this.
const ROUND: u128 = 1_000_000;

/// Starts this binary again, in `directory`, to run `test` there.
fn spawn(mut command: Process, test: &str, directory: &Path, order: &str) -> Child {
    fs::write(directory.join(ORDER), order).unwrap();
    command
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .current_dir(directory)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

fn this_binary() -> Process {
    Process::new(std::env::current_exe().unwrap())
}

fn order() -> Option<String> {
    fs::read_to_string(ORDER).ok()
}

/// Finishes tasks for ever and says so, when it was started for that.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child_acknowledges() {
    let Some(order) = order() else { return };
    let first = order.parse::<u128>().unwrap() * ROUND;
    let world = World::at(Path::new(DATABASE)).await;
    let mut clients = JoinSet::new();
    for client in 0..4 {
        let store = world.store.clone();
        clients.spawn(async move {
            let worker = worker(&format!("w{client}"));
            for number in (first + client..).step_by(4) {
                submit(&store, number, prompt("hello")).await;
                say(&format!("kept {number}"));
                if let Some(leased) = lease(&store, &worker, at(1)).await {
                    report(&store, &leased, &worker, answer(leased.task.id.as_str()), at(2)).await.unwrap();
                    say(&format!("done {}", leased.task.id));
                }
            }
        });
    }
    clients.join_all().await;
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "\n{line}").and_then(|()| out.flush()).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_survives_a_kill() {
    let directory = tempfile::tempdir().unwrap();
    let mut said = Vec::new();
    for (round, kill_after) in (1..).zip([1, 40, 173]) {
        let mut child =
            spawn(this_binary(), "child_acknowledges", directory.path(), &u128::to_string(&round));
        let heard = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let mut count = 0;
        for line in heard.filter(|line| line.starts_with("kept ") || line.starts_with("done ")) {
            said.push(line);
            count += 1;
            if count == kill_after {
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
        assert!(count >= kill_after, "killed while it worked");
        let world = World::at(&directory.path().join(DATABASE)).await;
        for line in &said {
            check_kept(&world.store, line).await;
        }
        world.finish().await;
    }
}

/// A line that was cut by the kill is shorter than any id and names nothing: it never reached us whole.
async fn check_kept(store: &Store, line: &str) {
    match line.split_once(' ').unwrap() {
        ("kept", number) => {
            let number = number.parse().unwrap();
            assert!(store.task(&id(number)).await.unwrap().is_some(), "{line}");
        }
        (_, name) => {
            let name = name.parse().unwrap();
            let task = store.task(&name).await.unwrap().unwrap();
            assert_eq!(task.state, TaskState::Completed, "{line}");
            assert_eq!(store.outputs(&name).await.unwrap(), [(0, name.to_string())]);
        }
    }
}

#[test]
fn a_full_disk_is_refused_whole_and_forgiven() {
    let directory = tempfile::tempdir().unwrap();
    let mut command = Process::new("unshare");
    command
        .args(["--user", "--map-root-user", "--mount", "sh", "-c"])
        .arg(r#"mount -t tmpfs -o size=3m tmpfs "$0" && mv order.txt "$0" && cd "$0" && exec "$@""#)
        .arg(directory.path())
        .arg(std::env::current_exe().unwrap());
    let child = spawn(command, "child_fills_its_disk", directory.path(), "fill");
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("refused and forgiven"), "{text}");
}

/// Works on until its disk is full, makes room, and works on, when it was started for that.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child_fills_its_disk() {
    if order().is_none() {
        return;
    }
    fs::write("ballast", vec![1; 500_000]).unwrap();
    let world = World::at(Path::new(DATABASE)).await;
    let request = "x".repeat(10_000);
    let mut outcomes = BTreeMap::new();
    for number in 0..1_000 {
        let created = world.store.create(task(number, prompt(&request), at(0)), None).await;
        let full = matches!(created, Err(Error::Full { .. }));
        assert!(full || created.is_ok(), "{created:?}");
        outcomes.insert(number, created.is_ok());
        if full {
            break;
        }
    }
    assert_eq!(outcomes.values().filter(|kept| !**kept).count(), 1, "the disk did fill");
    check_outcomes(&world.store, &outcomes).await;
    fs::remove_file("ballast").unwrap();
    for number in 1_000..1_005 {
        submit(&world.store, number, prompt("hello")).await;
    }
    assert!(lease(&world.store, &own(), at(1)).await.is_some());
    check_outcomes(&world.store, &outcomes).await;
    world.finish().await;
    say("refused and forgiven");
}

async fn check_outcomes(store: &Store, outcomes: &BTreeMap<u128, bool>) {
    for (number, kept) in outcomes {
        assert_eq!(store.task(&id(*number)).await.unwrap().is_some(), *kept, "{number}");
    }
}
