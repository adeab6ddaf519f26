//! What a snapshot holds, and what it says about the rest.

use std::cell::RefCell;
use std::os::unix::fs::PermissionsExt;

use edgecoder_base::OmissionReason::{Ignored, NotRegular, Secret, TooLarge};
use edgecoder_base::{Blobs, Manifest};
use edgecoder_workspace::snapshot::freeze_with;
use edgecoder_workspace::{Error, FreezeOptions};

use crate::support::{Live, omitted, paths};

#[test]
fn a_snapshot_reads_back_from_its_blobs() {
    let live = Live::repository(&[("src/lib.rs", "fn a() {}\n"), ("README.md", "hi\n")]);
    std::fs::set_permissions(live.root().join("README.md"), std::fs::Permissions::from_mode(0o755)).unwrap();
    let frozen = live.freeze();
    let read = Manifest::from_bytes(&live.blobs.read(&frozen.hash).unwrap()).unwrap();
    assert_eq!(read, frozen.manifest);
    assert_eq!(frozen.total_bytes, 13);
    let seen: Vec<_> = read.files.iter().map(|file| (file.path.as_str(), file.executable)).collect();
    assert_eq!(seen, [("README.md", true), ("src/lib.rs", false)]);
    assert_eq!(live.blobs.read(&read.files[1].hash).unwrap(), b"fn a() {}\n");
    assert_eq!(live.freeze(), frozen);
}

#[test]
fn git_decides_what_counts() {
    let live = Live::repository(&[
        (".gitignore", "*.log\n/target/\n!keep.log\ndist\n"),
        ("a.rs", ""),
        ("dist/tracked.js", ""),
        ("sub/.gitignore", "local\n"),
        ("sub/b.rs", ""),
    ]);
    for path in ["x.log", "keep.log", "target/t", "dist/untracked.js", "sub/local", "local", ".hidden", "ex"]
    {
        live.write(path, "");
    }
    live.write(".git/info/exclude", "ex\n");
    let expected = [
        ".gitignore",
        ".hidden",
        "a.rs",
        "dist/tracked.js",
        "keep.log",
        "local",
        "sub/.gitignore",
        "sub/b.rs",
    ];
    assert_eq!(paths(&live.freeze()), expected);
    assert_eq!(live.freeze().omitted, []);
}

#[test]
fn every_index_version_is_read() {
    for version in ["2", "3", "4"] {
        let live = Live::repository(&[("dist/long/name/a.js", ""), ("dist/long/name/b.js", ""), ("z", "")]);
        live.git(&["update-index", "--index-version", version]);
        live.git(&["update-index", "--skip-worktree", "z"]);
        live.write(".gitignore", "dist\n");
        let expected = [".gitignore", "dist/long/name/a.js", "dist/long/name/b.js", "z"];
        assert_eq!(paths(&live.freeze()), expected, "index version {version}");
    }
}

#[test]
fn a_folder_inside_a_repository_keeps_the_outer_rules() {
    let live = Live::repository(&[(".gitignore", "*.log\n"), ("app/main.py", ""), ("app/forced.log", "")]);
    live.write("app/x.log", "");
    let frozen =
        edgecoder_workspace::freeze(&live.root().join("app"), &FreezeOptions::default(), &live.blobs);
    assert_eq!(paths(&frozen.unwrap()), ["forced.log", "main.py"]);
}

#[test]
fn a_linked_worktree_uses_its_own_index() {
    let live = Live::repository(&[(".gitignore", "dist\n"), ("dist/a.js", "")]);
    live.git(&["commit", "-qm", "x"]);
    let other = tempfile::tempdir().unwrap();
    let tree = other.path().join("w");
    live.git(&["worktree", "add", "-q", tree.to_str().unwrap()]);
    let frozen = edgecoder_workspace::freeze(&tree, &FreezeOptions::default(), &live.blobs).unwrap();
    assert_eq!(paths(&frozen), [".gitignore", "dist/a.js"]);
}

#[test]
fn own_ignore_files_are_honoured_and_reported() {
    let live = Live::repository(&[("a", ""), ("big/data", ""), ("sub/x.csv", ""), ("sub/keep.csv", "")]);
    live.write(".edgecoderignore", "big/\n");
    live.write("sub/.edgecoderignore", "*.csv\n!keep.csv\n");
    let options = FreezeOptions { exclude: vec!["/a".into()], ..FreezeOptions::default() };
    let frozen = live.try_freeze(&options).unwrap();
    assert_eq!(paths(&frozen), [".edgecoderignore", "sub/.edgecoderignore", "sub/keep.csv"]);
    assert_eq!(omitted(&frozen), [("a", Ignored), ("big", Ignored), ("sub/x.csv", Ignored)]);
}

#[test]
fn a_plain_folder_honours_gitignore_too() {
    let live = Live::folder(&[(".gitignore", "node_modules\n"), ("node_modules/m/i.js", ""), ("a.js", "")]);
    assert_eq!(paths(&live.freeze()), [".gitignore", "a.js"]);
}

