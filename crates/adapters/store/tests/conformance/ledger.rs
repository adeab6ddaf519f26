//! The ledger as readers see it. That it verifies is checked after every behaviour.

use crate::world::{World, answer, at, lease, own, prompt, report, submit};

pub(crate) async fn a_task_tells_its_events_in_order(world: &World) {
    let task = submit(&world.store, 1, prompt("hello")).await;
    submit(&world.store, 2, prompt("noise")).await;
    let leased = lease(&world.store, &own(), at(1)).await.unwrap();
    report(&world.store, &leased, &own(), answer("hi"), at(2)).await.unwrap();
    let entries = world.store.task_entries(&task.id, 0, 100).await.unwrap();
    let told: Vec<_> =
        entries.iter().map(|(_, entry)| (entry.event_type.as_str(), entry.issued_at_ms)).collect();
    let at = |ms| at(ms).as_millis();
    assert_eq!(told, [("task_enqueue", at(0)), ("task_claim", at(1)), ("task_complete", at(2))]);
    let page = world.store.task_entries(&task.id, entries[0].0, 1).await.unwrap();
    assert_eq!(page, entries[1..2]);
}

pub(crate) async fn entries_and_checkpoints_come_page_by_page(world: &World) {
    for number in 0..10 {
        submit(&world.store, number, prompt("hello")).await;
    }
    let chain = world.coordinator();
    assert_eq!(world.store.chains().await.unwrap(), std::slice::from_ref(&chain));
    let heights = |entries: Vec<edgecoder_protocol::ledger::Entry>| -> Vec<u64> {
        entries.into_iter().map(|entry| entry.sequence).collect()
    };
    assert_eq!(heights(world.store.entries(&chain, 0, 4).await.unwrap()), [1, 2, 3, 4]);
    assert_eq!(heights(world.store.entries(&chain, 8, 4).await.unwrap()), [9, 10]);
    assert_eq!(world.store.checkpoints(&chain, 9, 4).await.unwrap().len(), 1);
    assert_eq!(world.store.entries(&"node_other".parse().unwrap(), 0, 4).await.unwrap(), []);
    assert!(world.store.last_checkpoint(&"node_other".parse().unwrap()).await.unwrap().is_none());
}

pub(crate) async fn what_a_refusal_would_have_written_is_not_in_the_ledger(world: &World) {
    let task = submit(&world.store, 1, prompt("hello")).await;
    let leased = lease(&world.store, &own(), at(1)).await.unwrap();
    report(&world.store, &leased, &crate::world::worker("thief"), answer("hi"), at(2)).await.unwrap_err();
    assert_eq!(world.store.task_entries(&task.id, 0, 100).await.unwrap().len(), 2);
}
