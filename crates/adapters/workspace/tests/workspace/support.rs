//! Doubles and fixtures: a directory of blobs, and repositories made with `git`.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use edgecoder_base::{BlobHash, Blobs, Change, Manifest, Omission, OmissionReason, Patch};
use edgecoder_workspace::{Error, FreezeOptions, Frozen, freeze};
use tempfile::TempDir;

/// A new directory in memory where there is such a place: thousands of files are slow on some disks.
pub(crate) fn scratch() -> TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory).unwrap() } else { tempfile::tempdir().unwrap() }
}

/// Blobs as plain files, placed by hard link.
#[derive(Debug)]
pub(crate) struct DirBlobs(pub(crate) TempDir);

impl DirBlobs {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, hash: &BlobHash) -> PathBuf {
        self.0.path().join(hash.to_string())
    }
}

impl Blobs for DirBlobs {
    fn contains(&self, hash: &BlobHash) -> bool {
        self.path(hash).is_file()
    }

    fn read(&self, hash: &BlobHash) -> io::Result<Vec<u8>> {
        let bytes = std::fs::read(self.path(hash))?;
        if BlobHash::of(&bytes) == *hash { Ok(bytes) } else { Err(io::ErrorKind::InvalidData.into()) }
    }

    fn write(&self, bytes: &[u8]) -> io::Result<BlobHash> {
        let hash = BlobHash::of(bytes);
        if !self.contains(&hash) {
            let temporary = tempfile::NamedTempFile::new_in(self.0.path())?;
            std::fs::write(temporary.path(), bytes)?;
            temporary.persist(self.path(&hash))?;
        }
        Ok(hash)
    }

    fn place(&self, hash: &BlobHash, to: &Path) -> io::Result<()> {
        std::fs::hard_link(self.path(hash), to)
    }
}

/// A live directory with some blobs to freeze it into.
#[derive(Debug)]
pub(crate) struct Live {
    pub(crate) dir: TempDir,
    pub(crate) blobs: DirBlobs,
}

impl Live {
    /// A plain folder with these files.
    pub(crate) fn folder(files: &[(&str, &str)]) -> Self {
        let live = Self { dir: tempfile::tempdir().unwrap(), blobs: DirBlobs::new() };
        for (path, text) in files {
            live.write(path, text);
        }
        live
    }

    /// A git repository with these files, all of them tracked.
    pub(crate) fn repository(files: &[(&str, &str)]) -> Self {
        let live = Self::folder(files);
        live.git(&["init", "-q"]);
        live.git(&["add", "-f", "."]);
        live
    }

    pub(crate) fn root(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.root().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub(crate) fn git(&self, args: &[&str]) {
        git(self.root(), args);
    }

    pub(crate) fn try_freeze(&self, options: &FreezeOptions) -> Result<Frozen, Error> {
        freeze(self.root(), options, &self.blobs)
    }

    pub(crate) fn freeze(&self) -> Frozen {
        self.try_freeze(&FreezeOptions::default()).unwrap()
    }

    /// Every file below the root with its content, `.git` left aside.
    pub(crate) fn contents(&self) -> BTreeMap<String, String> {
        contents(self.root())
    }
}

pub(crate) fn git(dir: &Path, args: &[&str]) {
    let output = Command::new("git")
        .args(["-c", "user.name=t", "-c", "user.email=t@example.org"])
        .args(args)
        .current_dir(dir)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .output()
        .unwrap();
    assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
}

pub(crate) fn contents(root: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut pending = vec![root.to_owned()];
    while let Some(dir) = pending.pop() {
        for entry in std::fs::read_dir(&dir).unwrap().map(Result::unwrap) {
            let path = entry.path();
            if entry.file_name() == ".git" {
                continue;
            } else if entry.file_type().unwrap().is_dir() {
                pending.push(path);
            } else {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                found.insert(name, String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned());
            }
        }
    }
    found
}

pub(crate) fn paths(frozen: &Frozen) -> Vec<&str> {
    frozen.manifest.files.iter().map(|file| file.path.as_str()).collect()
}

pub(crate) fn omitted(frozen: &Frozen) -> Vec<(&str, OmissionReason)> {
    frozen.omitted.iter().map(|Omission { path, reason, .. }| (path.as_str(), *reason)).collect()
}

/// A patch from (path, old, new) rows.
pub(crate) fn patch(rows: &[(&str, Option<&str>, Option<&str>)]) -> Patch {
    let mut patch = Patch::default();
    for (path, before, after) in rows {
        let before = before.map(|text| BlobHash::of(text.as_bytes()));
        patch.changes.push(Change { path: (*path).into(), before, after: after.map(Into::into) });
    }
    patch
}

/// A manifest of these files, with their blobs.
pub(crate) fn manifest(blobs: &DirBlobs, files: &[(&str, &str)]) -> Manifest {
    let files = files.iter().map(|(path, text)| edgecoder_base::FileEntry {
        path: (*path).into(),
        hash: blobs.write(text.as_bytes()).unwrap(),
        size: text.len() as u64,
        executable: false,
    });
    Manifest { files: files.collect() }
}
