//! How many tasks one node can take in, hand out and finish durably: `cargo bench -p edgecoder-store`.
//! Prints figures and judges nothing; what they mean depends on the disk and on who else uses the cores.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a program that prints figures")]

use std::path::PathBuf;
use std::time::{Duration, Instant};

use edgecoder_store::Store;
use tokio::task::JoinSet;

use crate::world::{World, answer, at, lease, prompt, report, submit, worker};

#[allow(dead_code, reason = "shared with the conformance suite, which needs more of it")]
#[path = "../tests/conformance/world.rs"]
mod world;

const CLIENTS: u128 = 32;
/// Bytes of an answer.
const ANSWER: usize = 10_000;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    // A folder may be named: a temporary one is often in memory, where a commit costs nothing.
    let named = std::env::args().skip(1).find(|arg| !arg.starts_with('-'));
    let directory = match named {
        Some(folder) => tempfile::tempdir_in(folder).unwrap(),
        None => tempfile::tempdir_in(PathBuf::from(env!("CARGO_TARGET_TMPDIR"))).unwrap(),
    };
    let file = directory.path().join("store.db");
    let world = World::at(&file).await;
    println!("{CLIENTS} clients, answers of {ANSWER} bytes, SQLite at {}", file.display());
    cycles("empty queue", &world.store, 0, 20_000).await;
    fill(&world.store, 1_000_000, 100_000).await;
    cycles("100,000 waiting", &world.store, 2_000_000, 20_000).await;
    latency(&world.store).await;
    let start = Instant::now();
    world.store.close().await;
    println!("close: {:?}", start.elapsed());
}

/// Each client submits, leases, and answers what it got, until `count` tasks are through.
async fn cycles(name: &str, store: &Store, first: u128, count: u128) {
    let (start, cpu, commits) = (Instant::now(), writer_cpu(), store.pulse().borrow().commits);
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        let store = store.clone();
        clients.spawn(async move {
            let worker = worker(&format!("w{client}"));
            let text = "x".repeat(ANSWER);
            let mut waits = Vec::new();
            for number in (first + client..first + count).step_by(usize::try_from(CLIENTS).unwrap()) {
                let began = Instant::now();
                submit(&store, number, prompt("write a haiku about queues")).await;
                let leased = lease(&store, &worker, at(1)).await.unwrap();
                report(&store, &leased, &worker, answer(&text), at(2)).await.unwrap();
                waits.push(began.elapsed());
            }
            waits
        });
    }
    let waits = clients.join_all().await.concat();
    let (took, cpu) = (start.elapsed(), writer_cpu().saturating_sub(cpu));
    let commits = store.pulse().borrow().commits - commits;
    let count = u32::try_from(count).unwrap();
    println!(
        "{name}: {:.0} cycles/s, {:?} of the writer's processor time a cycle, {:.1} commands a commit",
        f64::from(count) / took.as_secs_f64(),
        cpu / count,
        f64::from(count * 3) / f64::from(u32::try_from(commits).unwrap()),
    );
    percentiles("  whole cycle", waits);
}

async fn fill(store: &Store, first: u128, count: u128) {
    let start = Instant::now();
    let mut clients = JoinSet::new();
    for client in 0..256 {
        let store = store.clone();
        clients.spawn(async move {
            for number in (first + client..first + count).step_by(256) {
                submit(&store, number, prompt("write a haiku about queues")).await;
            }
        });
    }
    clients.join_all().await;
    println!("filling: {:.0} tasks/s", 1e5 / start.elapsed().as_secs_f64());
}

/// From the moment a submission is durable until a waiting worker holds it.
async fn latency(store: &Store) {
    let mut waits = Vec::new();
    let waiting = worker("waiting");
    for number in 0..500 {
        let rung = store.doorbell().one();
        tokio::pin!(rung);
        rung.as_mut().enable();
        let urgent = edgecoder_tasks::Spec { priority: 100, ..prompt("now") };
        submit(store, 5_000_000 + number, urgent).await;
        let start = Instant::now();
        rung.await;
        let leased = lease(store, &waiting, at(1)).await.unwrap();
        waits.push(start.elapsed());
        report(store, &leased, &waiting, answer("done"), at(2)).await.unwrap();
    }
    percentiles("commit to lease", waits);
}

fn percentiles(name: &str, mut waits: Vec<Duration>) {
    waits.sort();
    let at = |hundredths: usize| waits[(waits.len() * hundredths / 100).min(waits.len() - 1)];
    println!("{name}: median {:?}, p99 {:?}, longest {:?}", at(50), at(99), at(100));
}

/// Processor time of the thread that writes, from the kernel's books; zero where there are none.
fn writer_cpu() -> Duration {
    let threads = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let writers = threads.map(|thread| thread.path()).filter(|thread| {
        std::fs::read_to_string(thread.join("comm")).is_ok_and(|name| name.trim() == "store-writer")
    });
    writers
        .filter_map(|thread| std::fs::read_to_string(thread.join("schedstat")).ok())
        .filter_map(|text| text.split(' ').next()?.parse().ok())
        .map(Duration::from_nanos)
        .sum()
}
