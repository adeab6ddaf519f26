//! H: patches, applied where the request came from.

use std::fs;
use std::os::unix::fs::symlink;

use edgecoder_base::patch::MAX_PATCH_BYTES;
use edgecoder_base::{BlobHash, Change, Patch};
use edgecoder_workspace::patch::{ApplyMode, apply_to_directory};

use crate::Case;

#[rustfmt::skip]
pub(crate) const CASES: &[Case] = &[
    Case { id: "H01 paths that leave the tree", holds: paths_that_leave },
    Case { id: "H02 link, then a write through it", holds: through_a_link },
    Case { id: "H03 renames, modes, binary hunks", holds: more_than_content },
    Case { id: "H05 prefixes and missing leaves", holds: below_a_link_nothing_is_made },
    Case { id: "H08 size", holds: size },
];

fn creates(path: &str) -> Patch {
    Patch { changes: vec![Change { path: path.into(), before: None, after: Some("x".into()) }] }
}

#[track_caller]
fn refused(root: &std::path::Path, path: &str) {
    for mode in [ApplyMode::Write, ApplyMode::Check] {
        assert!(apply_to_directory(root, &creates(path), mode).is_err(), "{path:?}");
    }
}

fn paths_that_leave() {
    let root = tempfile::tempdir().unwrap();
    for path in [
        "../x",
        "/tmp/x",
        "a/../../x",
        ".git/config",
        ".GIT/config",
        "git~1/config",
        ".g\u{200c}it/x",
        "a\\b",
        "",
    ] {
        refused(root.path(), path);
    }
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
}

fn through_a_link() {
    let (root, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    symlink(outside.path(), root.path().join("link")).unwrap();
    symlink(outside.path().join("file"), root.path().join("leaf")).unwrap();
    refused(root.path(), "link/x");
    refused(root.path(), "link");
    let _whatever = apply_to_directory(root.path(), &creates("leaf"), ApplyMode::Write);
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
}

fn more_than_content() {
    let change = serde_json::to_value(&creates("a").changes[0]).unwrap();
    for extra in ["mode", "rename_from", "copy_from", "binary", "submodule", "link"] {
        let mut change = change.clone();
        change[extra] = "x".into();
        let patch = serde_json::to_vec(&serde_json::json!({ "changes": [change] })).unwrap();
        assert!(Patch::from_bytes(&patch).is_err(), "{extra}");
    }
}

/// A root's name is no prefix of its neighbour's, and what does not exist yet is not made below a link.
fn below_a_link_nothing_is_made() {
    let place = tempfile::tempdir().unwrap();
    let (root, neighbour) = (place.path().join("proj"), place.path().join("proj-evil"));
    fs::create_dir(&root).unwrap();
    fs::create_dir(&neighbour).unwrap();
    symlink("../proj-evil", root.join("sub")).unwrap();
    refused(&root, "../proj-evil/x");
    refused(&root, "sub/new/deep/x");
    assert_eq!(fs::read_dir(neighbour).unwrap().count(), 0);
}

fn size() {
    let large = Patch {
        changes: vec![Change { path: "a".into(), before: None, after: Some("x".repeat(MAX_PATCH_BYTES)) }],
    };
    assert!(Patch::from_bytes(&large.to_bytes()).is_err());
    let unsorted = Patch { changes: [creates("b").changes, creates("a").changes].concat() };
    assert!(Patch::from_bytes(&unsorted.to_bytes()).is_err());
    let stale = Change { path: "a".into(), before: Some(BlobHash::of(b"other")), after: None };
    let root = tempfile::tempdir().unwrap();
    assert!(apply_to_directory(root.path(), &Patch { changes: vec![stale] }, ApplyMode::Write).is_err());
}
