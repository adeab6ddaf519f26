//! Waiting for work: armed before looking, nobody sleeps through a ring.

use std::time::Duration;

use edgecoder_store::{Leased, Store};
use edgecoder_tasks::WorkerProfile;
use tokio::task::JoinSet;

use crate::world::{World, answer, at, lease, prompt, report, submit, worker};

/// Far beyond anything but a lost ring: reaching it fails the test.
const LOST: Duration = Duration::from_secs(60);

/// Waits for work as a long poll does.
async fn wait_for_work(store: &Store, worker: &WorkerProfile) -> Leased {
    loop {
        let rung = store.doorbell().one();
        tokio::pin!(rung);
        rung.as_mut().enable();
        if let Some(leased) = lease(store, worker, at(1)).await {
            return leased;
        }
        rung.await;
    }
}

pub(crate) async fn no_ring_is_lost(world: &World) {
    const TASKS: u128 = 100;
    const WORKERS: u128 = 4;
    let mut workers = JoinSet::new();
    for name in 0..WORKERS {
        let store = world.store.clone();
        workers.spawn(async move {
            let worker = worker(&format!("w{name}"));
            for _ in 0..TASKS / WORKERS {
                let leased = wait_for_work(&store, &worker).await;
                report(&store, &leased, &worker, answer("hi"), at(1)).await.unwrap();
            }
        });
    }
    for number in 0..TASKS {
        submit(&world.store, number, prompt("hello")).await;
    }
    tokio::time::timeout(LOST, workers.join_all()).await.expect("every task finds its waiter");
}

pub(crate) async fn one_row_wakes_one_waiter(world: &World) {
    let bell = world.store.doorbell();
    let (first, second) = (bell.one(), bell.one());
    tokio::pin!(first, second);
    first.as_mut().enable();
    second.as_mut().enable();
    submit(&world.store, 1, prompt("hello")).await;
    tokio::time::timeout(LOST, first).await.expect("the first in line is woken");
    assert!(is_waiting(second.as_mut()), "the second sleeps on");
    let mut everybody = bell.everybody();
    bell.ring_everybody();
    tokio::time::timeout(LOST, everybody.changed()).await.expect("all are woken").unwrap();
}

/// Whether a future is still waiting.
fn is_waiting(future: std::pin::Pin<&mut impl Future>) -> bool {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    future.poll(&mut context).is_pending()
}

pub(crate) async fn the_pulse_follows_every_commit(world: &World) {
    let mut pulse = world.store.pulse();
    let before = *pulse.borrow_and_update();
    submit(&world.store, 1, prompt("hello")).await;
    tokio::time::timeout(LOST, pulse.changed()).await.expect("a commit is felt").unwrap();
    let after = *pulse.borrow_and_update();
    assert_eq!((after.sequence, after.commits), (before.sequence + 1, before.commits + 1));
}
