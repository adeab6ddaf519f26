//! The queue: who gets what, when, and that nobody gets what another holds.

use std::collections::BTreeSet;

use edgecoder_base::{Level, PrivacyTier};
use edgecoder_protocol::ErrorCode;
use edgecoder_protocol::work::{Outcome, WorkKind};
use edgecoder_store::{Error, Store};
use edgecoder_tasks::{AttemptState, Command, Spec, WorkerProfile, limits};
use tokio::task::JoinSet;

use crate::world::{
    START, World, answer, at, candidate, change, epoch, id, lease, own, prompt, report, said, submit, worker,
};

/// Submits one prompt for each of `specs` and leases until nothing is left; which tasks came, in order.
async fn drain(store: &Store, worker: &WorkerProfile) -> Vec<u128> {
    let mut order = Vec::new();
    while let Some(leased) = lease(store, worker, at(1)).await {
        order.push((0..300).find(|number| id(*number) == leased.task.id).unwrap());
    }
    order
}

pub(crate) async fn work_goes_out_by_rank_and_then_by_arrival(world: &World) {
    for (number, priority) in [(1, 50), (2, 90), (3, 50), (4, 0), (5, 90), (6, 100)] {
        submit(&world.store, number, Spec { priority, ..prompt("hello") }).await;
    }
    assert_eq!(drain(&world.store, &worker("a")).await, [6, 2, 5, 1, 3, 4]);
}

pub(crate) async fn judgements_go_to_the_own_worker_and_first(world: &World) {
    submit(&world.store, 1, change(1)).await;
    let leased = lease(&world.store, &worker("a"), at(1)).await.unwrap();
    report(&world.store, &leased, &worker("a"), candidate(), at(2)).await.unwrap();
    submit(&world.store, 2, Spec { priority: 100, ..change(1) }).await;
    let others = lease(&world.store, &worker("a"), at(3)).await.unwrap();
    assert_eq!(others.task.id, id(2), "a judgement is not for others");
    let mine = lease(&world.store, &own(), at(3)).await.unwrap();
    assert_eq!(mine.task.attempt(&mine.attempt).unwrap().1.kind, WorkKind::Verify);
}

pub(crate) async fn content_goes_no_further_than_its_tier(world: &World) {
    const TIERS: [PrivacyTier; 4] =
        [PrivacyTier::Local, PrivacyTier::Devices, PrivacyTier::Invited, PrivacyTier::Public];
    for (number, privacy) in (0..).zip(TIERS) {
        submit(&world.store, number, Spec { privacy, ..prompt("hello") }).await;
    }
    for (tier, expected) in TIERS.into_iter().zip([vec![0, 1, 2, 3], vec![1, 2, 3], vec![2, 3], vec![3]]) {
        let worker = WorkerProfile { tier, ..worker("a") };
        assert_eq!(drain(&world.store, &worker).await, expected, "{tier}");
        world.store.release_held(worker.id, at(1)).await.unwrap();
    }
}

pub(crate) async fn work_behind_a_long_queue_of_unfit_rows_is_found(world: &World) {
    for number in 0..100 {
        let unfit = match number % 3 {
            0 => Spec { model: Some("huge".into()), ..change(1) },
            1 => Spec { min_level: Level::S4, ..change(1) },
            _ => Spec { privacy: PrivacyTier::Local, ..change(1) },
        };
        submit(&world.store, number, Spec { priority: 100, ..unfit }).await;
    }
    submit(&world.store, 200, Spec { priority: 0, model: Some("tiny".into()), ..change(1) }).await;
    let fit = WorkerProfile { models: vec!["tiny".into(), "other".into()], ..worker("a") };
    assert_eq!(drain(&world.store, &fit).await, [200]);
    // An answer runs nothing, so it needs no sandbox.
    submit(&world.store, 201, Spec { min_level: Level::S4, ..prompt("hello") }).await;
    assert_eq!(drain(&world.store, &fit).await, [201]);
}

/// Leases and reports a failure of the worker, which puts the attempt back with a pause.
async fn fail_once(store: &Store, worker: &WorkerProfile) {
    let leased = lease(store, worker, at(1)).await.unwrap();
    let failed = Outcome::Failed { code: ErrorCode::Internal, detail: "engine".into(), retryable: true };
    report(store, &leased, worker, said(failed), at(2)).await.unwrap();
}

