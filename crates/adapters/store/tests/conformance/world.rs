//! A fresh store on one of the databases, and short words for what is put into it.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use edgecoder_base::{
    AttemptLimits, BlobHash, Level, NodeId, NodeKey, PrivacyTier, Scope, Secret, TaskId, Timestamp, Verifier,
};
use edgecoder_ledger::Verifier as ChainVerifier;
use edgecoder_protocol::work::{Outcome, Report};
use edgecoder_store::test_support::TestPostgres;
use edgecoder_store::{Config, Deps, Leased, Location, Store};
use edgecoder_tasks::{Command, Plan, Refusal, Spec, Task, WorkerProfile};

/// The instant at which every behaviour starts.
pub(crate) const START: Timestamp = Timestamp::from_millis(1_800_000_000_000);

/// `START` and so many milliseconds.
pub(crate) fn at(ms: u64) -> Timestamp {
    START.after(Duration::from_millis(ms))
}

/// One store and the coordinators that may write to it.
pub(crate) struct World {
    pub(crate) store: Store,
    location: Location,
    keys: Vec<Arc<NodeKey>>,
    _directory: Option<tempfile::TempDir>,
}

impl World {
    pub(crate) async fn sqlite() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let location = Location::Sqlite(directory.path().join("store.db"));
        Self::open(location, Some(directory)).await
    }

    /// On a file that stays.
    pub(crate) async fn at(file: &std::path::Path) -> Self {
        Self::open(Location::Sqlite(file.to_owned()), None).await
    }

    pub(crate) async fn postgres(name: &str) -> Self {
        static SERVER: OnceLock<TestPostgres> = OnceLock::new();
        let url = SERVER.get_or_init(TestPostgres::start).database(name);
        Self::open(Location::Postgres(Secret::new(url)), None).await
    }

    async fn open(location: Location, directory: Option<tempfile::TempDir>) -> Self {
        let keys: Vec<_> = [1, 2].iter().map(|seed| Arc::new(NodeKey::from_seed(&[*seed; 32]))).collect();
        let store = open(&location, &keys[0]).await;
        Self { store, location, keys, _directory: directory }
    }

    /// The coordinator whose store this is.
    pub(crate) fn coordinator(&self) -> NodeId {
        self.keys[0].public().node_id()
    }

    /// A second coordinator on the same database.
    pub(crate) async fn second(&self) -> Store {
        open(&self.location, &self.keys[1]).await
    }

    /// Whether coordinators can hear each other.
    pub(crate) fn is_shared(&self) -> bool {
        matches!(self.location, Location::Postgres(_))
    }

    /// Checks every chain, then closes, opens, and checks again.
    pub(crate) async fn finish(self) {
        let before = verify(&self.store, &self.keys).await;
        self.store.close().await;
        let store = open(&self.location, &self.keys[0]).await;
        let after = verify(&store, &self.keys).await;
        assert_eq!(after, before, "what was committed is still there");
        assert_eq!(
            store.pulse().borrow().sequence,
            after.get(&self.keys[0].public().node_id()).copied().unwrap_or(0),
            "the writer goes on where it ended"
        );
        store.close().await;
    }
}

async fn open(location: &Location, key: &Arc<NodeKey>) -> Store {
    let deps = Deps { node: key.public().node_id(), key: Arc::clone(key) };
    Store::open(Config { location: location.clone() }, deps).await.unwrap()
}

