//! Tasks: kept once, whole, and found again.

use edgecoder_store::{Error, IdempotencyKey, TaskFilter};
use edgecoder_tasks::{Command, Task, TaskState};
use tokio::task::JoinSet;

use crate::world::{START, World, answer, at, change, id, lease, own, prompt, report, submit, task};

fn key(key: &str, fingerprint: &str) -> IdempotencyKey {
    IdempotencyKey { key: key.into(), fingerprint: fingerprint.into() }
}

pub(crate) async fn a_task_is_kept_as_it_was_submitted(world: &World) {
    let mut spec = change(3);
    spec.request = "ein Ümlaut, a quote \" and 日本語".into();
    let mut asked = task(1, spec, START);
    let (kept, new) = world.store.create(asked.clone(), None).await.unwrap();
    asked.take_events();
    assert!(new);
    assert_eq!(kept, asked);
    assert_eq!(world.store.task(&asked.id).await.unwrap(), Some(asked));
    assert_eq!(world.store.task(&id(2)).await.unwrap(), None);
}

pub(crate) async fn the_same_id_is_one_task(world: &World) {
    let first = submit(&world.store, 1, prompt("hello")).await;
    let (again, new) = world.store.create(task(1, prompt("hello"), at(9)), None).await.unwrap();
    assert_eq!((again, new), (first, false));
    let other = world.store.create(task(1, prompt("something else"), at(9)), None).await;
    assert!(matches!(other, Err(Error::TaskExists(taken)) if taken == id(1)));
    assert_eq!(world.store.counts().await.unwrap().queued, 1);
}

pub(crate) async fn the_same_key_is_one_submission(world: &World) {
    let create = |number, request, key| world.store.create(task(number, prompt(request), START), Some(key));
    let (first, new) = create(1, "hello", key("ada/k", "f1")).await.unwrap();
    assert!(new);
    // The caller does not know the id it was given, so it comes with another.
    let (again, new) = create(2, "hello", key("ada/k", "f1")).await.unwrap();
    assert_eq!((again.id, new), (first.id, false));
    let mismatch = create(3, "goodbye", key("ada/k", "f2")).await;
    assert!(matches!(mismatch, Err(Error::IdempotencyMismatch)));
    assert!(create(4, "goodbye", key("ada/l", "f2")).await.unwrap().1, "another key is another submission");
    assert_eq!(world.store.task(&id(2)).await.unwrap(), None);
    assert_eq!(world.store.task(&id(3)).await.unwrap(), None);
}

pub(crate) async fn sixty_four_submissions_under_one_key_are_one_task(world: &World) {
    let mut racers = JoinSet::new();
    for number in 0..64 {
        let store = world.store.clone();
        racers.spawn(async move {
            store.create(task(number, prompt("hello"), START), Some(key("ada/k", "f"))).await.unwrap()
        });
    }
    let answers = racers.join_all().await;
    assert_eq!(answers.iter().filter(|(_, new)| *new).count(), 1);
    assert!(answers.iter().all(|(task, _)| task.id == answers[0].0.id));
    assert_eq!(world.store.counts().await.unwrap().queued, 1);
}

fn cancel(task: &mut Task) -> Result<(), edgecoder_tasks::Refusal> {
    task.apply(Command::Cancel { by: "ada" }, at(5))
}

pub(crate) async fn a_change_is_kept_whole(world: &World) {
    let task = submit(&world.store, 1, change(3)).await;
    assert_eq!(world.store.counts().await.unwrap().queued, 3);
    let changed = world.store.change(&task.id, cancel).await.unwrap();
    assert_eq!((changed.state, changed.updated_at), (TaskState::Cancelled, at(5)));
    assert_eq!(world.store.task(&task.id).await.unwrap(), Some(changed));
    assert_eq!(world.store.counts().await.unwrap().queued, 0, "its rows left the queue with it");
}

pub(crate) async fn a_refused_change_writes_nothing(world: &World) {
    let task = submit(&world.store, 1, change(2)).await;
    world.store.change(&task.id, cancel).await.unwrap();
    let (before, commits) = (world.store.task(&task.id).await.unwrap(), *world.store.pulse().borrow());
    let refused = world.store.change(&task.id, cancel).await;
    assert!(matches!(refused, Err(Error::Refused(_))));
    let spoiled = world
        .store
        .change(&task.id, |task| {
            task.reason = Some("half a change".into());
            cancel(task)
        })
        .await;
    assert!(matches!(spoiled, Err(Error::Refused(_))));
    assert_eq!(world.store.task(&task.id).await.unwrap(), before);
    assert_eq!(world.store.pulse().borrow().sequence, commits.sequence);
}

pub(crate) async fn an_unknown_task_cannot_be_changed(world: &World) {
    let unknown = world.store.change(&id(7), cancel).await;
    assert!(matches!(unknown, Err(Error::UnknownTask(asked)) if asked == id(7)));
}

pub(crate) async fn an_answer_is_kept_beside_its_task(world: &World) {
    let task = submit(&world.store, 1, prompt("hello")).await;
    assert_eq!(world.store.outputs(&task.id).await.unwrap(), []);
    let leased = lease(&world.store, &own(), at(1)).await.unwrap();
    let text = "x".repeat(10_000) + "ü";
    let ended = report(&world.store, &leased, &own(), answer(&text), at(2)).await.unwrap();
    assert_eq!(ended.state, TaskState::Completed);
    assert_eq!(world.store.outputs(&task.id).await.unwrap(), [(0, text.clone())]);
    // Its worker did not hear us and says it again.
    report(&world.store, &leased, &own(), answer("other"), at(3)).await.unwrap();
    assert_eq!(world.store.outputs(&task.id).await.unwrap(), [(0, text)]);
}

pub(crate) async fn tasks_are_listed_page_by_page_newest_first(world: &World) {
    // Three arrive in the same millisecond: the id decides, and no page loses or repeats one.
    for number in 0..25_u128 {
        let now = at(u64::try_from(number / 3).unwrap());
        world.store.create(task(number, prompt("hello"), now), None).await.unwrap();
    }
    for number in [3, 10, 24] {
        world.store.change(&id(number), cancel).await.unwrap();
    }
    for (state, expected) in [
        (None, (0..25).rev().collect::<Vec<u128>>()),
        (Some("cancelled"), vec![24, 10, 3]),
        (Some("approved"), vec![]),
    ] {
        let mut filter = TaskFilter { state: state.map(str::to_owned), after: None, limit: 4 };
        let mut seen = Vec::new();
        loop {
            let page = world.store.tasks(filter.clone()).await.unwrap();
            assert!(page.len() <= 4);
            let Some(last) = page.last() else { break };
            filter.after = Some((last.created_at, last.id.clone()));
            seen.extend(page.into_iter().map(|task| task.id));
        }
        assert_eq!(seen, expected.into_iter().map(id).collect::<Vec<_>>(), "{state:?}");
    }
}

pub(crate) async fn numbers_follow_the_tasks(world: &World) {
    assert_eq!(world.store.counts().await.unwrap(), edgecoder_store::Counts::default());
    for number in 0..5 {
        submit(&world.store, number, change(2)).await;
    }
    world.store.change(&id(0), cancel).await.unwrap();
    lease(&world.store, &own(), at(1)).await.unwrap();
    let counts = world.store.counts().await.unwrap();
    assert_eq!(counts.queued, 8, "leased ones count");
    assert_eq!(counts.tasks, [("cancelled".to_owned(), 1), ("running".to_owned(), 4)].into());
}
