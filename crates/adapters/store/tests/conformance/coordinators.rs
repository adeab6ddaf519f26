//! Two coordinators on one database: one queue, two chains.

use std::collections::BTreeSet;
use std::time::Duration;

use edgecoder_store::Error;
use tokio::task::JoinSet;

use crate::world::{World, answer, at, epoch, prompt, report, submit, worker};

/// Tries again what another writer got in between of.
macro_rules! insist {
    ($call:expr) => {
        loop {
            match $call.await {
                Err(Error::Conflict { .. }) => tokio::task::yield_now().await,
                other => break other.unwrap(),
            }
        }
    };
}

pub(crate) async fn two_coordinators_lease_no_row_twice(world: &World) {
    let second = world.second().await;
    let mut racers = JoinSet::new();
    for (name, store) in [&world.store, &second, &world.store, &second].into_iter().cloned().enumerate() {
        racers.spawn(async move {
            for number in 0..25 {
                let number = u128::try_from(name * 100 + number).unwrap();
                submit(&store, number, prompt("hello")).await;
            }
            let worker = worker(&format!("w{name}"));
            let mut granted = Vec::new();
            while let Some(leased) = insist!(store.lease(worker.clone(), at(1))).0 {
                granted.push((leased.attempt.to_string(), epoch(&leased)));
                insist!(report(&store, &leased, &worker, answer("hi"), at(1)));
            }
            granted
        });
    }
    let granted: Vec<_> = racers.join_all().await.into_iter().flatten().collect();
    let distinct: BTreeSet<_> = granted.iter().cloned().collect();
    assert_eq!((granted.len(), distinct.len()), (100, 100));
    assert_eq!(world.store.chains().await.unwrap().len(), 2);
    second.close().await;
}

pub(crate) async fn one_coordinator_hears_of_the_others_work(world: &World) {
    if !world.is_shared() {
        // A file has one coordinator; `listen` waits for ever, which is all there is to say.
        return;
    }
    let second = world.second().await;
    let mut everybody = second.doorbell().everybody();
    let listening = {
        let second = second.clone();
        let mut set = JoinSet::new();
        set.spawn(async move { second.listen().await });
        set
    };
    // The first rings may come before the other listens: ring until it hears.
    let mut told = 0;
    let heard = async {
        while !everybody.has_changed().unwrap() {
            submit(&world.store, u128::from(told), prompt("hello")).await;
            told += 1;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), heard).await.expect("the other hears of it");
    // Announcements come in order, so its own are past when it hears the next of ours.
    for number in 0..told + 50 {
        submit(&second, u128::from(1_000_000 + number), prompt("hello")).await;
    }
    everybody.mark_unchanged();
    submit(&world.store, u128::from(told), prompt("hello")).await;
    tokio::time::timeout(Duration::from_secs(60), everybody.changed()).await.expect("it hears on").unwrap();
    assert!(*everybody.borrow() <= told + 1, "a coordinator does not wake itself");
    drop(listening);
    second.close().await;
}