#[test]
fn bounds_are_kept() {
    let live = Live::folder(&[("a", "1234"), ("b", "12345678")]);
    let small = FreezeOptions { max_file_bytes: 4, ..FreezeOptions::default() };
    let frozen = live.try_freeze(&small).unwrap();
    assert_eq!((paths(&frozen), omitted(&frozen)), (vec!["a"], vec![("b", TooLarge)]));
    for options in [
        FreezeOptions { max_total_bytes: 11, ..FreezeOptions::default() },
        FreezeOptions { max_files: 1, ..FreezeOptions::default() },
    ] {
        assert!(matches!(live.try_freeze(&options), Err(Error::TooLarge(_))), "{options:?}");
    }
}

#[test]
fn nothing_to_freeze_is_an_error() {
    let empty = Live::repository(&[]);
    assert!(matches!(empty.try_freeze(&FreezeOptions::default()), Err(Error::Empty { omitted: 0, .. })));
    let only_links = Live::folder(&[]);
    std::os::unix::fs::symlink("/etc/passwd", only_links.root().join("l")).unwrap();
    assert!(matches!(only_links.try_freeze(&FreezeOptions::default()), Err(Error::Empty { omitted: 1, .. })));
    let absent =
        edgecoder_workspace::freeze(&empty.root().join("absent"), &FreezeOptions::default(), &empty.blobs);
    assert!(matches!(absent, Err(Error::Root { .. })));
    let bad = FreezeOptions { allow_secrets: vec!["[".into()], ..FreezeOptions::default() };
    assert!(matches!(only_links.try_freeze(&bad), Err(Error::Glob { .. })));
}

#[test]
fn progress_counts_every_file_once() {
    let live = Live::folder(&[("a", "1"), ("b", "22"), ("c", "333")]);
    let seen = RefCell::new(Vec::new());
    freeze_with(live.root(), &FreezeOptions::default(), &live.blobs, &|p| seen.borrow_mut().push(p)).unwrap();
    let seen = seen.into_inner();
    assert_eq!(
        seen.iter().map(|p| (p.files_done, p.files_total)).collect::<Vec<_>>(),
        [(1, 3), (2, 3), (3, 3)]
    );
    assert_eq!(seen[2].bytes_done, 6);
}

#[test]
fn secrets_stay_out_and_are_named_by_rule_only() {
    // Assembled here, so that this file is not itself full of keys.
    let token = format!("ghp_{}", "0123456789abcdefghijABCDEFGHIJ012345");
    let block = format!("-----BEGIN {} KEY-----\n{}\n", "PRIVATE", "MIIEowIBAAKCAQEA7bq0".repeat(3));
    let aws = format!("key = \"AKIA{}\"", "QWERTY234567ASDF");
    let live = Live::folder(&[
        (".env", "A=b"),
        (".env.example", "A="),
        ("app/config.py", &format!("T = '{token}'")),
        ("app/readme.md", &format!("ghp_{}", "x".repeat(36))),
        ("aws.tf", &aws),
        ("certs/ca.pem", "-----BEGIN CERTIFICATE-----\nMII\n"),
        ("certs/server.pem", "whatever"),
        ("credentials.py", "class Credentials: pass"),
        ("deploy", &block),
        ("docs.md", "AKIAIOSFODNN7EXAMPLE and -----BEGIN PRIVATE KEY-----"),
        ("fixtures/k.key", "x"),
        ("home/id_rsa", "x"),
        ("home/id_rsa.pub", "x"),
        ("marked.py", &format!("T = '{token}'  # edgecoder:allow-secret")),
        ("store.kdbx", "x"),
    ]);
    let options = FreezeOptions { allow_secrets: vec!["fixtures/**".into()], ..FreezeOptions::default() };
    let frozen = live.try_freeze(&options).unwrap();
    let left_out =
        [".env", "app/config.py", "aws.tf", "certs/server.pem", "deploy", "home/id_rsa", "store.kdbx"];
    assert_eq!(omitted(&frozen), left_out.map(|path| (path, Secret)));
    assert_eq!(frozen.omitted[1].detail, "GitHub token");
    let told = format!("{:?}", frozen.omitted);
    assert!(!told.contains(&token) && !told.contains("QWERTY") && !told.contains("MIIE"));
}

#[test]
fn links_and_special_files_are_named_not_followed() {
    let live = Live::folder(&[("real/a", "1")]);
    std::os::unix::fs::symlink("/etc/passwd", live.root().join("passwd")).unwrap();
    std::os::unix::fs::symlink("real", live.root().join("folder")).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, live.root().join("pipe"), 0o600.into()).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(live.root().join("socket")).unwrap();
    let frozen = live.freeze();
    assert_eq!(paths(&frozen), ["real/a"]);
    assert_eq!(omitted(&frozen), ["folder", "passwd", "pipe", "socket"].map(|path| (path, NotRegular)));
}
