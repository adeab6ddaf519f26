//! Patches: exact, all or nothing, and readable by other tools.

use std::os::unix::fs::PermissionsExt;

use edgecoder_base::Patch;
use edgecoder_workspace::Error;
use edgecoder_workspace::patch::{
    ApplyMode, FileStat, apply_to_directory, apply_to_manifest, check_against, diffstat, unified_diff,
};

use crate::support::{DirBlobs, Live, git, manifest, patch};

type Rows<'a> = &'a [(&'a str, Option<&'a str>, Option<&'a str>)];

const FILES: &[(&str, &str)] = &[("a.py", "one\ntwo\n"), ("d/b.py", "b\n"), ("d/c.py", "c")];

/// The error of checking `rows` against `FILES`, as text; empty when they fit.
fn check(rows: Rows<'_>, expected: &str) {
    let blobs = DirBlobs::new();
    let found = check_against(&patch(rows), &manifest(&blobs, FILES));
    assert_eq!(found.err().map(|error| error.to_string()).unwrap_or_default(), expected, "{rows:?}");
}

#[test]
fn a_patch_fits_exactly_or_not_at_all() {
    check(&[("a.py", Some("one\ntwo\n"), Some("1"))], "");
    check(&[("a.py", Some("one\ntwo\n"), None), ("a.py/x", None, Some("x"))], "");
    check(&[("d", None, Some("x")), ("d/b.py", Some("b\n"), None), ("d/c.py", Some("c"), None)], "");
    let stale = |path| format!("the patch is stale: {path:?} is not what it was made against");
    check(&[("a.py", Some("older"), Some("1"))], &stale("a.py"));
    check(&[("a.py", None, Some("1"))], &stale("a.py"));
    check(&[("new", Some("x"), Some("1"))], &stale("new"));
    let folder = |path| format!("the patch puts a file where a folder is, or below a file: {path:?}");
    check(&[("a.py/x", None, Some("x"))], &folder("a.py/x"));
    check(&[("d", None, Some("x")), ("d/b.py", Some("b\n"), None)], &folder("d"));
    check(&[("n", None, Some("x")), ("n/m", None, Some("y"))], &folder("n"));
    let unsafe_path = |path| format!("the patch names an unsafe path: {path:?}");
    for path in ["../x", "/etc/x", ".git/hooks/x", ".Git/x", "GIT~1/config", ".gi\u{200d}t/x", "a\\b", "x."] {
        check(&[(path, None, Some("x"))], &unsafe_path(path));
    }
    check(&[("n", None, Some("x")), ("n", None, Some("y"))], &unsafe_path("n"));
    let twins = "the snapshot or patch is not valid";
    check(&[("A.py", None, Some("x"))], twins);
    check(&[("D/B.py", None, Some("x"))], twins);
    check(&[("\u{e9}", None, Some("x")), ("\u{e9}.txt", None, Some("x"))], "");
    check(&[("e\u{301}", None, Some("x")), ("\u{e9}", None, Some("x"))], twins);
    check(&[("A.py", None, Some("x")), ("a.py", Some("one\ntwo\n"), None)], "");
}

#[test]
fn a_patched_manifest_is_a_snapshot_of_its_own() {
    let blobs = DirBlobs::new();
    let mut before = manifest(&blobs, FILES);
    before.files[0].executable = true;
    let change = patch(&[
        ("a.py", Some("one\ntwo\n"), Some("1\n")),
        ("d/b.py", Some("b\n"), None),
        ("new", None, Some("n")),
    ]);
    let after = apply_to_manifest(&before, &change, &blobs).unwrap();
    let mut expected = manifest(&blobs, &[("a.py", "1\n"), ("d/c.py", "c"), ("new", "n")]);
    expected.files[0].executable = true;
    assert_eq!(after, expected);
    assert!(matches!(apply_to_manifest(&after, &change, &blobs), Err(Error::Stale { .. })));
}

#[test]
fn the_diff_reads_as_git_writes_it() {
    let blobs = DirBlobs::new();
    let change = patch(&[
        ("a.py", Some("one\ntwo\n"), Some("one\n2")),
        ("d/c.py", Some("c"), None),
        ("n \"q\".txt", None, Some("hi\n")),
    ]);
    let expected = r#"diff --git a/a.py b/a.py
--- a/a.py
+++ b/a.py
@@ -1,2 +1,2 @@
 one
-two
+2
\ No newline at end of file
diff --git a/d/c.py b/d/c.py
deleted file mode 100644
--- a/d/c.py
+++ /dev/null
@@ -1 +0,0 @@
-c
\ No newline at end of file
diff --git "a/n \"q\".txt" "b/n \"q\".txt"
new file mode 100644
--- /dev/null
+++ "b/n \"q\".txt"
@@ -0,0 +1 @@
+hi
"#;
    assert_eq!(unified_diff(&change, &manifest(&blobs, FILES), &blobs).unwrap(), expected);
    let stat = diffstat(&change, &manifest(&blobs, FILES), &blobs).unwrap();
    assert_eq!((stat.added, stat.removed), (2, 2));
    assert_eq!(stat.files[1], FileStat { path: "d/c.py".into(), added: 0, removed: 1 });
}

#[test]
fn git_applies_our_diffs() {
    let long: String = (0..200).map(|line| format!("line {line}\n")).collect();
    let edited = long.replace("line 5\n", "five\n").replace("line 150\n", "") + "end";
    let rows: Rows<'_> = &[
        ("a b.txt", Some("x\r\ny\rz\r\n"), Some("x\r\ny\rZ\r\n")),
        ("empty.txt", None, Some("")),
        ("gone/x", Some("1\n2"), None),
        ("long.txt", Some(&long), Some(&edited)),
        ("new/ü.txt", None, Some("no newline")),
    ];
    let live = Live::repository(&[("a b.txt", "x\r\ny\rz\r\n"), ("gone/x", "1\n2"), ("long.txt", &long)]);
    let frozen = live.freeze();
    let change = patch(rows);
    let diff = unified_diff(&change, &frozen.manifest, &live.blobs).unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), diff).unwrap();
    git(live.root(), &["apply", file.path().to_str().unwrap()]);
    let after = apply_to_manifest(&frozen.manifest, &change, &live.blobs).unwrap();
    assert_eq!(live.freeze().manifest, after);
}

