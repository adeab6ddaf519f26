//! What was found on this machine. Looked at when somebody asks and the last look is old, never by itself: other
//! programs' ports are not ours to poll.

use std::time::{Duration, Instant};

use edgecoder_inference::discover::{Found, Place, discover};
use tokio::sync::Mutex;

/// A look stays good for so long; a person who just started a server asks again later than that.
const FRESH: Duration = Duration::from_secs(10);

/// The last look. Whoever asks while one runs waits for it, which takes a second at most.
#[derive(Debug)]
pub(super) struct Providers {
    places: Vec<Place>,
    last: Mutex<Option<(Instant, Vec<Found>)>>,
}

impl Providers {
    pub(super) fn new(places: Vec<Place>) -> Self {
        Self { places, last: Mutex::new(None) }
    }

    /// What a fresh enough look found.
    pub(super) async fn found(&self) -> Vec<Found> {
        let mut last = self.last.lock().await;
        match &*last {
            Some((at, found)) if at.elapsed() < FRESH => found.clone(),
            Some(_) | None => {
                let found = discover(self.places.clone()).await;
                *last = Some((Instant::now(), found.clone()));
                found
            }
        }
    }

    /// What the last look found; nothing while one runs.
    pub(super) fn known(&self) -> Vec<Found> {
        let last = self.last.try_lock();
        last.ok().and_then(|last| last.as_ref().map(|(_, found)| found.clone())).unwrap_or_default()
    }

    /// What is there now.
    pub(super) async fn look(&self) -> Vec<Found> {
        *self.last.lock().await = None;
        self.found().await
    }
}
