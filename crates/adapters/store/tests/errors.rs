//! What goes wrong outside is told by its name, keeps nothing half done, and is over when its cause is.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::path::Path;
use std::sync::Arc;

use edgecoder_base::{NodeKey, Secret};
use edgecoder_store::test_support::TestPostgres;
use edgecoder_store::{Config, Deps, Error, Location, Store, postgres};
use rusqlite::Connection;
use tokio::task::JoinSet;

use crate::world::{START, World, answer, at, id, lease, own, prompt, report, submit, task};

#[allow(dead_code, reason = "shared with the conformance suite, which needs more of it")]
#[path = "conformance/world.rs"]
mod world;

async fn open(location: Location) -> Result<Store, Error> {
    let key = Arc::new(NodeKey::from_seed(&[1; 32]));
    Store::open(Config { location }, Deps { node: key.public().node_id(), key }).await
}

/// A file in which `change` was made behind the store's back, after it held two tasks.
async fn changed_file(change: impl FnOnce(&Path)) -> (tempfile::TempDir, Location) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("store.db");
    let world = World::at(&file).await;
    for number in 1..=2 {
        submit(&world.store, number, prompt("hello")).await;
    }
    world.store.close().await;
    change(&file);
    (directory, Location::Sqlite(file))
}

#[tokio::test]
async fn a_database_locked_by_another_process_is_unavailable_until_it_is_free() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("store.db");
    let world = World::at(&file).await;
    let other = Connection::open(&file).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let locked = world.store.create(task(1, prompt("hello"), START), None).await;
    assert!(matches!(&locked, Err(error @ Error::Unavailable { .. }) if error.is_retryable()), "{locked:?}");
    assert_eq!(world.store.task(&id(1)).await.unwrap(), None, "readers do not wait for writers");
    other.execute_batch("ROLLBACK").unwrap();
    submit(&world.store, 1, prompt("hello")).await;
    world.finish().await;
}

#[tokio::test]
async fn a_file_that_is_no_database_is_corrupt() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("store.db");
    std::fs::write(&file, "these are not the rows you are looking for".repeat(100)).unwrap();
    let opened = open(Location::Sqlite(file)).await;
    assert!(matches!(opened, Err(Error::Corrupt { .. })), "{opened:?}");
}

#[tokio::test]
async fn a_folder_that_is_not_there_is_unavailable() {
    let opened = open(Location::Sqlite("/nonexistent/folder/store.db".into())).await;
    assert!(matches!(opened, Err(Error::Unavailable { .. })), "{opened:?}");
}

