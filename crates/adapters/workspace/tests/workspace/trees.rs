//! Laid-out snapshots: exact, read-only, shared, bounded.

use std::collections::BTreeMap;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use edgecoder_base::{BlobHash, Blobs, FileEntry, Manifest};
use edgecoder_workspace::{Error, Trees};

use crate::support::{DirBlobs, Live, contents, manifest, scratch};

struct Cache {
    dir: tempfile::TempDir,
    trees: Trees,
    blobs: DirBlobs,
}

fn cache() -> Cache {
    let dir = tempfile::tempdir().unwrap();
    Cache { trees: Trees::new(dir.path()).unwrap(), dir, blobs: DirBlobs::new() }
}

fn mode(path: &std::path::Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_tree_has_the_files_and_their_modes() {
    let Cache { trees, blobs, dir: _dir } = cache();
    let mut wanted = manifest(&blobs, &[("bin/run", "#!/bin/sh\n"), ("src/a/b.rs", "x"), ("src/a/c.rs", "")]);
    wanted.files[0].executable = true;
    let tree = trees.materialise(&wanted, &blobs).unwrap();
    let expected = [("bin/run", "#!/bin/sh\n"), ("src/a/b.rs", "x"), ("src/a/c.rs", "")];
    assert_eq!(contents(tree.path()), BTreeMap::from(expected.map(|(a, b)| (a.to_owned(), b.to_owned()))));
    let modes = ["bin/run", "src/a/b.rs", "src", ""].map(|path| mode(&tree.path().join(path)));
    assert_eq!(modes, [0o755, 0o644, 0o755, 0o755]);
    let linked = std::fs::metadata(tree.path().join("src/a/b.rs")).unwrap();
    assert_eq!(linked.ino(), std::fs::metadata(blobs.path(&wanted.files[1].hash)).unwrap().ino());
    assert_eq!(tree.hash(), wanted.hash());
}

#[test]
fn concurrent_callers_get_one_tree() {
    let Cache { trees, blobs, dir } = cache();
    let wanted = manifest(&blobs, &[("a", "1"), ("b/c", "2")]);
    let paths = std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..8).map(|_| scope.spawn(|| trees.materialise(&wanted, &blobs).unwrap())).collect();
        threads.into_iter().map(|thread| thread.join().unwrap().path().to_owned()).collect::<Vec<_>>()
    });
    assert!(paths.iter().all(|path| *path == paths[0]));
    assert_eq!(std::fs::read_dir(dir.path().join(".staging")).unwrap().count(), 0);
}

#[test]
fn an_empty_snapshot_has_a_tree_too() {
    let Cache { trees, blobs, dir: _dir } = cache();
    let tree = trees.materialise(&Manifest { files: vec![] }, &blobs).unwrap();
    assert!(tree.path().is_dir());
}

#[test]
fn a_caller_who_came_during_the_build_does_not_wait_for_the_users() {
    let Cache { trees, blobs, dir: _dir } = cache();
    for round in 0..50 {
        let wanted = manifest(&blobs, &[("a", &round.to_string())]);
        let held = std::thread::scope(|scope| {
            let threads: Vec<_> =
                (0..4).map(|_| scope.spawn(|| trees.materialise(&wanted, &blobs).unwrap())).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
        });
        assert_eq!(held.len(), 4);
    }
}

#[test]
fn a_missing_or_lying_blob_leaves_no_tree() {
    let Cache { trees, blobs, dir } = cache();
    let absent = FileEntry { path: "a".into(), hash: BlobHash::of(b"absent"), size: 6, executable: false };
    let made = trees.materialise(&Manifest { files: vec![absent] }, &blobs);
    assert!(matches!(made, Err(Error::Blob { .. })));
    let hash = blobs.write(b"123456").unwrap();
    let short = FileEntry { path: "a".into(), hash, size: 2, executable: false };
    let made = trees.materialise(&Manifest { files: vec![short] }, &blobs);
    assert!(matches!(made, Err(Error::SizeMismatch { expected: 2, found: 6, .. })));
    assert!(contents(dir.path()).keys().all(|path| path.starts_with(".locks/")));
}

#[test]
fn a_damaged_tree_is_rebuilt_unless_in_use() {
    let Cache { trees, blobs, dir: _dir } = cache();
    let wanted = manifest(&blobs, &[("a", "1"), ("b", "2")]);
    let tree = trees.materialise(&wanted, &blobs).unwrap();
    std::fs::remove_file(tree.path().join("a")).unwrap();
    assert!(matches!(trees.materialise(&wanted, &blobs), Err(Error::DamagedTree { .. })));
    drop(tree);
    let tree = trees.materialise(&wanted, &blobs).unwrap();
    assert_eq!(contents(tree.path()).len(), 2);
}

#[test]
fn eviction_takes_the_longest_unused_and_never_one_in_use() {
    let Cache { trees, blobs, dir: _dir } = cache();
    let wanted = ["1", "2", "3"].map(|text| manifest(&blobs, &[("f", &text.repeat(100))]));
    let paths = wanted.each_ref().map(|wanted| {
        let tree = trees.materialise(wanted, &blobs).unwrap();
        tree.path().to_owned()
    });
    for (age, path) in paths.iter().enumerate() {
        let used_at = std::time::UNIX_EPOCH + std::time::Duration::from_secs(100 + age as u64);
        std::fs::File::open(path).unwrap().set_modified(used_at).unwrap();
    }
    assert_eq!(trees.evict(250).unwrap(), 100);
    assert_eq!(paths.each_ref().map(|path| path.is_dir()), [false, true, true]);
    let held = trees.materialise(&wanted[1], &blobs).unwrap();
    assert_eq!(trees.evict(0).unwrap(), 100);
    assert_eq!(paths.each_ref().map(|path| path.is_dir()), [false, true, false]);
    drop(held);
    assert_eq!(trees.evict(0).unwrap(), 100);
    assert_eq!(std::fs::read(blobs.path(&wanted[1].files[0].hash)).unwrap().len(), 100);
}

#[test]
fn what_a_crash_left_half_built_is_cleared_at_start() {
    let Cache { trees, dir, .. } = cache();
    drop(trees);
    std::fs::create_dir_all(dir.path().join(".staging/tree-x/tree")).unwrap();
    Trees::new(dir.path()).unwrap();
    assert_eq!(std::fs::read_dir(dir.path().join(".staging")).unwrap().count(), 0);
}

#[test]
fn ten_thousand_files_freeze_and_lie_in_place() {
    let live = Live { dir: scratch(), blobs: DirBlobs(scratch()) };
    for folder in 0..100 {
        let dir = live.root().join(format!("d{folder:02}/sub"));
        std::fs::create_dir_all(&dir).unwrap();
        for file in 0..100 {
            std::fs::write(dir.join(format!("f{file:02}.py")), format!("x = {folder}{file:02}\n")).unwrap();
        }
    }
    let frozen = live.freeze();
    assert_eq!(frozen.manifest.files.len(), 10_000);
    let cache = scratch();
    let trees = Trees::new(cache.path()).unwrap();
    let tree = trees.materialise(&frozen.manifest, &live.blobs).unwrap();
    assert_eq!(std::fs::read_to_string(tree.path().join("d42/sub/f07.py")).unwrap(), "x = 4207\n");
}
