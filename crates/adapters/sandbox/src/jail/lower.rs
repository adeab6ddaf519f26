//! The read-only tree under `/job`, in a form that the payload owns.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use rustix::fs::CWD;
use rustix::mount::{OpenTreeFlags, open_tree};

use super::During;
use super::files::Laid;
use super::ids::Ids;
use super::sys;
use crate::launch::Failure;

/// How the tree reaches `/job`.
#[derive(Debug)]
pub(super) enum Lower {
    /// A detached mount whose ids are already the payload's.
    Mount(OwnedFd),
    /// A directory that already belongs to the payload's host id; the first process opens it, for a
    /// descriptor from another mount namespace cannot be mounted.
    Folder,
    /// Neither is possible here: the files themselves, to be written like the job's own.
    Copy(Vec<Laid>),
}

/// Prepares the tree at `root`. Copying is the last resort: it costs time and memory, but confines as well.
pub(super) fn prepare(root: &Path, ids: &Ids) -> Result<Lower, Failure> {
    let owner = fs::metadata(root).during_job("reading the tree")?;
    if ids.root_inside {
        if let Ok(mount) = shown_as_payload(root, &owner, ids) {
            return Ok(Lower::Mount(mount));
        }
    } else if owner.uid() == ids.host_payload().0 {
        return Ok(Lower::Folder);
    }
    copied(root)
}

/// The tree as files in memory, when overlay itself is refused.
pub(super) fn copied(root: &Path) -> Result<Lower, Failure> {
    let mut files = Vec::new();
    read_tree(root, "", &mut files).during_job("copying the tree")?;
    Ok(Lower::Copy(files))
}

fn shown_as_payload(root: &Path, owner: &fs::Metadata, ids: &Ids) -> io::Result<OwnedFd> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    let mount = open_tree(CWD, root, flags)?;
    sys::idmap(&mount, ids.showing(owner.uid(), owner.gid())?)?;
    Ok(mount)
}

fn read_tree(folder: &Path, prefix: &str, files: &mut Vec<Laid>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let (kind, name) = (entry.file_type()?, entry.file_name());
        // Snapshots hold UTF-8 names and no links; what else lies here is not part of one.
        let Some(name) = name.to_str() else { continue };
        let path = format!("{prefix}{name}");
        if kind.is_dir() {
            read_tree(&entry.path(), &format!("{path}/"), files)?;
        } else if kind.is_file() {
            let mode = entry.metadata()?.permissions().mode() & 0o777;
            files.push(Laid { path, content: Some(fs::read(entry.path())?), mode });
        }
    }
    Ok(())
}
