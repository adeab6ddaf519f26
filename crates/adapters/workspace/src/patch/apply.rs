//! Applies a patch to the live directory, all or nothing. New contents are written beside the old ones,
//! then moved in place one rename each; the old ones wait beside until all is done and go back if it fails.

use std::collections::BTreeSet;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::path::Path;

use edgecoder_base::snapshot::limits;
use edgecoder_base::{BlobHash, Change, Patch};
use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;

use super::check_paths;
use crate::Error;
use crate::beneath::{Found, Root};

/// Start of the names of files that exist only while a patch is applied.
const BESIDE: &str = ".edgecoder-";

/// What `apply_to_directory` does after the checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApplyMode {
    /// Nothing: only tell whether it would work.
    Check,
    /// Change the files.
    Write,
}

/// Applies `patch` to the files below `root`. Every touched path must still be what the patch was made
/// against (`Error::Dirty` names all that are not), and no component may be a link. Permission bits stay.
pub fn apply_to_directory(root: &Path, patch: &Patch, mode: ApplyMode) -> Result<(), Error> {
    check_paths(patch)?;
    let root = Root::open(root)?;
    let modes = check_clean(&root, patch)?;
    if mode == ApplyMode::Check {
        return Ok(());
    }
    let mut apply = Apply { root: &root, made_folders: Vec::new(), steps: Vec::new() };
    let outcome = apply.stage(patch, &modes).and_then(|()| apply.commit());
    match outcome {
        Ok(()) => {
            apply.clean_up();
            Ok(())
        }
        Err(error) => Err(apply.roll_back(error)),
    }
}

/// The permission bits of every touched file that exists.
fn check_clean(root: &Root, patch: &Patch) -> Result<Vec<Option<u32>>, Error> {
    let mut dirty = Vec::new();
    let mut modes = Vec::new();
    for change in &patch.changes {
        let found = root.read(Path::new(&change.path), limits::MAX_FILE_BYTES);
        let found = found.map_err(Error::io("read", root.path().join(&change.path)))?;
        let (hash, mode) = match found {
            Found::File { bytes, mode } => (Some(BlobHash::of(&bytes)), Some(mode)),
            Found::Missing if !below_a_file(root, &change.path) => (None, None),
            Found::Missing | Found::NotRegular | Found::TooLarge(_) => {
                dirty.push(change.path.clone());
                continue;
            }
        };
        if hash != change.before {
            dirty.push(change.path.clone());
        }
        modes.push(mode);
    }
    if dirty.is_empty() { Ok(modes) } else { Err(Error::Dirty { paths: dirty }) }
}

/// Whether a parent of `path` exists and is no folder.
fn below_a_file(root: &Root, path: &str) -> bool {
    path.match_indices('/')
        .any(|(at, _)| matches!(root.open_dir(Path::new(&path[..at])), Err(errno) if errno != Errno::NOENT))
}

/// One change on its way.
struct Step {
    path: String,
    parent: OwnedFd,
    name: String,
    before: Option<BlobHash>,
    /// The new content, not yet in place.
    staged: Option<String>,
    /// The old content, moved aside.
    aside: Option<String>,
    deletes: bool,
    /// The name no longer has what it had when we started.
    touched: bool,
}

struct Apply<'a> {
    root: &'a Root,
    /// Folders made for new files, outermost first.
    made_folders: Vec<String>,
    steps: Vec<Step>,
}

impl Apply<'_> {
    fn stage(&mut self, patch: &Patch, modes: &[Option<u32>]) -> Result<(), Error> {
        for (index, (change, mode)) in patch.changes.iter().zip(modes).enumerate() {
            if change.before.is_none() && change.after.is_none() {
                continue;
            }
            let (folder, name) = change.path.rsplit_once('/').unwrap_or(("", &change.path));
            let parent = self.folder(folder)?;
            let mut step = Step {
                path: change.path.clone(),
                parent,
                name: name.to_owned(),
                before: change.before,
                staged: None,
                aside: None,
                deletes: change.after.is_none(),
                touched: false,
            };
            let staged = step.write_beside(change, index, *mode);
            self.steps.push(step);
            staged.map_err(Error::io("write beside", self.root.path().join(&change.path)))?;
        }
        Ok(())
    }

    /// Opens the folder at `path`, making what is missing.
    fn folder(&mut self, path: &str) -> Result<OwnedFd, Error> {
        let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
        let mut fd = self.open(Path::new(""))?;
        for end in ends.filter(|end| *end > 0) {
            let part = &path[..end];
            let name = part.rsplit('/').next().unwrap_or(part);
            match rustix::fs::mkdirat(&fd, name, Mode::from_raw_mode(0o777)) {
                Ok(()) => self.made_folders.push(part.to_owned()),
                Err(Errno::EXIST) => {}
                Err(errno) => return Err(Error::io("create", self.root.path().join(part))(errno.into())),
            }
            fd = self.open(Path::new(part))?;
        }
        Ok(fd)
    }

    fn open(&self, path: &Path) -> Result<OwnedFd, Error> {
        let failed = Error::io("open", self.root.path().join(path));
        self.root.open_dir(path).map_err(|errno| failed(errno.into()))
    }

    fn commit(&mut self) -> Result<(), Error> {
        for (index, step) in self.steps.iter_mut().enumerate() {
            let failed = Error::io("replace", self.root.path().join(&step.path));
            if !step.replace(index).map_err(|errno| failed(errno.into()))? {
                return Err(Error::Dirty { paths: vec![step.path.clone()] });
            }
        }
        Ok(())
    }

    /// Success: the old contents go, and so do folders that a deletion left empty, as git does it.
    fn clean_up(self) {
        let mut emptied = BTreeSet::new();
        for step in &self.steps {
            if let Some(aside) = &step.aside {
                // Left behind it is litter, not damage: the patch is applied.
                let _ = rustix::fs::unlinkat(&step.parent, aside, AtFlags::empty());
            }
            if step.deletes {
                emptied.extend(step.path.match_indices('/').map(|(at, _)| step.path[..at].to_owned()));
            }
        }
        // Deepest first; a folder that still holds something refuses.
        for folder in emptied.iter().rev() {
            self.remove_folder(folder);
        }
    }

    /// Puts every old content back and removes what was made.
    fn roll_back(self, cause: Error) -> Error {
        let mut kept = Vec::new();
        for step in self.steps.iter().rev() {
            if step.undo().is_err() {
                kept.push(step.path.clone());
            }
        }
        for folder in self.made_folders.iter().rev() {
            self.remove_folder(folder);
        }
        if kept.is_empty() { cause } else { Error::RollbackFailed { kept, source: Box::new(cause) } }
    }

    fn remove_folder(&self, path: &str) {
        let (above, name) = path.rsplit_once('/').unwrap_or(("", path));
        if let Ok(above) = self.root.open_dir(Path::new(above)) {
            // Not empty: then it is not ours to remove.
            let _ = rustix::fs::unlinkat(above, name, AtFlags::REMOVEDIR);
        }
    }
}

