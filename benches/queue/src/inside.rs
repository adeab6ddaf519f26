//! Our queue in this process: a coordinator over a store on disk, without a door.

use std::path::Path;
use std::sync::Arc;

use edgecoder_base::NodeKey;
use edgecoder_coordinator::{Config, Coordinator, Deps};
use edgecoder_store::{BlobDir, Location, Store};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::client::Place;
use crate::{entropy, now};

/// A running coordinator.
#[derive(Debug)]
pub(crate) struct Inside {
    pub(crate) place: Place,
    store: Store,
    shutdown: CancellationToken,
    running: JoinSet<Result<(), edgecoder_coordinator::Error>>,
}

impl Inside {
    pub(crate) async fn start(folder: &Path) -> anyhow::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let key = Arc::new(NodeKey::from_seed(&[7; 32]));
        let config = edgecoder_store::Config { location: Location::Sqlite(folder.join("store.db")) };
        let deps = edgecoder_store::Deps { node: key.public().node_id(), key: Arc::clone(&key) };
        let store = Store::open(config, deps).await?;
        let blobs = BlobDir::open(folder.join("blobs"))?;
        let deps = Deps { store: store.clone(), blobs, key, decomposer: None, clock: now, entropy };
        let coordinator = Coordinator::build(Config::default(), deps);
        let place = Place::Inside(coordinator.handle());
        let shutdown = CancellationToken::new();
        let mut running = JoinSet::new();
        running.spawn(coordinator.run(shutdown.clone()));
        Ok(Self { place, store, shutdown, running })
    }

    pub(crate) async fn stop(mut self) {
        self.shutdown.cancel();
        while self.running.join_next().await.is_some() {}
        drop(self.place);
        self.store.close().await;
    }
}
