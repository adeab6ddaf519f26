//! The coordinator role: store, blobs, queue.

use std::sync::Arc;

use edgecoder_base::Level;
use edgecoder_coordinator::{Config, Coordinator, Deps};
use edgecoder_net::{HttpDecomposer, Signer};
use edgecoder_protocol::Decomposer;
use edgecoder_store::{BlobDir, Location, Store};
use edgecoder_worker::Inference;

use super::{Shared, entropy, now};
use crate::config::SandboxMode;
use crate::error::Error;
use crate::home::Home;

/// Opens the store and builds the role over it.
pub(crate) async fn build(
    config: &crate::config::Config,
    data: &Home,
    shared: &Shared,
    decomposer: Option<Arc<dyn Decomposer>>,
) -> Result<(Coordinator, Store), Error> {
    let location = match &config.coordinator.database_url {
        Some(url) => Location::Postgres(url.clone()),
        None => Location::Sqlite(data.database()),
    };
    let node = shared.key.public().node_id();
    let deps = edgecoder_store::Deps { node, key: Arc::clone(&shared.key) };
    let store = Store::open(edgecoder_store::Config { location }, deps).await?;
    let folder = config.coordinator.blobs(data);
    let blobs = BlobDir::open(&folder).map_err(Error::io("open", &folder))?;
    let deps =
        Deps { store: store.clone(), blobs, key: Arc::clone(&shared.key), decomposer, clock: now, entropy };
    Ok((Coordinator::build(settings(config), deps), store))
}

/// Who splits requests: the inference door that is named, else this node's own engine, else nobody.
pub(crate) fn decomposer(
    config: &crate::config::Config,
    shared: &Shared,
    own: Option<Inference>,
) -> Result<Option<Arc<dyn Decomposer>>, Error> {
    let Some(url) = &config.coordinator.inference_url else {
        return Ok(own.map(|own| Arc::new(own) as Arc<dyn Decomposer>));
    };
    let key = Arc::clone(&shared.key);
    let signer = Signer { agent_id: key.public().node_id(), key, clock: now, entropy };
    let door = HttpDecomposer::build(url, signer, Some(shared.inference_token.clone()))?;
    Ok(Some(Arc::new(door)))
}

fn settings(config: &crate::config::Config) -> Config {
    let sandbox = &config.sandbox;
    // Whoever switches the sandbox off, or does not insist on it, has said that unconfined work is welcome.
    let unconfined = sandbox.mode == SandboxMode::None || !sandbox.required;
    let defaults = Config::default();
    Config {
        min_level: if unconfined { Level::S0 } else { defaults.min_level },
        escalation_model: config.inference.escalates_to().map(str::to_owned),
        ..defaults
    }
}