/// Checks every chain page by page; the height of each.
async fn verify(store: &Store, keys: &[Arc<NodeKey>]) -> BTreeMap<NodeId, u64> {
    const PAGE: u32 = 100;
    let mut heights = BTreeMap::new();
    for chain in store.chains().await.unwrap() {
        let key = keys.iter().map(|key| key.public()).find(|key| key.node_id() == chain).unwrap();
        let mut verifier = ChainVerifier::new(chain.clone(), Some(key));
        let mut signed = 0;
        loop {
            let page = store.checkpoints(&chain, signed, PAGE).await.unwrap();
            let Some(last) = page.last() else { break };
            signed = last.sequence;
            for checkpoint in page {
                while verifier.height() < checkpoint.sequence {
                    for entry in store.entries(&chain, verifier.height(), PAGE).await.unwrap() {
                        if entry.sequence <= checkpoint.sequence {
                            verifier.entry(&entry).unwrap();
                        }
                    }
                }
                verifier.checkpoint(&checkpoint).unwrap();
            }
        }
        assert!(
            store.entries(&chain, verifier.height(), 1).await.unwrap().is_empty(),
            "every entry is signed"
        );
        assert_eq!(store.last_checkpoint(&chain).await.unwrap().unwrap().sequence, verifier.height());
        heights.insert(chain, verifier.height());
    }
    heights
}

/// What is asked of an answer task.
pub(crate) fn prompt(request: &str) -> Spec {
    Spec {
        request: request.into(),
        snapshot: None,
        verifier: None,
        hidden: None,
        scope: Scope::default(),
        samples: 1,
        priority: 50,
        privacy: PrivacyTier::Devices,
        limits: AttemptLimits::default(),
        min_level: Level::S2,
        model: None,
        escalation_model: None,
        language: None,
        submitter: "ada".into(),
        project: "default".into(),
    }
}

/// What is asked of a code task.
pub(crate) fn change(samples: u8) -> Spec {
    Spec {
        snapshot: Some(BlobHash::of(b"tree")),
        verifier: Some(Verifier::new("pytest -q")),
        samples,
        ..prompt("add a function")
    }
}

pub(crate) fn id(number: u128) -> TaskId {
    TaskId::from_entropy(number)
}

/// A task as the coordinator would hand it to the store.
pub(crate) fn task(number: u128, spec: Spec, now: Timestamp) -> Task {
    let plan = Plan::single(&spec.request);
    Task::submit(id(number), spec, plan, now).unwrap()
}

/// Submits at `START`.
pub(crate) async fn submit(store: &Store, number: u128, spec: Spec) -> Task {
    store.create(task(number, spec, START), None).await.unwrap().0
}

/// A worker of my own machines.
pub(crate) fn worker(name: &str) -> WorkerProfile {
    WorkerProfile {
        id: name.parse().unwrap(),
        own: false,
        tier: PrivacyTier::Devices,
        level: Level::S3,
        models: vec!["tiny".into()],
        max_concurrent: 1_000,
        blocked: None,
    }
}

/// This node's own worker.
pub(crate) fn own() -> WorkerProfile {
    WorkerProfile { own: true, tier: PrivacyTier::Local, ..worker("own") }
}

/// Leases at `now`, or nothing.
pub(crate) async fn lease(store: &Store, worker: &WorkerProfile, now: Timestamp) -> Option<Leased> {
    store.lease(worker.clone(), now).await.unwrap().0
}

/// The epoch under which an attempt was leased.
pub(crate) fn epoch(leased: &Leased) -> u64 {
    leased.task.attempt(&leased.attempt).unwrap().1.epoch
}

pub(crate) fn said(outcome: Outcome) -> Report {
    Report::of(outcome)
}

pub(crate) fn answer(text: &str) -> Report {
    said(Outcome::Answer { ok: true, output: text.into() })
}

pub(crate) fn candidate() -> Report {
    said(Outcome::Candidate { patch: BlobHash::of(b"patch"), summary: "done".into(), claimed_pass: true })
}

/// Reports what came of a lease.
pub(crate) async fn report(
    store: &Store,
    leased: &Leased,
    worker: &WorkerProfile,
    report: Report,
    now: Timestamp,
) -> Result<Task, edgecoder_store::Error> {
    let (attempt, worker, epoch) = (leased.attempt.clone(), worker.id.clone(), epoch(leased));
    store
        .change(&leased.task.id, move |task: &mut Task| -> Result<(), Refusal> {
            let report = report.clone();
            task.apply(
                Command::Report { attempt: &attempt, epoch: Some(epoch), worker: &worker, report },
                now,
            )
        })
        .await
}
