//! Installed models: files named by their SHA-256, and an index that gives them names. A model is in the index only
//! when its file is whole and checked; two names of one content share the file.
//!
//! ```text
//! models/  index.json   names, and which of them is chosen
//!          lock         held while the index changes
//!          blobs/       sha256-….gguf, read-only
//!          partial/     downloads on their way, with their journals
//! ```

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use edgecoder_base::Timestamp;
use serde::{Deserialize, Serialize};

use super::digest::Digest;
use super::error::CatalogError;
use super::gguf::Card;
use super::name::ModelName;
use super::suggest::Speed;
use crate::download::{Unfinished, unfinished};

/// Thousands of models fit; a larger index is not ours.
const MAX_INDEX_BYTES: u64 = 16 << 20;
/// Form of the index.
const VERSION: u32 = 1;

/// An installed model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Installed {
    /// Its name here.
    pub name: ModelName,
    /// Its content.
    pub sha256: Digest,
    /// Bytes of the file.
    pub size_bytes: u64,
    /// Where it came from.
    pub source: String,
    /// When it was installed.
    pub added_at: Timestamp,
    /// What its header says.
    pub card: Card,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Index {
    version: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    chosen: Option<ModelName>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    speed: Option<Speed>,
    models: Vec<Installed>,
}

impl Default for Index {
    fn default() -> Self {
        Self { version: VERSION, chosen: None, speed: None, models: Vec::new() }
    }
}

impl Index {
    fn find(&self, name: &ModelName) -> Result<&Installed, CatalogError> {
        let found = self.models.iter().find(|model| model.name == *name);
        found.ok_or_else(|| CatalogError::NotInstalled { name: name.to_string() })
    }

    fn shares(&self, sha256: &Digest) -> bool {
        self.models.iter().any(|model| model.sha256 == *sha256)
    }
}

/// The directory of models.
#[derive(Debug, Clone)]
pub struct ModelStore {
    dir: PathBuf,
}

