//! Capsules of dependencies: how they are made, in a workshop of the sandbox, and how an attempt comes to the ones that
//! fit its snapshot. What is decided about them stands in the rules; what is kept, on the shelf.

mod build;
mod furnish;
mod tools;
mod trial;

use std::sync::Arc;

use edgecoder_base::{Blobs, Manifest};
use edgecoder_capsules::Shelf;
use edgecoder_environment::{Ingredients, ingredients};
use edgecoder_sandbox::Shown;

pub use build::{Bounds, Builder, Built, Planned};
pub use edgecoder_capsules::{Error as ShelfError, Kept, Mark, Origin, Shelf as CapsuleShelf};
pub use edgecoder_environment::{Baseline, Host, Kind, Note, Recipe, SourceError, Sources, Tool};
pub use edgecoder_sandbox::Traffic;
pub(crate) use furnish::{Furnishing, On};
use tools::Tools;

use crate::error::Error;

/// Largest input that is read: the lock file of a very large project has a tenth of it.
const MAX_TEXT_BYTES: u64 = 16 << 20;

/// The capsules that attempts on this machine may be shown.
#[derive(Debug, Clone)]
pub struct Capsules {
    shelf: Shelf,
    tools: Arc<Tools>,
}

impl Capsules {
    /// Those on `shelf`.
    pub fn new(shelf: Shelf) -> Self {
        Self { shelf, tools: Arc::default() }
    }
}

/// What of a snapshot capsules are made from. Reads blobs: call it from a blocking section.
fn read_ingredients(manifest: &Manifest, blobs: &dyn Blobs) -> Vec<Ingredients> {
    ingredients(manifest, &|path| {
        let file = manifest.get(path).filter(|file| file.size <= MAX_TEXT_BYTES)?;
        String::from_utf8(blobs.read(&file.hash).ok()?).ok()
    })
}

/// A capsule as the sandbox shows it.
fn shown(kept: &Kept) -> Shown {
    let environment = kept.card.recipe.environment();
    Shown {
        from: kept.tree.clone(),
        at: kept.card.recipe.kind.mount().to_owned(),
        links: environment.links,
        path: environment.path,
    }
}

/// An error of the shelf is one of this machine's disk.
fn shelf(doing: &'static str) -> impl Fn(edgecoder_capsules::Error) -> Error {
    move |error| {
        let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
        Error::Disk { doing, source: std::io::Error::other(format!("{error}{cause}")) }
    }
}

/// Operating system and processor, as they stand in recipes.
fn platform() -> String {
    format!("{}-{}", std::env::consts::OS, std::env::consts::ARCH)
}