pub(crate) async fn a_pause_is_kept(world: &World) {
    let pause = u64::try_from(limits::BACKOFF.as_millis()).unwrap();
    submit(&world.store, 1, Spec { priority: 90, ..prompt("hello") }).await;
    fail_once(&world.store, &worker("a")).await;
    assert!(lease(&world.store, &worker("a"), at(2)).await.is_none());
    assert_eq!(world.store.ready_count(at(2)).await.unwrap(), 0);
    assert_eq!(world.store.next_due(at(2)).await.unwrap(), Some(at(2 + pause)));
    submit(&world.store, 2, prompt("hello")).await;
    let leased = lease(&world.store, &worker("a"), at(1 + pause)).await.unwrap();
    assert_eq!(leased.task.id, id(2), "a pause does not hold up the rest");
    assert_eq!(world.store.ready_count(at(2 + pause)).await.unwrap(), 1);
    let leased = lease(&world.store, &worker("a"), at(2 + pause)).await.unwrap();
    assert_eq!((leased.task.id.clone(), epoch(&leased)), (id(1), 2));
}

pub(crate) async fn a_worker_holds_no_more_than_it_may(world: &World) {
    submit(&world.store, 1, change(5)).await;
    let two = WorkerProfile { max_concurrent: 2, ..worker("a") };
    let first = lease(&world.store, &two, at(1)).await.unwrap();
    lease(&world.store, &two, at(1)).await.unwrap();
    let (third, passed_by) = world.store.lease(two.clone(), at(1)).await.unwrap();
    assert!(third.is_none() && passed_by, "another may take what it cannot");
    report(&world.store, &first, &two, candidate(), at(2)).await.unwrap();
    assert!(lease(&world.store, &two, at(3)).await.is_some());
}

pub(crate) async fn a_worker_learns_that_it_was_passed_by(world: &World) {
    let look = async |worker: &WorkerProfile| {
        let (leased, passed_by) = world.store.lease(worker.clone(), at(1)).await.unwrap();
        (leased.is_some(), passed_by)
    };
    let a = worker("a");
    assert_eq!(look(&a).await, (false, false), "nothing there");
    submit(&world.store, 1, Spec { privacy: PrivacyTier::Local, ..prompt("hello") }).await;
    assert_eq!(look(&a).await, (false, true), "content that stays here");
    assert_eq!(look(&own()).await, (true, false));
    assert_eq!(look(&a).await, (false, false), "what is leased waits for nobody");
    submit(&world.store, 2, Spec { model: Some("huge".into()), ..change(1) }).await;
    assert_eq!(look(&a).await, (false, true), "a model it does not have");
    let blocked =
        WorkerProfile { blocked: Some("evidence".into()), models: vec!["huge".into()], ..a.clone() };
    assert_eq!(look(&blocked).await, (false, true), "a worker that is refused");
    let huge = WorkerProfile { models: vec!["huge".into()], ..a.clone() };
    let leased = lease(&world.store, &huge, at(1)).await.unwrap();
    report(&world.store, &leased, &huge, candidate(), at(1)).await.unwrap();
    assert_eq!(look(&huge).await, (false, true), "a judgement is for the own worker");
}

pub(crate) async fn no_row_is_leased_twice(world: &World) {
    for number in 0..200 {
        submit(&world.store, number, prompt("hello")).await;
    }
    let mut racers = JoinSet::new();
    for name in 0..16 {
        let store = world.store.clone();
        racers.spawn(async move {
            let worker = worker(&format!("w{name}"));
            let mut granted = Vec::new();
            while let Some(leased) = lease(&store, &worker, at(1)).await {
                granted.push((leased.attempt.to_string(), epoch(&leased)));
                // Every third goes back and must come again under a higher epoch.
                if granted.len() % 3 == 0 && epoch(&leased) == 1 {
                    let (attempt, id) = (leased.attempt.clone(), worker.id.clone());
                    let release = move |task: &mut edgecoder_tasks::Task| {
                        task.apply(Command::Release { attempt: &attempt, epoch: 1, worker: &id }, at(1))
                    };
                    store.change(&leased.task.id, release).await.unwrap();
                } else {
                    report(&store, &leased, &worker, answer("hi"), at(1)).await.unwrap();
                }
            }
            granted
        });
    }
    let granted: Vec<_> = racers.join_all().await.into_iter().flatten().collect();
    let distinct: BTreeSet<_> = granted.iter().cloned().collect();
    assert_eq!(distinct.len(), granted.len(), "an epoch is granted once");
    assert_eq!(granted.iter().filter(|(_, epoch)| *epoch == 1).count(), 200);
    let counts = world.store.counts().await.unwrap();
    assert_eq!((counts.queued, counts.tasks), (0, [("completed".to_owned(), 200)].into()));
}

