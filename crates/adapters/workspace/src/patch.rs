//! Patches against snapshots: does one fit, what snapshot does it make, how does it read. A patch is exact,
//! so every question has one answer.

mod apply;
mod diff;

use std::collections::BTreeMap;

use edgecoder_base::snapshot::{ManifestError, PortablePaths, is_safe_path};
use edgecoder_base::{Blobs, Change, FileEntry, Manifest, Patch};

use crate::Error;
use crate::snapshot::keep_blob;

pub use apply::{ApplyMode, apply_to_directory};
pub use diff::{DiffStat, FileStat, diffstat, unified_diff};

/// Whether `patch` fits the snapshot exactly: every touched path has the content it was made against, and
/// afterwards no file stands where a folder is needed.
pub fn check_against(patch: &Patch, manifest: &Manifest) -> Result<(), Error> {
    check_paths(patch)?;
    for change in &patch.changes {
        if manifest.get(&change.path).map(|file| file.hash) != change.before {
            return Err(Error::Stale { path: change.path.clone() });
        }
    }
    check_folders(patch, manifest)?;
    check_twins(patch, manifest)
}

/// The snapshot that `patch` makes of `manifest`. New contents become blobs; the manifest itself does not.
pub fn apply_to_manifest(manifest: &Manifest, patch: &Patch, blobs: &dyn Blobs) -> Result<Manifest, Error> {
    check_against(patch, manifest)?;
    let mut files: BTreeMap<String, FileEntry> =
        manifest.files.iter().map(|file| (file.path.clone(), file.clone())).collect();
    for change in &patch.changes {
        let executable = manifest.get(&change.path).is_some_and(|file| file.executable);
        match &change.after {
            None => drop(files.remove(&change.path)),
            Some(text) => {
                let hash = keep_blob(blobs, text.as_bytes())?;
                let path = change.path.clone();
                files.insert(path.clone(), FileEntry { path, hash, size: text.len() as u64, executable });
            }
        }
    }
    let patched = Manifest { files: files.into_values().collect() };
    patched.check()?;
    Ok(patched)
}

/// Paths safe, sorted and unique, whoever made the patch.
fn check_paths(patch: &Patch) -> Result<(), Error> {
    let mut before: Option<&str> = None;
    for Change { path, .. } in &patch.changes {
        let in_order = before.is_none_or(|before| before < path.as_str());
        if !is_safe_path(path) || names_repository_internals(path) || !in_order {
            return Err(Error::UnsafePath { path: path.clone() });
        }
        before = Some(path);
    }
    Ok(())
}

fn check_folders(patch: &Patch, manifest: &Manifest) -> Result<(), Error> {
    let stands = |path: &str| match patch.get(path) {
        Some(after) => after.is_some(),
        None => manifest.get(path).is_some(),
    };
    for change in patch.changes.iter().filter(|change| change.after.is_some()) {
        let path = &change.path;
        let below_a_file = path.match_indices('/').any(|(at, _)| stands(&path[..at]));
        if below_a_file || holds_files(&format!("{path}/"), patch, manifest) {
            return Err(Error::FileAndFolder { path: path.clone() });
        }
    }
    Ok(())
}

/// A new file may not be one with another where case or composition of letters do not count.
fn check_twins(patch: &Patch, manifest: &Manifest) -> Result<(), Error> {
    let made: Vec<&str> = patch
        .changes
        .iter()
        .filter(|change| change.before.is_none() && change.after.is_some())
        .map(|change| change.path.as_str())
        .collect();
    if made.is_empty() {
        return Ok(());
    }
    let mut taken = PortablePaths::default();
    let kept = manifest.files.iter().map(|file| file.path.as_str());
    kept.filter(|path| patch.get(path) != Some(None)).chain(made).try_for_each(|path| {
        let twins = |other: &str| ManifestError::Twins(other.to_owned(), path.to_owned());
        Ok(taken.take(path).map_err(twins)?)
    })
}

/// Whether, after the patch, any file lies below `folder` (which ends with `/`).
fn holds_files(folder: &str, patch: &Patch, manifest: &Manifest) -> bool {
    let from = manifest.files.partition_point(|file| file.path.as_str() < folder);
    let kept = manifest.files[from..].iter().take_while(|file| file.path.starts_with(folder));
    let mut kept = kept.filter(|file| patch.get(&file.path) != Some(None));
    let from = patch.changes.partition_point(|change| change.path.as_str() < folder);
    let mut made = patch.changes[from..].iter().take_while(|change| change.path.starts_with(folder));
    kept.next().is_some() || made.any(|change| change.after.is_some())
}

/// Whether some file system would read a component as `.git`: HFS+ ignores certain code points, NTFS has
/// short names. Git refuses the same ones.
pub(crate) fn names_repository_internals(path: &str) -> bool {
    path.split('/').any(|part| {
        let plain: String = part.chars().filter(|c| !is_ignored_by_hfs(*c)).collect();
        plain.eq_ignore_ascii_case(".git") || plain.eq_ignore_ascii_case("git~1")
    })
}

fn is_ignored_by_hfs(c: char) -> bool {
    matches!(c, '\u{200c}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{206a}'..='\u{206f}' | '\u{feff}')
}
