//! A patch from a worker against a snapshot: refused, or it applies and leaves a snapshot that is one.
#![no_main]

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Mutex;

use edgecoder_base::snapshot::is_safe_path;
use edgecoder_base::{BlobHash, Blobs, FileEntry, Manifest, Patch};
use edgecoder_workspace::patch::{apply_to_manifest, check_against, unified_diff};
use libfuzzer_sys::fuzz_target;

#[derive(Debug, Default)]
struct Memory(Mutex<BTreeMap<BlobHash, Vec<u8>>>);

impl Blobs for Memory {
    fn contains(&self, hash: &BlobHash) -> bool {
        self.0.lock().unwrap().contains_key(hash)
    }

    fn read(&self, hash: &BlobHash) -> io::Result<Vec<u8>> {
        self.0.lock().unwrap().get(hash).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn write(&self, bytes: &[u8]) -> io::Result<BlobHash> {
        let hash = BlobHash::of(bytes);
        self.0.lock().unwrap().insert(hash, bytes.to_vec());
        Ok(hash)
    }

    fn place(&self, hash: &BlobHash, to: &Path) -> io::Result<()> {
        std::fs::write(to, self.read(hash)?)
    }
}

fuzz_target!(|bytes: &[u8]| {
    let Ok(patch) = Patch::from_bytes(bytes) else { return };
    assert!(patch.changes.iter().all(|change| is_safe_path(&change.path)));
    let blobs = Memory::default();
    let file = |path: &str, content: &[u8]| FileEntry {
        path: path.to_owned(),
        hash: blobs.write(content).unwrap(),
        size: content.len() as u64,
        executable: false,
    };
    let files = vec![file("a.py", b"x = 1\n"), file("b/c.bin", b"\xff\x00"), file("empty", b"")];
    let manifest = Manifest { files };
    let fits = check_against(&patch, &manifest).is_ok();
    match apply_to_manifest(&manifest, &patch, &blobs) {
        Ok(after) => {
            assert!(fits, "what does not fit is not applied");
            assert!(after.files.is_sorted_by(|a, b| a.path < b.path));
            unified_diff(&patch, &manifest, &blobs).unwrap();
        }
        Err(_) => assert!(!fits, "what fits is applied"),
    }
});
