//! Where capsules are kept: contents by their hash, shared among capsules by hard links, and each capsule a folder of its
//! own. Several processes may share one shelf.

mod contents;

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use edgecoder_base::{BlobHash, Timestamp};
use edgecoder_environment::{Baseline, Capsule, Content, Node, Recipe, TreeEntry};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::archive::{self, Entry};
use crate::{Error, pack};
use contents::Contents;

/// Folders of the shelf.
const CAPSULES: &str = "capsules";
const STAGING: &str = "staging";
/// Held by all who use the shelf; alone by who removes.
const LOCK: &str = "lock";
/// Files of a capsule's folder.
const CARD: &str = "card.json";
const DOCUMENT: &str = "capsule.json";
const MARK: &str = "mark.json";
const TREE: &str = "tree";

/// What a capsule is, without its thousands of files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Card {
    /// What it was made from.
    pub recipe: Recipe,
    /// Bytes of its files.
    pub bytes: u64,
    /// Files and links.
    pub entries: u64,
    /// Where it came from.
    pub origin: Origin,
    /// When it came.
    pub at: Timestamp,
}

/// Where a capsule came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Built here.
    Built,
    /// From a pack: whoever made it decides what its programs do.
    Imported,
}

/// What a run of a verifier said of a capsule on this machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mark {
    /// The verdict; none where somebody allowed the capsule without one.
    pub baseline: Option<Baseline>,
    /// The command that ran.
    pub verifier: String,
    /// The end of what it said.
    pub said: String,
    /// Whether a person allowed its use whatever the verdict.
    pub allowed: bool,
    /// When.
    pub at: Timestamp,
}

impl Mark {
    /// Whether attempts may be shown the capsule.
    pub fn is_usable(&self) -> bool {
        self.allowed || self.baseline.is_some_and(Baseline::is_usable)
    }
}

/// A capsule on the shelf.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Its name.
    pub hash: BlobHash,
    /// What it is.
    pub card: Card,
    /// What a run said of it here.
    pub mark: Option<Mark>,
    /// Its tree, to be shown to runs. Its files share storage with other capsules: read only.
    pub tree: PathBuf,
}

/// A directory of capsules.
#[derive(Debug, Clone)]
pub struct Shelf {
    dir: PathBuf,
    contents: Contents,
}

impl Shelf {
    /// Opens or makes the shelf in `dir`.
    pub fn open(dir: impl Into<PathBuf>) -> Result<Self, Error> {
        let dir = dir.into();
        for part in [CAPSULES, STAGING] {
            let part = dir.join(part);
            fs::create_dir_all(&part).map_err(Error::io("create", part))?;
        }
        Ok(Self { contents: Contents::open(dir.join("contents"))?, dir })
    }

    /// Keeps what a build left: a tar archive of the tree, as our own command writes it.
    pub fn keep(&self, recipe: Recipe, tar: &[u8], most: u64, at: Timestamp) -> Result<Kept, Error> {
        let _shared = self.lock(false)?;
        let mut tree = Vec::new();
        let mut bytes_in_all: u64 = 0;
        for entry in archive::entries(tar)? {
            let entry = match entry {
                Entry::Link { path, target } => TreeEntry { path, node: Node::Link(target) },
                Entry::File { path, bytes, executable } => {
                    let size = bytes.len() as u64;
                    bytes_in_all = bytes_in_all.saturating_add(size);
                    if bytes_in_all > most {
                        return Err(Error::TooLarge { bytes: bytes_in_all, most });
                    }
                    let content = Content { hash: BlobHash::of(bytes), size, executable };
                    self.contents.write(&content.hash, bytes, executable)?;
                    TreeEntry { path, node: Node::File(content) }
                }
            };
            tree.push(entry);
        }
        self.lay_out(&Capsule::new(recipe, tree)?, Origin::Built, at)
    }

    /// Writes a capsule as one file.
    pub fn export(&self, hash: &BlobHash, to: &mut impl Write) -> Result<(), Error> {
        let _shared = self.lock(false)?;
        let path = self.folder(hash).join(DOCUMENT);
        let document = fs::read(&path).map_err(missing(hash, "read", &path))?;
        if BlobHash::of(&document) != *hash {
            return Err(Error::Damaged(*hash));
        }
        let capsule = Capsule::from_bytes(&document)?;
        pack::write(&capsule, |content| self.contents.read(&content.hash, content.executable), to)
    }

    /// Keeps the capsule of a pack, if it is the one that is expected, at most `most` bytes large, and unchanged.
    pub fn import(
        &self,
        from: &mut impl Read,
        expected: Option<BlobHash>,
        most: u64,
        at: Timestamp,
    ) -> Result<Kept, Error> {
        let _shared = self.lock(false)?;
        let keep =
            |content: &Content, bytes: &[u8]| self.contents.write(&content.hash, bytes, content.executable);
        let capsule = pack::read(from, expected, most, keep)?;
        self.lay_out(&capsule, Origin::Imported, at)
    }

    /// All capsules, newest first.
    pub fn list(&self) -> Result<Vec<Kept>, Error> {
        let dir = self.dir.join(CAPSULES);
        let mut all = Vec::new();
        for entry in fs::read_dir(&dir).map_err(Error::io("list", &dir))? {
            let entry = entry.map_err(Error::io("list", &dir))?;
            let Some(hash) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
            all.extend(self.get(&hash)?);
        }
        all.sort_by_key(|kept| (std::cmp::Reverse(kept.card.at), kept.hash));
        Ok(all)
    }