impl ModelStore {
    /// The models in `dir`, whether it exists or not.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into() }
    }

    /// Where it is.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Where the file of a content lies, or would.
    pub fn path_of(&self, sha256: &Digest) -> PathBuf {
        self.dir.join("blobs").join(format!("sha256-{sha256}.gguf"))
    }

    /// All models, by name.
    pub fn list(&self) -> Result<Vec<Installed>, CatalogError> {
        Ok(self.read()?.models)
    }

    /// One model.
    pub fn get(&self, name: &ModelName) -> Result<Installed, CatalogError> {
        self.read()?.find(name).cloned()
    }

    /// The model that the node is to use.
    pub fn chosen(&self) -> Result<Option<Installed>, CatalogError> {
        let index = self.read()?;
        index.chosen.as_ref().map(|name| index.find(name).cloned()).transpose()
    }

    /// Makes `name` the model that the node is to use.
    pub fn choose(&self, name: &ModelName) -> Result<Installed, CatalogError> {
        self.change(|index| {
            let model = index.find(name)?.clone();
            let path = self.path_of(&model.sha256);
            fs::metadata(&path).map_err(CatalogError::io("read", &path))?;
            index.chosen = Some(name.clone());
            Ok(model)
        })
    }

    /// Back to the model that comes with the program.
    pub fn choose_none(&self) -> Result<(), CatalogError> {
        self.change(|index| {
            index.chosen = None;
            Ok(())
        })
    }

    /// Removes a name, and its file when nobody shares it. Returns the bytes that became free. The chosen model stays
    /// unless `force` says otherwise.
    pub fn remove(&self, name: &ModelName, force: bool) -> Result<u64, CatalogError> {
        self.change(|index| {
            let gone = index.find(name)?.clone();
            if index.chosen.as_ref() == Some(name) {
                if !force {
                    return Err(CatalogError::InUse { name: name.to_string() });
                }
                index.chosen = None;
            }
            index.models.retain(|model| model.name != *name);
            Ok(gone)
        })
        .and_then(|gone| self.sweep(&gone))
    }

    /// What the latest benchmark measured on this machine.
    pub fn speed(&self) -> Result<Option<Speed>, CatalogError> {
        Ok(self.read()?.speed)
    }

    /// Remembers what a benchmark measured, for suggestions.
    pub fn record_speed(&self, speed: Speed) -> Result<(), CatalogError> {
        self.change(|index| {
            index.speed = Some(speed);
            Ok(())
        })
    }

    /// Downloads that were not finished.
    pub fn unfinished(&self) -> Result<Vec<Unfinished>, CatalogError> {
        unfinished(&self.partial())
    }

    /// Refuses a name that stands for something from elsewhere.
    pub(super) fn check_name(&self, name: &ModelName, source: &str) -> Result<(), CatalogError> {
        match self.read()?.models.iter().find(|model| model.name == *name) {
            Some(other) if other.source != source => Err(CatalogError::Taken { name: name.to_string() }),
            Some(_) | None => Ok(()),
        }
    }

    /// An installed model with this content, whatever its name.
    pub(super) fn with_content(&self, sha256: &Digest) -> Result<Option<Installed>, CatalogError> {
        let index = self.read()?;
        let found = index.models.into_iter().find(|model| model.sha256 == *sha256);
        let length =
            |model: &Installed| fs::metadata(self.path_of(&model.sha256)).map(|file| file.len()).ok();
        Ok(found.filter(|model| length(model) == Some(model.size_bytes)))
    }

    /// Installs a checked file, moving it from `from`; without one the content must be there already.
    pub(super) fn adopt(&self, model: &Installed, from: Option<&Path>) -> Result<(), CatalogError> {
        let replaced = self.change(|index| {
            let earlier = index.models.iter().position(|known| known.name == model.name);
            let earlier = earlier.map(|at| index.models.remove(at));
            if earlier.as_ref().is_some_and(|earlier| earlier.source != model.source) {
                return Err(CatalogError::Taken { name: model.name.to_string() });
            }
            if let Some(from) = from {
                self.place(from, &model.sha256)?;
            }
            index.models.push(model.clone());
            index.models.sort_by(|a, b| a.name.cmp(&b.name));
            Ok(earlier)
        })?;
        replaced.map_or(Ok(()), |earlier| self.sweep(&earlier).map(drop))
    }

    /// Where downloads lie; made when missing.
    pub(super) fn prepare(&self) -> Result<PathBuf, CatalogError> {
        for dir in [self.dir.join("blobs"), self.partial()] {
            fs::create_dir_all(&dir).map_err(CatalogError::io("create", &dir))?;
        }
        Ok(self.partial())
    }

    /// Where downloads on their way lie.
    pub(super) fn partial(&self) -> PathBuf {
        self.dir.join("partial")
    }

    fn place(&self, from: &Path, sha256: &Digest) -> Result<(), CatalogError> {
        let to = self.path_of(sha256);
        let place = || {
            let mut permissions = fs::metadata(from)?.permissions();
            permissions.set_readonly(true);
            fs::set_permissions(from, permissions)?;
            fs::rename(from, &to)?;
            sync_dir(&self.dir.join("blobs"))
        };
        place().map_err(CatalogError::io("install", &to))
    }

    /// Removes the file of a model that left the index, unless another name shares it.
    fn sweep(&self, gone: &Installed) -> Result<u64, CatalogError> {
        let _held = self.lock()?;
        if self.read()?.shares(&gone.sha256) {
            return Ok(0);
        }
        let path = self.path_of(&gone.sha256);
        match fs::remove_file(&path) {
            Ok(()) => Ok(gone.size_bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
            Err(source) => Err(CatalogError::Io { doing: "remove", path, source }),
        }
    }

    fn lock(&self) -> Result<File, CatalogError> {
        self.prepare()?;
        let path = self.dir.join("lock");
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(false).open(&path);
        let file = file.map_err(CatalogError::io("open", &path))?;
        // Nobody holds it longer than a rename takes.
        file.lock().map_err(CatalogError::io("lock", &path))?;
        Ok(file)
    }

    fn change<T>(
        &self,
        change: impl FnOnce(&mut Index) -> Result<T, CatalogError>,
    ) -> Result<T, CatalogError> {
        let _held = self.lock()?;
        let mut index = self.read()?;
        let outcome = change(&mut index)?;
        let path = self.index();
        let beside = self.dir.join(".index.json.new");
        let write = || {
            let mut file = File::create(&beside)?;
            file.write_all(&serde_json::to_vec_pretty(&index)?)?;
            file.sync_all()?;
            fs::rename(&beside, &path)?;
            sync_dir(&self.dir)
        };
        write().map_err(CatalogError::io("write", &path))?;
        Ok(outcome)
    }

    fn read(&self) -> Result<Index, CatalogError> {
        let path = self.index();
        let damaged = |reason: String| CatalogError::Index { path: path.clone(), reason };
        let length = match fs::metadata(&path) {
            Ok(metadata) => metadata.len(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Index::default()),
            Err(source) => return Err(CatalogError::Io { doing: "read", path, source }),
        };
        if length > MAX_INDEX_BYTES {
            return Err(damaged(format!("it has {length} bytes")));
        }
        let text = fs::read(&path).map_err(CatalogError::io("read", &path))?;
        let index: Index = serde_json::from_slice(&text).map_err(|error| damaged(error.to_string()))?;
        if index.version == VERSION { Ok(index) } else { Err(damaged(format!("version {}", index.version))) }
    }

    fn index(&self) -> PathBuf {
        self.dir.join("index.json")
    }
}