#[test]
fn applying_changes_the_directory_and_keeps_modes() {
    let live = Live::folder(&[("bin/run", "old"), ("gone/deep/x", "x"), ("stay", "s")]);
    let run = live.root().join("bin/run");
    std::fs::set_permissions(&run, std::fs::Permissions::from_mode(0o750)).unwrap();
    let change = patch(&[
        ("bin/run", Some("old"), Some("new")),
        ("gone/deep/x", Some("x"), None),
        ("made/deep/y", None, Some("y")),
    ]);
    apply_to_directory(live.root(), &change, ApplyMode::Check).unwrap();
    assert_eq!(live.contents()["bin/run"], "old");
    apply_to_directory(live.root(), &change, ApplyMode::Write).unwrap();
    let expected = [("bin/run", "new"), ("made/deep/y", "y"), ("stay", "s")];
    assert_eq!(live.contents(), expected.map(|(a, b)| (a.to_owned(), b.to_owned())).into());
    assert_eq!(std::fs::metadata(&run).unwrap().permissions().mode() & 0o777, 0o750);
    assert!(!live.root().join("gone").try_exists().unwrap());
}

#[test]
fn what_changed_meanwhile_is_named_and_nothing_is_touched() {
    let live = Live::folder(&[("a", "edited"), ("b", "b"), ("dir/x", "x"), ("f", "f")]);
    std::os::unix::fs::symlink("dir", live.root().join("link")).unwrap();
    std::os::unix::fs::symlink("b", live.root().join("blink")).unwrap();
    let before = live.contents_of_files();
    let change = patch(&[
        ("a", Some("a"), Some("1")),
        ("b", Some("b"), Some("2")),
        ("blink", Some("b"), Some("3")),
        ("dir", None, Some("4")),
        ("f/below", None, Some("5")),
        ("gone", Some("g"), None),
        ("link/x", Some("x"), Some("6")),
        ("link/y", None, Some("7")),
    ]);
    let error = apply_to_directory(live.root(), &change, ApplyMode::Write).unwrap_err();
    let Error::Dirty { paths } = error else { panic!("{error}") };
    assert_eq!(paths, ["a", "blink", "dir", "f/below", "gone", "link/x", "link/y"]);
    assert_eq!(live.contents_of_files(), before);
    let unsafe_path = patch(&[("../x", None, Some("x"))]);
    let refused = apply_to_directory(live.root(), &unsafe_path, ApplyMode::Write);
    assert!(matches!(refused, Err(Error::UnsafePath { .. })));
}

#[test]
fn a_failure_midway_puts_everything_back() {
    let live = Live::folder(&[("a", "a"), ("b", "b"), ("z/c", "c")]);
    // The last two cannot both be: "new" is made as a file, then needed as a folder.
    let change = patch(&[
        ("a", Some("a"), Some("1")),
        ("b", Some("b"), None),
        ("made/x", None, Some("x")),
        ("new", None, Some("n")),
        ("new/y", None, Some("y")),
    ]);
    let before = live.contents();
    let error = apply_to_directory(live.root(), &change, ApplyMode::Write).unwrap_err();
    assert!(matches!(error, Error::Io { .. }), "{error}");
    assert_eq!(live.contents(), before);
    let folders = std::fs::read_dir(live.root()).unwrap().count();
    assert_eq!(folders, 3);
}

#[test]
fn an_empty_patch_changes_nothing() {
    let live = Live::folder(&[("a", "a")]);
    apply_to_directory(live.root(), &Patch::default(), ApplyMode::Write).unwrap();
    assert_eq!(live.contents().len(), 1);
}

impl Live {
    fn contents_of_files(&self) -> Vec<(String, String)> {
        ["a", "b", "dir/x", "f"]
            .map(|path| (path.to_owned(), std::fs::read_to_string(self.root().join(path)).unwrap()))
            .into()
    }
}
