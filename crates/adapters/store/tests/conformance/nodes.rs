//! Known workers, and nonces that keep a captured message from being used twice.

use edgecoder_base::{Level, NodeId, NodeKey};
use edgecoder_ledger::Draft;
use edgecoder_store::NodeRecord;
use tokio::task::JoinSet;

use crate::world::{START, World, at, prompt, submit};

fn name(text: &str) -> NodeId {
    text.parse().unwrap()
}

pub(crate) async fn a_nonce_is_spent_once(world: &World) {
    let mut racers = JoinSet::new();
    for _ in 0..1_000 {
        let store = world.store.clone();
        racers.spawn(
            async move { store.spend_nonce(name("a"), "n".into(), START, at(300_000)).await.unwrap() },
        );
    }
    assert_eq!(racers.join_all().await.into_iter().filter(|new| *new).count(), 1);
    assert!(world.store.spend_nonce(name("b"), "n".into(), START, at(300_000)).await.unwrap());
    assert!(world.store.spend_nonce(name("a"), "m".into(), START, at(300_000)).await.unwrap());
}

pub(crate) async fn an_expired_nonce_may_come_again(world: &World) {
    let spend = |now| world.store.spend_nonce(name("a"), "n".into(), at(now), at(now + 1_000));
    assert!(spend(0).await.unwrap());
    assert!(!spend(1_000).await.unwrap(), "valid to the last millisecond");
    assert!(spend(1_001).await.unwrap());
}

/// Whoever opens the database after a crash knows every nonce whose request has left anything behind.
pub(crate) async fn a_nonce_is_on_disk_with_what_it_allowed(world: &World) {
    assert!(world.store.spend_nonce(name("a"), "n".into(), START, at(300_000)).await.unwrap());
    submit(&world.store, 1, prompt("hello")).await;
    let second = world.second().await;
    assert!(!second.spend_nonce(name("a"), "n".into(), START, at(300_000)).await.unwrap());
    second.close().await;
}

pub(crate) async fn a_node_is_kept_and_replaced(world: &World) {
    let first = NodeRecord {
        id: name("laptop"),
        key: Some(NodeKey::from_seed(&[9; 32]).public()),
        own: false,
        os: "linux".into(),
        version: "0.1.0".into(),
        mode: "swarm-only".into(),
        provider: "edgecoder-local".into(),
        client_type: "native".into(),
        max_concurrent: 2,
        sandbox_mode: "process".into(),
        level: Level::S3,
        models: vec!["tiny".into()],
        session: Some("s1".into()),
        registered_at: START,
    };
    let draft = Draft {
        event_type: "node_registered",
        task_id: None,
        subtask_id: None,
        actor_id: "laptop".into(),
        payload_json: None,
    };
    let other = NodeRecord { id: name("desktop"), key: None, session: None, ..first.clone() };
    world.store.save_node(first.clone(), Some(draft), START).await.unwrap();
    world.store.save_node(other.clone(), None, START).await.unwrap();
    assert_eq!(world.store.node(&first.id).await.unwrap(), Some(first.clone()));
    assert_eq!(world.store.node(&name("tower")).await.unwrap(), None);
    let moved = NodeRecord { max_concurrent: 8, registered_at: at(5), ..first };
    world.store.save_node(moved.clone(), None, at(5)).await.unwrap();
    assert_eq!(world.store.nodes().await.unwrap(), [other, moved]);
    assert_eq!(world.store.pulse().borrow().sequence, 1, "one of the three was worth an entry");
}