impl Step {
    fn write_beside(&mut self, change: &Change, index: usize, mode: Option<u32>) -> std::io::Result<()> {
        let Some(text) = &change.after else { return Ok(()) };
        let name = format!("{BESIDE}{}-{index}.new", std::process::id());
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(&self.parent, &name, flags, Mode::from_raw_mode(0o666))?;
        self.staged = Some(name);
        let mut file = std::fs::File::from(fd);
        file.write_all(text.as_bytes())?;
        if let Some(mode) = mode {
            rustix::fs::fchmod(&file, Mode::from_raw_mode(mode))?;
        }
        // On disk before the rename: a power loss must not leave an empty file under the old name.
        file.sync_all()
    }

    /// Moves the old content aside and the new one in place. False: the old content is not what it was.
    fn replace(&mut self, index: usize) -> Result<bool, Errno> {
        if let Some(before) = self.before {
            let aside = self.keep_aside(index)?;
            if self.hash_of(&aside) != Some(before) {
                return Ok(false);
            }
        }
        match self.staged.take() {
            Some(staged) => {
                let placed = self.place(&staged);
                if placed.is_err() {
                    self.staged = Some(staged);
                }
                placed?;
            }
            None if !self.touched => rustix::fs::unlinkat(&self.parent, &self.name, AtFlags::empty())?,
            None => {}
        }
        self.touched = true;
        Ok(true)
    }

    fn place(&self, staged: &str) -> Result<(), Errno> {
        if self.before.is_none() {
            // A link, unlike a rename, refuses to replace what appeared meanwhile.
            match rustix::fs::linkat(&self.parent, staged, &self.parent, &self.name, AtFlags::empty()) {
                Ok(()) => return rustix::fs::unlinkat(&self.parent, staged, AtFlags::empty()),
                Err(errno) if !has_no_links(errno) => return Err(errno),
                Err(_) => {}
            }
        }
        rustix::fs::renameat(&self.parent, staged, &self.parent, &self.name)
    }

    /// A second name for the old content, so that the path is never without a file; where the file system
    /// has no hard links, its only name for a moment.
    fn keep_aside(&mut self, index: usize) -> Result<String, Errno> {
        let aside = format!("{BESIDE}{}-{index}.old", std::process::id());
        match rustix::fs::linkat(&self.parent, &self.name, &self.parent, &aside, AtFlags::empty()) {
            Err(errno) if has_no_links(errno) => {
                rustix::fs::renameat(&self.parent, &self.name, &self.parent, &aside)?;
                self.touched = true;
            }
            other => other?,
        }
        self.aside = Some(aside.clone());
        Ok(aside)
    }

    fn hash_of(&self, name: &str) -> Option<BlobHash> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(&self.parent, name, flags, Mode::empty()).ok()?;
        match crate::beneath::read_regular(fd, limits::MAX_FILE_BYTES).ok()? {
            Found::File { bytes, .. } => Some(BlobHash::of(&bytes)),
            Found::TooLarge(_) | Found::NotRegular | Found::Missing => None,
        }
    }

    fn undo(&self) -> Result<(), Errno> {
        match &self.aside {
            Some(aside) if self.touched => {
                rustix::fs::renameat(&self.parent, aside, &self.parent, &self.name)?;
            }
            Some(aside) => rustix::fs::unlinkat(&self.parent, aside, AtFlags::empty())?,
            None if self.touched => rustix::fs::unlinkat(&self.parent, &self.name, AtFlags::empty())?,
            None => {}
        }
        match &self.staged {
            Some(staged) => rustix::fs::unlinkat(&self.parent, staged, AtFlags::empty()),
            None => Ok(()),
        }
    }
}

/// Whether a file system says that it cannot make hard links.
fn has_no_links(errno: Errno) -> bool {
    [Errno::PERM, Errno::OPNOTSUPP, Errno::NOSYS, Errno::MLINK].contains(&errno)
}
