//! The coordinator's shape: built, handed out, run.

use std::sync::Arc;

use edgecoder_base::{NodeId, NodeKey, PublicKey, Timestamp};
use edgecoder_protocol::api::status::{Features, Identity};
use edgecoder_protocol::{Decomposer, ErrorCode};
use edgecoder_store::{BlobDir, Store};
use tokio_util::sync::CancellationToken;

use crate::sessions::Sessions;
use crate::{Config, Deps, Error, reaper};

/// The only way in: a cheap clone with typed methods, spread over the files of this crate by subject.
#[derive(Debug, Clone)]
pub struct Handle {
    pub(crate) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) config: Config,
    pub(crate) store: Store,
    pub(crate) blobs: BlobDir,
    pub(crate) id: NodeId,
    pub(crate) key: Arc<NodeKey>,
    pub(crate) decomposer: Option<Arc<dyn Decomposer>>,
    pub(crate) clock: edgecoder_base::Clock,
    pub(crate) entropy: edgecoder_base::Entropy,
    pub(crate) sessions: Arc<Sessions>,
}

/// The owner of the queue.
#[derive(Debug)]
pub struct Coordinator {
    handle: Handle,
}

impl Coordinator {
    /// Takes what it needs; touches nothing yet.
    pub fn build(config: Config, deps: Deps) -> Self {
        let inner = Inner {
            id: deps.key.public().node_id(),
            config,
            store: deps.store,
            blobs: deps.blobs,
            key: deps.key,
            decomposer: deps.decomposer,
            clock: deps.clock,
            entropy: deps.entropy,
            sessions: Arc::default(),
        };
        Self { handle: Handle { inner: Arc::new(inner) } }
    }

    /// The way in.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Puts back expired leases, wakes waiters when a pause ends, listens to other coordinators on the same
    /// database, and collects garbage, until `shutdown`.
    pub async fn run(self, shutdown: CancellationToken) -> Result<(), Error> {
        tokio::select! {
            biased;
            () = shutdown.cancelled() => Ok(()),
            () = self.handle.inner.store.ended() => {
                Err(Error::new(ErrorCode::Internal, "the store's writer ended unexpectedly"))
            }
            never = reaper::run(&self.handle) => never,
        }
    }
}

impl Handle {
    /// This node's id.
    pub fn id(&self) -> &NodeId {
        &self.inner.id
    }

    /// The time, as this coordinator sees it.
    pub fn now(&self) -> Timestamp {
        (self.inner.clock)()
    }

    /// `GET /identity`.
    pub fn identity(&self) -> Identity {
        Identity {
            peer_id: self.inner.id.clone(),
            public_key_pem: self.inner.key.public(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }

    /// `GET /features`.
    pub fn features(&self) -> Features {
        Features {
            public_mesh: self.inner.config.public_mesh,
            enterprise_overlay: !self.inner.config.public_mesh,
        }
    }

    pub(crate) fn own_key(&self) -> PublicKey {
        self.inner.key.public()
    }

    /// Runs blocking disk work off the async threads.
    pub(crate) async fn blocking<T: Send + 'static>(
        &self,
        doing: &'static str,
        work: impl FnOnce(&BlobDir) -> std::io::Result<T> + Send + 'static,
    ) -> Result<T, Error> {
        let blobs = self.inner.blobs.clone();
        match tokio::task::spawn_blocking(move || work(&blobs)).await {
            Ok(result) => result.map_err(|error| Error::from_blobs(doing, &error)),
            Err(_panicked) => Err(Error::new(ErrorCode::Internal, format!("{doing} failed unexpectedly"))),
        }
    }
}
