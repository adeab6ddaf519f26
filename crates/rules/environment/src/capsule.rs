//! A capsule as a document: its recipe, and every file of its tree by name and content. Its hash is the capsule's name, so
//! whoever has the name can check all the rest.

use std::collections::BTreeSet;

use edgecoder_base::BlobHash;
use serde::{Deserialize, Serialize};

use crate::Recipe;

/// Version of the document.
pub const FORMAT: u32 = 1;
/// Most entries of a tree.
pub const MAX_ENTRIES: usize = 400_000;
/// Largest document, bytes.
pub const MAX_DOCUMENT_BYTES: u64 = 128 * 1024 * 1024;
/// Longest path, and longest target of a link, bytes.
const MAX_PATH_BYTES: usize = 1024;

/// One file or link of a tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TreeEntry {
    /// Relative, `/`-separated.
    pub path: String,
    /// What it is.
    #[serde(flatten)]
    pub node: Node,
}

/// What an entry is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Node {
    /// A regular file.
    File(Content),
    /// A symbolic link, and where it leads. It is only ever followed inside a sandbox.
    Link(String),
}

/// Content of a regular file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Content {
    /// Its hash.
    pub hash: BlobHash,
    /// Bytes.
    pub size: u64,
    /// Whether it can be executed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub executable: bool,
}

/// A capsule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Capsule {
    /// Version of this document.
    pub format: u32,
    /// What it was made from.
    pub recipe: Recipe,
    /// What came of it, sorted by path.
    pub tree: Vec<TreeEntry>,
}

/// Why a capsule from outside is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CapsuleError {
    /// Not the document.
    #[error("this is no capsule: {0}")]
    Malformed(String),
    /// Of another version.
    #[error("the capsule has format {0}, and this program reads {FORMAT}")]
    Format(u32),
    /// A path that leaves the tree, or cannot be one.
    #[error("the capsule names an unsafe path: {0:?}")]
    UnsafePath(String),
    /// A link that leads out of the tree by a relative way, or nowhere.
    #[error("the link {0:?} leads out of the capsule")]
    UnsafeLink(String),
    /// Paths must be sorted and unique, and nothing lies below a file or a link.
    #[error("the capsule lists {0:?} twice, out of order, or below a file")]
    Order(String),
    /// Too much of something.
    #[error("the capsule is too large: {0}")]
    TooLarge(String),
}

impl Capsule {
    /// A capsule of `tree`, which is put in order. Refuses what [`Capsule::check`] does.
    pub fn new(recipe: Recipe, mut tree: Vec<TreeEntry>) -> Result<Self, CapsuleError> {
        tree.sort_by(|a, b| a.path.cmp(&b.path));
        let capsule = Self { format: FORMAT, recipe, tree };
        capsule.check()?;
        Ok(capsule)
    }

    /// Canonical bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// The name.
    pub fn hash(&self) -> BlobHash {
        BlobHash::of(&self.to_bytes())
    }

    /// Reads and checks a document from outside.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CapsuleError> {
        let capsule: Self =
            serde_json::from_slice(bytes).map_err(|error| CapsuleError::Malformed(error.to_string()))?;
        capsule.check()?;
        Ok(capsule)
    }

    /// The contents of the tree, each once, in order of their hashes.
    pub fn contents(&self) -> Vec<&Content> {
        let mut seen = BTreeSet::new();
        let files = self.tree.iter().filter_map(|entry| match &entry.node {
            Node::File(content) => Some(content),
            Node::Link(_) => None,
        });
        let mut contents: Vec<_> = files.filter(|content| seen.insert(content.hash)).collect();
        contents.sort_by_key(|content| content.hash);
        contents
    }

    /// Bytes of all files.
    pub fn size(&self) -> u64 {
        let files = self.tree.iter().map(|entry| match &entry.node {
            Node::File(content) => content.size,
            Node::Link(_) => 0,
        });
        files.fold(0, u64::saturating_add)
    }

    /// Paths safe, sorted and unique; links that stay inside, or lead to a tool chain by its absolute path.
    pub fn check(&self) -> Result<(), CapsuleError> {
        if self.format != FORMAT {
            return Err(CapsuleError::Format(self.format));
        }
        if self.tree.len() > MAX_ENTRIES {
            return Err(CapsuleError::TooLarge(format!("{} files", self.tree.len())));
        }
        let mut leaves = BTreeSet::new();
        let mut before: Option<&str> = None;
        for TreeEntry { path, node } in &self.tree {
            if !is_safe(path) {
                return Err(CapsuleError::UnsafePath(path.clone()));
            }
            if before.is_some_and(|before| before >= path.as_str()) {
                return Err(CapsuleError::Order(path.clone()));
            }
            if let Node::Link(target) = node
                && !stays(path, target)
            {
                return Err(CapsuleError::UnsafeLink(path.clone()));
            }
            leaves.insert(path.as_str());
            before = Some(path);
        }
        let below = |path: &str| path.match_indices('/').any(|(at, _)| leaves.contains(&path[..at]));
        match self.tree.iter().find(|entry| below(&entry.path)) {
            Some(entry) => Err(CapsuleError::Order(entry.path.clone())),
            None => Ok(()),
        }
    }
}

