//! What can answer: this machine's engine, and whatever other machines the mesh brings.

use std::fmt;
use std::sync::Arc;

use edgecoder_base::BlobHash;
use edgecoder_routing::{Latency, Needs, Place, PlaceId, Reach};
use edgecoder_worker::models::ModelsHandle;
use edgecoder_worker::{Capabilities, Engine, EngineState, Inference, InferenceError};

/// An engine of another machine, and what is known of it.
#[derive(Debug, Clone)]
pub struct Remote {
    /// What the router is told. Its latency is measured here, whatever it says.
    pub place: Place,
    /// What answers there.
    pub engine: Arc<dyn Engine>,
}

/// Knows the engines of other machines. The mesh implements it; a node alone has [`Nowhere`].
pub trait Elsewhere: Send + Sync + fmt::Debug {
    /// All that are joined, whatever the tier: the router looks at that.
    fn places(&self) -> Vec<Remote>;
}

/// No other machines.
#[derive(Debug, Clone, Copy, Default)]
pub struct Nowhere;

impl Elsewhere for Nowhere {
    fn places(&self) -> Vec<Remote> {
        Vec::new()
    }
}

/// One engine that may be asked.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    pub(super) place: Place,
    pub(super) engine: Arc<dyn Engine>,
    pub(super) model_hash: Option<BlobHash>,
}

impl From<Remote> for Candidate {
    fn from(Remote { place, engine }: Remote) -> Self {
        Self { place, engine, model_hash: None }
    }
}

/// This machine's engine. Waits, within the engine's own bound, for one that is starting: who starts a node and an
/// editor together should not see an error.
pub(super) async fn local(inference: &Inference, models: &ModelsHandle, id: PlaceId) -> Candidate {
    let known = match models.switch().state() {
        EngineState::Ready(capabilities) => Ok(capabilities),
        EngineState::Starting
        | EngineState::Restarting { .. }
        | EngineState::Failed(_)
        | EngineState::Stopped => inference.engine().capabilities().await,
    };
    let engine = Arc::clone(inference.engine());
    let load = models.switch().load();
    let place = Place {
        id,
        reach: Reach::Local,
        models: names(inference, models, known.as_ref().ok()),
        trouble: known.as_ref().err().map(words),
        window_tokens: known.as_ref().map_or(u32::MAX, |known| known.context_tokens),
        running: u32::try_from(load.running).unwrap_or(u32::MAX),
        slots: known.as_ref().map_or(1, |known| known.slots),
        latency: Latency::default(),
        offers: known.as_ref().map_or_else(|_| Needs::default(), offers),
    };
    Candidate { place, engine, model_hash: known.ok().and_then(|known| known.model_hash) }
}

fn words(error: &InferenceError) -> String {
    crate::error::outer_words(error)
}

const fn offers(capabilities: &Capabilities) -> Needs {
    let features = capabilities.features;
    Needs {
        embeddings: features.embeddings,
        infill: features.infill,
        grammar: features.grammar,
        logprobs: features.logprobs,
    }
}

/// Names that this machine answers to, the usual model's first.
pub(super) fn names(
    inference: &Inference,
    models: &ModelsHandle,
    known: Option<&Capabilities>,
) -> Vec<String> {
    let active = models.view().active.model;
    let mut names = vec![known.map_or_else(|| active.clone(), |known| known.model.clone())];
    for name in [Some(active.as_str()), inference.larger()].into_iter().flatten() {
        if !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
    }
    names
}
