//! A person's working directory: frozen into a snapshot, and compared with the patch that is to go into it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use edgecoder_base::Patch;
use edgecoder_store::BlobDir;
use edgecoder_workspace::{FreezeOptions, Frozen, freeze};

use crate::error::Error;

/// Freezes `repo`; the blobs are laid down in `place`.
pub(crate) async fn freeze_on_disk(
    place: PathBuf,
    repo: &Path,
    allow_secrets: Vec<String>,
) -> Result<(Arc<BlobDir>, Frozen), Error> {
    let repo = repo.to_owned();
    let freezing = tokio::task::spawn_blocking(move || {
        let blobs = BlobDir::open(&place).map_err(Error::io("open", &place))?;
        let options = FreezeOptions { allow_secrets, ..FreezeOptions::default() };
        let frozen = freeze(&repo, &options, &blobs)?;
        Ok((Arc::new(blobs), frozen))
    });
    match freezing.await {
        Ok(frozen) => frozen,
        Err(panic) => Err(Error::Role(panic.to_string())),
    }
}

pub(crate) fn paths_of(patch: &Patch) -> Vec<&str> {
    patch.changes.iter().map(|change| change.path.as_str()).collect()
}

/// Whether every file already is what the patch makes of it: applying twice is no mistake. Only compares; the
/// paths were checked for safety when the patch was read.
pub(crate) fn is_in_place(repo: &Path, patch: &Patch) -> bool {
    patch.changes.iter().all(|change| {
        let now = std::fs::read(repo.join(&change.path)).ok();
        now.as_deref() == change.after.as_ref().map(String::as_bytes)
    })
}

/// Patches of several subtasks, made one after the other, as one.
pub(crate) fn together(patches: &[Patch]) -> Patch {
    let mut whole = Patch::default();
    for change in patches.iter().flat_map(|patch| &patch.changes) {
        whole.set(&change.path, change.before, change.after.clone());
    }
    whole
}

#[cfg(test)]
mod tests {
    use edgecoder_base::BlobHash;

    use super::*;

    #[test]
    fn patches_of_a_plan_become_one_from_first_before_to_last_after() {
        let (old, middle) = (BlobHash::of(b"old"), BlobHash::of(b"middle"));
        let mut first = Patch::default();
        first.set("b", Some(old), Some("middle".into()));
        let mut second = Patch::default();
        second.set("a", None, Some("new".into()));
        second.set("b", Some(middle), Some("last".into()));
        let mut whole = Patch::default();
        whole.set("a", None, Some("new".into()));
        whole.set("b", Some(old), Some("last".into()));
        assert_eq!(together(&[first, second]), whole);
    }
}
