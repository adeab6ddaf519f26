//! A snapshot laid out as a directory: refused, or exactly its files, all of them below the directory. The input
//! is paths and contents by turns, each ended by a NUL, with nothing checked before.
#![no_main]

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use edgecoder_base::{BlobHash, Blobs, FileEntry, Manifest};
use edgecoder_workspace::Trees;
use libfuzzer_sys::fuzz_target;

/// Contents by their hash.
#[derive(Debug, Default)]
struct Memory(BTreeMap<BlobHash, Vec<u8>>);

impl Blobs for Memory {
    fn contains(&self, hash: &BlobHash) -> bool {
        self.0.contains_key(hash)
    }

    fn read(&self, hash: &BlobHash) -> io::Result<Vec<u8>> {
        self.0.get(hash).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn write(&self, bytes: &[u8]) -> io::Result<BlobHash> {
        Ok(BlobHash::of(bytes))
    }

    fn place(&self, hash: &BlobHash, to: &Path) -> io::Result<()> {
        std::fs::write(to, self.read(hash)?)
    }
}

fuzz_target!(|bytes: &[u8]| {
    let mut blobs = Memory::default();
    let mut files = Vec::new();
    let mut parts = bytes.split(|&byte| byte == 0);
    while let (Some(path), Some(content)) = (parts.next(), parts.next()) {
        let Ok(path) = str::from_utf8(path) else { return };
        let hash = BlobHash::of(content);
        blobs.0.insert(hash, content.to_vec());
        let executable = content.first() == Some(&b'#');
        files.push(FileEntry { path: path.to_owned(), hash, size: content.len() as u64, executable });
    }
    // In memory, so that a run costs no disk.
    let place = tempfile::tempdir_in("/dev/shm").unwrap();
    let manifest = Manifest { files };
    let trees = Trees::new(place.path().join("trees")).unwrap();
    match trees.materialise(&manifest, &blobs) {
        Ok(tree) => {
            assert!(manifest.check().is_ok(), "what is no manifest is not laid out");
            let mut found = BTreeMap::new();
            collect(tree.path(), tree.path(), &mut found);
            let expected = manifest.files.iter().map(|file| (file.path.clone(), file.hash)).collect();
            assert_eq!(found, expected);
        }
        Err(_) => {
            let mut found = BTreeMap::new();
            collect(place.path(), place.path(), &mut found);
            assert!(found.keys().all(|path| path.starts_with("trees/.locks")), "{found:?}");
        }
    }
    let beside = std::fs::read_dir(place.path()).unwrap().count();
    assert_eq!(beside, 1, "something was written beside the trees");
});

fn collect(root: &Path, folder: &Path, found: &mut BTreeMap<String, BlobHash>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            collect(root, &entry.path(), found);
        } else {
            assert!(kind.is_file(), "{entry:?}");
            let name = entry.path().strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            found.insert(name, BlobHash::of(&std::fs::read(entry.path()).unwrap()));
        }
    }
}