#[tokio::test]
async fn damaged_pages_are_corrupt() {
    let (_directory, location) = changed_file(|file| {
        let mut bytes = std::fs::read(file).unwrap();
        bytes[4_096..].fill(0xA5);
        std::fs::write(file, bytes).unwrap();
    })
    .await;
    let told = match open(location).await {
        Ok(store) => store.task(&id(1)).await.map(|_| ()),
        Err(error) => Err(error),
    };
    assert!(matches!(told, Err(Error::Corrupt { .. })), "{told:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_task_harms_no_other() {
    let (_directory, location) = changed_file(|file| {
        let sql = "UPDATE tasks SET document = '{' WHERE id = ?1";
        Connection::open(file).unwrap().execute(sql, [id(1).as_str()]).unwrap();
    })
    .await;
    let store = open(location).await.unwrap();
    assert!(matches!(store.task(&id(1)).await, Err(Error::Corrupt { .. })));
    let mut together = JoinSet::new();
    for number in 1..=40 {
        let store = store.clone();
        together.spawn(async move {
            // Number 1 is asked for again, finds itself damaged, and shares its commit with the others.
            (number, store.create(task(number, prompt("hello"), START), None).await)
        });
    }
    for (number, created) in together.join_all().await {
        assert_eq!(created.is_ok(), number != 1, "{number}: {created:?}");
    }
    let leased = lease(&store, &own(), at(1)).await.unwrap();
    assert_eq!(leased.task.id, id(2), "the one behind it is handed out");
}

#[tokio::test]
async fn a_newer_schema_is_refused_by_its_version() {
    let (_directory, location) = changed_file(|file| {
        Connection::open(file).unwrap().pragma_update(None, "user_version", 999).unwrap();
    })
    .await;
    let opened = open(location).await;
    assert!(matches!(opened, Err(Error::SchemaTooNew { found: 999, known: 1 })), "{opened:?}");
}

#[tokio::test]
async fn a_newer_schema_is_refused_by_postgres_too() {
    let server = TestPostgres::start();
    let url = server.database("newer");
    let location = Location::Postgres(Secret::new(url.clone()));
    open(location.clone()).await.unwrap().close().await;
    let mut connection = <sqlx::PgConnection as sqlx::Connection>::connect(&url).await.unwrap();
    sqlx::query("INSERT INTO schema_migrations VALUES (999)").execute(&mut connection).await.unwrap();
    let opened = open(location).await;
    assert!(matches!(opened, Err(Error::SchemaTooNew { found: 999, known: 1 })), "{opened:?}");
}

#[tokio::test]
async fn text_that_postgres_cannot_hold_fails_alone() {
    let world = World::postgres("nul").await;
    let nul = edgecoder_tasks::Spec { model: Some("a\0b".into()), ..prompt("hello") };
    let created = world.store.create(task(1, nul, START), None).await;
    assert!(matches!(created, Err(Error::Corrupt { .. })), "{created:?}");
    submit(&world.store, 2, prompt("a\0b")).await;
    let leased = lease(&world.store, &own(), at(1)).await.unwrap();
    report(&world.store, &leased, &own(), answer("out\0put"), at(2)).await.unwrap();
    assert_eq!(world.store.outputs(&id(2)).await.unwrap(), [(0, "out\u{fffd}put".to_owned())]);
    world.finish().await;
}

#[tokio::test]
async fn a_postgres_says_its_version_and_place_but_no_account() {
    let server = TestPostgres::start();
    let url = server.database("asked");
    let said = postgres::answers(&Secret::new(url.clone())).await.unwrap();
    assert!(said.starts_with("PostgreSQL 1") && said.contains("edgecoder-pg-"), "{said}");
    assert!(!said.contains("user"), "{said}");
    let stranger = url.replace("user=edgecoder", "user=ada-lovelace");
    let refused = postgres::answers(&Secret::new(stranger)).await.unwrap_err().to_string();
    assert!(refused.contains("role … does not exist"), "{refused}");
}

#[tokio::test]
async fn a_postgres_that_is_gone_is_unavailable_until_it_is_back() {
    let server = TestPostgres::start();
    let store = open(Location::Postgres(Secret::new(server.database("gone")))).await.unwrap();
    submit(&store, 1, prompt("hello")).await;
    server.stop();
    let lost = store.create(task(2, prompt("hello"), START), None).await;
    assert!(matches!(&lost, Err(error @ Error::Unavailable { .. }) if error.is_retryable()), "{lost:?}");
    assert!(matches!(store.task(&id(1)).await, Err(Error::Unavailable { .. })));
    server.resume();
    submit(&store, 2, prompt("hello")).await;
    assert!(store.task(&id(1)).await.unwrap().is_some());
    // Restarted between two commands: nobody notices.
    server.stop();
    server.resume();
    submit(&store, 3, prompt("hello")).await;
    assert_eq!(store.pulse().borrow().sequence, 3);
    assert_eq!(store.entries(&store.chains().await.unwrap()[0], 0, 10).await.unwrap().len(), 3);
    store.close().await;
    server.stop();
    let opened = open(Location::Postgres(Secret::new("postgresql:///gone?host=/nonexistent".into()))).await;
    assert!(matches!(opened, Err(Error::Unavailable { .. })), "{opened:?}");
}