pub(crate) async fn expired_leases_go_back(world: &World) {
    submit(&world.store, 1, change(5)).await;
    let lasts = u64::try_from(limits::LEASE.as_millis()).unwrap();
    for now in 0..5 {
        lease(&world.store, &worker("a"), at(now)).await.unwrap();
    }
    assert_eq!(world.store.expire(at(lasts - 1), 100).await.unwrap(), 0);
    assert_eq!(world.store.expire(at(lasts + 3), 3).await.unwrap(), 3, "no more than asked for");
    assert_eq!(world.store.expire(at(lasts + 3), 100).await.unwrap(), 1);
    let task = world.store.task(&id(1)).await.unwrap().unwrap();
    let states: Vec<_> =
        task.subtasks[0].attempts.iter().map(|attempt| (attempt.state, attempt.tries)).collect();
    let mut expected = vec![(AttemptState::Queued, 1); 4];
    expected.push((AttemptState::Leased, 0));
    assert_eq!(states, expected);
}

pub(crate) async fn what_a_restarted_worker_held_goes_back_without_a_try(world: &World) {
    submit(&world.store, 1, change(2)).await;
    submit(&world.store, 2, change(2)).await;
    for _ in 0..3 {
        lease(&world.store, &worker("a"), at(1)).await.unwrap();
    }
    lease(&world.store, &worker("b"), at(1)).await.unwrap();
    assert_eq!(world.store.release_held("a".parse().unwrap(), at(2)).await.unwrap(), 3);
    assert_eq!(world.store.release_held("a".parse().unwrap(), at(2)).await.unwrap(), 0);
    assert_eq!(world.store.ready_count(at(2)).await.unwrap(), 3, "at once, without a pause");
    let task = world.store.task(&id(1)).await.unwrap().unwrap();
    assert!(task.subtasks[0].attempts.iter().all(|attempt| attempt.tries == 0));
}

pub(crate) async fn a_stale_epoch_changes_nothing(world: &World) {
    submit(&world.store, 1, prompt("hello")).await;
    let slow = lease(&world.store, &worker("a"), START).await.unwrap();
    let later = START.after(limits::LEASE);
    assert_eq!(world.store.expire(later, 10).await.unwrap(), 1);
    let again = later.after(limits::MAX_BACKOFF);
    let quick = lease(&world.store, &worker("b"), again).await.unwrap();
    let before = world.store.task(&id(1)).await.unwrap();
    let late = report(&world.store, &slow, &worker("a"), answer("late"), again).await;
    assert!(matches!(late, Err(Error::Refused(_))));
    assert_eq!(world.store.task(&id(1)).await.unwrap(), before);
    report(&world.store, &quick, &worker("b"), answer("in time"), again).await.unwrap();
    assert_eq!(world.store.outputs(&id(1)).await.unwrap(), [(0, "in time".to_owned())]);
}

pub(crate) async fn the_next_look_is_due_at_the_first_deadline(world: &World) {
    assert_eq!(world.store.next_due(START).await.unwrap(), None);
    submit(&world.store, 1, change(2)).await;
    assert_eq!(world.store.next_due(START).await.unwrap(), None, "what waits is not due");
    assert_eq!(world.store.ready_count(START).await.unwrap(), 2);
    lease(&world.store, &worker("a"), at(7)).await.unwrap();
    lease(&world.store, &worker("a"), at(9)).await.unwrap();
    assert_eq!(world.store.next_due(at(9)).await.unwrap(), Some(at(7).after(limits::LEASE)));
}