/// A rename survives a power cut once its directory was written.
fn sync_dir(dir: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(dir)?.sync_all() } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model(name: &str, content: &[u8], source: &str) -> Installed {
        Installed {
            name: name.parse().unwrap(),
            sha256: Digest::of(content),
            size_bytes: content.len() as u64,
            source: source.to_owned(),
            added_at: Timestamp::from_millis(0),
            card: Card::default(),
        }
    }

    /// A store, and a way to install a content under a name.
    fn store() -> (tempfile::TempDir, ModelStore) {
        let home = tempfile::tempdir().unwrap();
        let store = ModelStore::new(home.path().join("models"));
        (home, store)
    }

    fn install(store: &ModelStore, name: &str, content: &[u8], source: &str) -> Result<(), CatalogError> {
        let part = store.prepare().unwrap().join("x.part");
        fs::write(&part, content).unwrap();
        store.adopt(&model(name, content, source), Some(&part))
    }

    fn files(store: &ModelStore) -> usize {
        fs::read_dir(store.dir().join("blobs")).unwrap().count()
    }

    #[test]
    fn one_content_under_two_names_is_one_file() {
        let (_home, store) = store();
        install(&store, "a", b"GGUF1", "hf:a/a").unwrap();
        install(&store, "b", b"GGUF1", "hf:b/b").unwrap();
        install(&store, "c", b"GGUF2", "hf:c/c").unwrap();
        assert_eq!((store.list().unwrap().len(), files(&store)), (3, 2));
        let name = |name: &str| name.parse::<ModelName>().unwrap();
        assert_eq!(store.remove(&name("a"), false).unwrap(), 0);
        assert_eq!(store.remove(&name("b"), false).unwrap(), 5);
        assert_eq!((store.list().unwrap().len(), files(&store)), (1, 1));
        assert!(matches!(store.remove(&name("b"), false), Err(CatalogError::NotInstalled { .. })));
    }

    #[test]
    fn the_chosen_model_is_removed_only_by_force() {
        let (_home, store) = store();
        assert_eq!(store.chosen().unwrap(), None);
        install(&store, "a", b"GGUF1", "hf:a/a").unwrap();
        let name = "a".parse().unwrap();
        store.choose(&name).unwrap();
        assert_eq!(store.chosen().unwrap().unwrap().name, name);
        assert!(matches!(store.remove(&name, false), Err(CatalogError::InUse { .. })));
        store.remove(&name, true).unwrap();
        assert_eq!(store.chosen().unwrap(), None);
        assert!(matches!(store.choose(&name), Err(CatalogError::NotInstalled { .. })));
    }

    #[test]
    fn a_name_follows_its_source_and_no_other() {
        let (_home, store) = store();
        install(&store, "a", b"GGUF1", "ollama:a:latest").unwrap();
        install(&store, "a", b"GGUF2", "ollama:a:latest").unwrap();
        assert_eq!((store.list().unwrap().len(), files(&store)), (1, 1));
        let refused = install(&store, "a", b"GGUF3", "https://elsewhere/a.gguf");
        assert!(matches!(refused, Err(CatalogError::Taken { .. })));
        assert_eq!(store.get(&"a".parse().unwrap()).unwrap().sha256, Digest::of(b"GGUF2"));
    }

    #[test]
    fn a_damaged_index_is_named_and_nothing_is_replaced() {
        let (_home, store) = store();
        install(&store, "a", b"GGUF1", "hf:a/a").unwrap();
        let path = store.dir().join("index.json");
        for damage in ["", "{", r#"{"version":9,"models":[]}"#] {
            fs::write(&path, damage).unwrap();
            assert!(matches!(store.list(), Err(CatalogError::Index { .. })), "{damage}");
            assert!(install(&store, "b", b"GGUF2", "hf:b/b").is_err());
            assert_eq!(fs::read_to_string(&path).unwrap(), damage);
        }
    }
}