/// Whether the path can be laid out below a fresh folder, and shown.
fn is_safe(path: &str) -> bool {
    let part = |part: &str| !part.is_empty() && part != "." && part != ".." && part.len() <= 255;
    path.len() <= MAX_PATH_BYTES && !path.chars().any(char::is_control) && path.split('/').all(part)
}

/// Whether a link is absolute, as those to interpreters are, or ends inside.
fn stays(path: &str, target: &str) -> bool {
    if target.is_empty() || target.len() > MAX_PATH_BYTES || target.chars().any(char::is_control) {
        return false;
    }
    if target.starts_with('/') {
        return true;
    }
    let mut depth = path.matches('/').count();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => match depth.checked_sub(1) {
                Some(up) => depth = up,
                None => return false,
            },
            _ => depth += 1,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Kind, Recipe};

    fn recipe() -> Recipe {
        Recipe {
            kind: Kind::Node,
            steps: 1,
            folder: String::new(),
            inputs: Vec::new(),
            tools: Vec::new(),
            platform: "linux-x86_64".into(),
            complete: true,
            notes: Vec::new(),
        }
    }

    fn entry(text: &str) -> TreeEntry {
        let (path, node) = match text.split_once(" -> ") {
            Some((path, target)) => (path, Node::Link(target.to_owned())),
            None => (text, Node::File(Content { hash: BlobHash::of(b"x"), size: 1, executable: false })),
        };
        TreeEntry { path: path.to_owned(), node }
    }

    #[track_caller]
    fn check(entries: &[&str], expected: Result<(), CapsuleError>) {
        let tree = entries.iter().map(|text| entry(text)).collect();
        let capsule = Capsule { format: FORMAT, recipe: recipe(), tree };
        assert_eq!(capsule.check(), expected, "{entries:?}");
        let read = Capsule::from_bytes(&capsule.to_bytes());
        assert_eq!(read, expected.map(|()| capsule));
    }

    #[test]
    fn trees_are_checked_before_anything_is_laid_out() {
        check(&[".bin/a -> ../a/run.js", "a/aux.js", "a/b:c", "bin/python -> /usr/bin/python3", "é"], Ok(()));
        for path in ["", "/etc/passwd", "../x", "a/../b", "a//b", "a/./b", "a\nb"] {
            check(&[path], Err(CapsuleError::UnsafePath(path.to_owned())));
        }
        for (link, path) in
            [("a -> ../x", "a"), ("a/b -> ../../x", "a/b"), ("a -> ", "a"), ("a -> b/../../c", "a")]
        {
            check(&[link], Err(CapsuleError::UnsafeLink(path.to_owned())));
        }
        check(&["b", "a"], Err(CapsuleError::Order("a".into())));
        check(&["a", "a"], Err(CapsuleError::Order("a".into())));
        check(&["a -> /etc", "a-b", "a/passwd"], Err(CapsuleError::Order("a/passwd".into())));
    }

    #[test]
    fn a_document_of_another_kind_is_refused() {
        assert!(matches!(Capsule::from_bytes(b"{}"), Err(CapsuleError::Malformed(_))));
        let newer = Capsule { format: 2, recipe: recipe(), tree: Vec::new() };
        assert_eq!(Capsule::from_bytes(&newer.to_bytes()), Err(CapsuleError::Format(2)));
    }

    #[test]
    fn contents_come_once_and_in_order() {
        let file = |path: &str, text: &[u8]| TreeEntry {
            path: path.into(),
            node: Node::File(Content {
                hash: BlobHash::of(text),
                size: text.len() as u64,
                executable: false,
            }),
        };
        let tree = vec![file("c", b"one"), file("a", b"one"), file("b", b"three"), entry("d -> a")];
        let capsule = Capsule::new(recipe(), tree).unwrap();
        let mut hashes = [BlobHash::of(b"one"), BlobHash::of(b"three")];
        hashes.sort();
        assert_eq!(capsule.contents().iter().map(|content| content.hash).collect::<Vec<_>>(), hashes);
        assert_eq!(capsule.size(), 11);
    }
}