    /// Capsules of this recipe, newest first.
    pub fn find(&self, identity: &BlobHash) -> Result<Vec<Kept>, Error> {
        let mut found = self.list()?;
        found.retain(|kept| kept.card.recipe.identity() == *identity);
        Ok(found)
    }

    /// The capsule of this name, if it is here.
    pub fn get(&self, hash: &BlobHash) -> Result<Option<Kept>, Error> {
        let folder = self.folder(hash);
        let Some(card) = read_json(&folder.join(CARD))? else { return Ok(None) };
        Ok(Some(Kept { hash: *hash, card, mark: read_json(&folder.join(MARK))?, tree: folder.join(TREE) }))
    }

    /// Writes down what a run said of a capsule.
    pub fn mark(&self, hash: &BlobHash, mark: &Mark) -> Result<(), Error> {
        let folder = self.folder(hash);
        if !folder.is_dir() {
            return Err(Error::Missing(*hash));
        }
        self.write_json(&folder.join(MARK), mark)
    }

    /// Removes a capsule, and contents that no other capsule has. Returns how many bytes of contents went. Runs that are
    /// shown it lose it.
    pub fn remove(&self, hash: &BlobHash) -> Result<u64, Error> {
        let _alone = self.lock(true)?;
        let folder = self.folder(hash);
        let grave = self.staging()?;
        fs::rename(&folder, grave.path().join("gone")).map_err(missing(hash, "move away", &folder))?;
        let place = grave.path().to_owned();
        grave.close().map_err(Error::io("remove", place))?;
        self.contents.sweep()
    }

    /// Builds the folder beside its place and renames it there, when all of it is on the disk.
    fn lay_out(&self, capsule: &Capsule, origin: Origin, at: Timestamp) -> Result<Kept, Error> {
        let hash = capsule.hash();
        if let Some(kept) = self.get(&hash)? {
            return Ok(kept);
        }
        let staging = self.staging()?;
        let folder = staging.path().join("capsule");
        let tree = folder.join(TREE);
        fs::create_dir_all(&tree).map_err(Error::io("create", &tree))?;
        self.lay_tree(&tree, capsule)?;
        let card = Card {
            recipe: capsule.recipe.clone(),
            bytes: capsule.size(),
            entries: capsule.tree.len() as u64,
            origin,
            at,
        };
        let document = folder.join(DOCUMENT);
        fs::write(&document, capsule.to_bytes()).map_err(Error::io("write", &document))?;
        self.write_json(&folder.join(CARD), &card)?;
        let disk = File::open(&self.dir).and_then(|dir| Ok(rustix::fs::syncfs(dir)?));
        disk.map_err(Error::io("flush", &self.dir))?;
        match fs::rename(&folder, self.folder(&hash)) {
            Ok(()) => {}
            // Somebody else was quicker with the same.
            Err(_) if self.folder(&hash).is_dir() => {}
            Err(error) => return Err(Error::io("move in place", folder)(error)),
        }
        self.get(&hash)?.ok_or(Error::Missing(hash))
    }

    /// A checked document: no path of it leads over a link, and every folder is made here.
    fn lay_tree(&self, tree: &Path, capsule: &Capsule) -> Result<(), Error> {
        let mut folders = BTreeSet::new();
        for entry in &capsule.tree {
            folders.extend(entry.path.match_indices('/').map(|(at, _)| &entry.path[..at]));
        }
        for folder in folders {
            let path = tree.join(folder);
            fs::create_dir(&path).map_err(Error::io("create", path))?;
        }
        for entry in &capsule.tree {
            let to = tree.join(&entry.path);
            match &entry.node {
                Node::Link(target) => symlink(target, &to).map_err(Error::io("link", to))?,
                Node::File(content) => self.contents.place(&content.hash, content.executable, &to)?,
            }
        }
        Ok(())
    }

    fn folder(&self, hash: &BlobHash) -> PathBuf {
        self.dir.join(CAPSULES).join(hash.to_string())
    }

    fn staging(&self) -> Result<tempfile::TempDir, Error> {
        let dir = self.dir.join(STAGING);
        tempfile::tempdir_in(&dir).map_err(Error::io("create", dir))
    }

    fn write_json(&self, path: &Path, value: &impl Serialize) -> Result<(), Error> {
        let text = serde_json::to_vec_pretty(value).unwrap_or_default();
        let write = || {
            let mut file = tempfile::NamedTempFile::new_in(self.dir.join(STAGING))?;
            file.write_all(&text)?;
            file.as_file().sync_data()?;
            file.persist(path).map_err(|error| error.error)
        };
        write().map(drop).map_err(Error::io("write", path))
    }

    /// Released when it is dropped, and with the process.
    fn lock(&self, alone: bool) -> Result<File, Error> {
        let path = self.dir.join(LOCK);
        let open = || {
            let file = File::options().create(true).truncate(false).write(true).open(&path)?;
            if alone {
                file.lock()?
            } else {
                file.lock_shared()?
            }
            Ok(file)
        };
        open().map_err(Error::io("lock", &path))
    }
}

fn missing(hash: &BlobHash, doing: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Error {
    let (hash, path) = (*hash, path.to_owned());
    move |error| {
        let gone = error.kind() == std::io::ErrorKind::NotFound;
        if gone { Error::Missing(hash) } else { Error::io(doing, path)(error) }
    }
}

/// None when there is no such file.
fn read_json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, Error> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::io("read", path)(error)),
    };
    serde_json::from_slice(&text).map(Some).map_err(|error| Error::io("read", path)(error.into()))
}

#[cfg(test)]
mod tests;
