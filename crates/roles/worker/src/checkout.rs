//! The working copy of an attempt: its snapshot with the proven patches beneath it, fetched, checked and laid
//! out read-only.

use std::sync::Arc;

use edgecoder_base::{BlobHash, Blobs, Manifest, Patch};
use edgecoder_protocol::Assignment;
use edgecoder_sandbox::JobFile;
use edgecoder_workspace::{Tree, patch};
use futures::stream::{self, TryStreamExt};
use tokio_util::sync::CancellationToken;

use crate::Deps;
use crate::capsule::{Furnishing, On};
use crate::error::{Error, blocking, disk};

/// Blobs fetched at once from a coordinator on another machine.
const FETCHES: usize = 8;

/// A laid-out working copy.
#[derive(Debug, Clone)]
pub(crate) struct Checkout {
    /// The tree, kept in the cache while this lives.
    pub(crate) tree: Arc<Tree>,
    /// What it contains.
    pub(crate) manifest: Arc<Manifest>,
    /// What the snapshot contained before the patches beneath.
    pub(crate) original: Arc<Manifest>,
    /// The patches beneath, as one against the snapshot.
    pub(crate) beneath: Patch,
    /// The capsules that its runs are shown.
    pub(crate) furnishing: Furnishing,
}

impl Checkout {
    pub(crate) async fn lay_out(
        deps: &Deps,
        assignment: &Assignment,
        stop: &CancellationToken,
    ) -> Result<Self, Error> {
        let snapshot = assignment.snapshot.ok_or(Error::Assignment("it has no snapshot"))?;
        fetch(deps, &[snapshot]).await?;
        fetch(deps, &assignment.base).await?;
        let blobs = Arc::clone(&deps.blobs);
        let base = assignment.base.clone();
        let (original, manifest, beneath) = blocking("reading the snapshot", move || {
            let original = read_manifest(&*blobs, &snapshot)?;
            let (mut manifest, mut beneath) = (original.clone(), Patch::default());
            for hash in &base {
                let patch = read_patch(&*blobs, hash)?;
                manifest = patch::apply_to_manifest(&manifest, &patch, &*blobs)?;
                for change in patch.changes {
                    beneath.set(&change.path, change.before, change.after);
                }
            }
            Ok((original, manifest, beneath))
        })
        .await?;
        let wanted: Vec<BlobHash> = manifest.files.iter().map(|file| file.hash).collect();
        fetch(deps, &wanted).await?;
        let (trees, blobs) = (deps.trees.clone(), Arc::clone(&deps.blobs));
        let (tree, manifest) = blocking("laying out the tree", move || {
            let tree = trees.materialise(&manifest, &*blobs)?;
            Ok((tree, manifest))
        })
        .await?;
        let (tree, manifest, original) = (Arc::new(tree), Arc::new(manifest), Arc::new(original));
        // By the tree that is worked on: where patches beneath change lock files, another capsule is right.
        let (verifier, min_level) = (assignment.verifier.as_ref(), assignment.min_level);
        let on = On { manifest: &manifest, tree: tree.path(), verifier, min_level };
        let furnishing = Furnishing::choose(deps, on, stop).await?;
        Ok(Self { tree, manifest, original, beneath, furnishing })
    }

    /// The files of a patch as the sandbox lays them over the tree.
    pub(crate) fn files(&self, patch: &Patch) -> Vec<JobFile> {
        let file = |change: &edgecoder_base::Change| JobFile {
            path: change.path.clone(),
            content: change.after.clone().map(String::into_bytes),
            executable: self.manifest.get(&change.path).is_some_and(|file| file.executable),
        };
        patch.changes.iter().map(file).collect()
    }
}

/// Makes sure that blobs are here. With a shared directory they are.
pub(crate) async fn fetch(deps: &Deps, hashes: &[BlobHash]) -> Result<(), Error> {
    let missing: Vec<BlobHash> = hashes.iter().filter(|hash| !deps.blobs.contains(hash)).copied().collect();
    stream::iter(missing.into_iter().map(Ok))
        .try_for_each_concurrent(FETCHES, |hash| async move {
            let bytes = deps.source.fetch_blob(hash).await?;
            if BlobHash::of(&bytes) != hash {
                return Err(Error::Assignment("a blob does not have the content its name says"));
            }
            let blobs = Arc::clone(&deps.blobs);
            blocking("keeping a blob", move || {
                blobs.write(&bytes).map(|_| ()).map_err(disk("keeping a blob"))
            })
            .await
        })
        .await
}

/// Keeps a blob here and hands it to the coordinator unless it reads the same directory.
pub(crate) async fn keep(deps: &Deps, shared: bool, bytes: Vec<u8>) -> Result<BlobHash, Error> {
    if !shared {
        deps.source.put_blob(bytes.clone()).await?;
    }
    let blobs = Arc::clone(&deps.blobs);
    blocking("keeping a blob", move || blobs.write(&bytes).map_err(disk("keeping a blob"))).await
}

fn read_manifest(blobs: &dyn Blobs, hash: &BlobHash) -> Result<Manifest, Error> {
    let bytes = blobs.read(hash).map_err(disk("reading the snapshot"))?;
    Manifest::from_bytes(&bytes).map_err(|error| Error::Workspace(error.into()))
}

/// A patch from a blob, checked.
pub(crate) fn read_patch(blobs: &dyn Blobs, hash: &BlobHash) -> Result<Patch, Error> {
    let bytes = blobs.read(hash).map_err(disk("reading a patch"))?;
    Patch::from_bytes(&bytes).map_err(|error| Error::Workspace(error.into()))
}
