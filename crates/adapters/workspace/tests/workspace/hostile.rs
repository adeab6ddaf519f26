//! Repositories that were made to hurt the one who freezes them.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::{AtomicBool, Ordering};

use edgecoder_base::OmissionReason::{Submodule, UnsafePath};
use edgecoder_base::snapshot::ManifestError;
use edgecoder_base::{BlobHash, FileEntry, Manifest};
use edgecoder_workspace::{Error, Trees};

use crate::support::{DirBlobs, Live, contents, git, omitted, paths};

#[test]
fn nothing_a_repository_brings_is_executed() {
    let live =
        Live::repository(&[("a.txt", "plain\n"), (".gitattributes", "* filter=evil diff=evil merge=evil\n")]);
    let witness = live.root().join(".git/ran");
    let command = format!("touch {}", witness.display());
    for key in [
        "filter.evil.clean",
        "filter.evil.smudge",
        "filter.evil.process",
        "diff.evil.textconv",
        "core.fsmonitor",
        "core.sshCommand",
        "core.pager",
        "diff.external",
    ] {
        live.git(&["config", key, &command]);
    }
    for hook in ["post-index-change", "pre-commit", "fsmonitor-watchman", "post-checkout"] {
        let path = live.root().join(".git/hooks").join(hook);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, format!("#!/bin/sh\n{command}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let frozen = live.freeze();
    assert_eq!(paths(&frozen), [".gitattributes", "a.txt"]);
    assert!(!witness.try_exists().unwrap());
    assert_eq!(frozen.manifest.get("a.txt").unwrap().hash, BlobHash::of(b"plain\n"));
}

#[test]
fn repositories_inside_are_reported_and_not_entered() {
    let live = Live::repository(&[("a", "")]);
    let inner = Live::repository(&[("secret", "x")]);
    git(inner.root(), &["commit", "-qm", "x"]);
    live.git(&[
        "-c",
        "protocol.file.allow=always",
        "submodule",
        "add",
        "-q",
        inner.root().to_str().unwrap(),
        "mod",
    ]);
    live.write("nested/.git/HEAD", "ref: refs/heads/main\n");
    live.write("nested/code", "x");
    live.write("linked/.git", "gitdir: ../../../etc\n");
    live.write("linked/code", "x");
    let frozen = live.freeze();
    assert_eq!(paths(&frozen), [".gitmodules", "a"]);
    assert_eq!(omitted(&frozen), [("linked", Submodule), ("mod", Submodule), ("nested", Submodule)]);
}

#[test]
fn a_root_whose_git_file_points_anywhere_is_harmless() {
    for pointer in ["gitdir: /etc", "gitdir: /dev", "gitdir: ../../..", "nonsense", "gitdir: \0"] {
        let live = Live::folder(&[(".git", pointer), ("a", "")]);
        assert_eq!(paths(&live.freeze()), ["a"], "{pointer:?}");
    }
}

#[test]
fn names_that_do_not_travel_are_left_out() {
    let live = Live::folder(&[("ok", "")]);
    for name in [&b"bad\xff"[..], b"new\nline", b"back\\slash", b"c:colon", b"dot.", b"esc\x1b[2J"] {
        std::fs::write(live.root().join(OsStr::from_bytes(name)), "x").unwrap();
    }
    let frozen = live.freeze();
    assert_eq!(paths(&frozen), ["ok"]);
    assert_eq!(frozen.omitted.len(), 6);
    assert!(omitted(&frozen).iter().all(|(_, reason)| *reason == UnsafePath));
}

#[test]
fn very_deep_folders_end_somewhere() {
    let live = Live::folder(&[("ok", "")]);
    let mut dir = live.root().to_owned();
    for _ in 0..600 {
        dir.push("dd");
    }
    std::fs::create_dir_all(&dir).unwrap();
    let frozen = live.freeze();
    assert_eq!(frozen.omitted.len(), 1);
    assert_eq!(frozen.omitted[0].reason, UnsafePath);
}

#[test]
fn a_folder_swapped_for_a_link_never_leaks() {
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("f"), "outside").unwrap();
    let live = Live::folder(&[("d/f", "inside"), ("z", "")]);
    let (real, away, link) = (live.root().join("d"), outside.path().join("d"), live.root().join("l"));
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                std::fs::rename(&real, &away).unwrap();
                std::os::unix::fs::symlink(outside.path(), &link).unwrap();
                std::fs::rename(&link, &real).unwrap();
                std::fs::remove_file(&real).unwrap();
                std::fs::rename(&away, &real).unwrap();
            }
        });
        for _ in 0..40 {
            let frozen = live.freeze();
            let leaked = frozen.manifest.files.iter().any(|file| file.hash == BlobHash::of(b"outside"));
            assert!(!leaked, "{frozen:?}");
        }
        stop.store(true, Ordering::Relaxed);
    });
}

#[test]
fn hostile_manifests_build_nothing() {
    let blobs = DirBlobs::new();
    let cache = tempfile::tempdir().unwrap();
    let trees = Trees::new(cache.path().join("trees")).unwrap();
    for path in ["../x", "/x", "a/../x", ".git/config", "a/.GIT/x", "git~1/x", ".g\u{200c}it/hooks/x", "a\\b"]
    {
        let entry = FileEntry { path: path.into(), hash: BlobHash::of(b""), size: 0, executable: false };
        let made = trees.materialise(&Manifest { files: vec![entry] }, &blobs);
        assert!(matches!(made, Err(Error::Manifest(ManifestError::UnsafePath(_)))), "{path:?}");
    }
    let twice = ["a", "a"].map(|path| FileEntry {
        path: path.into(),
        hash: BlobHash::of(b""),
        size: 0,
        executable: false,
    });
    let made = trees.materialise(&Manifest { files: twice.into() }, &blobs);
    assert!(matches!(made, Err(Error::Manifest(ManifestError::Order(_)))));
    assert_eq!(contents(cache.path()).into_keys().collect::<Vec<_>>(), ["trees/.locks/building"]);
}
