//! G: what a repository brings along. Snapshots are manifests and blobs: there is no archive to be read.

use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use edgecoder_base::{BlobHash, Blobs, FileEntry, Manifest};
use edgecoder_workspace::{FreezeOptions, Trees, freeze};

use crate::Case;
use crate::rig::{Account, Rig};

#[rustfmt::skip]
pub(crate) const CASES: &[Case] = &[
    Case { id: "G01 entry leaves the tree", holds: entries_that_leave },
    Case { id: "G02 link, then a file through it", holds: through_a_link },
    Case { id: "G03 hard link entry", holds: entries_with_more_than_content },
    Case { id: "G04 pipe, set-user, attributes", holds: special_files },
    Case { id: "G05 readers that disagree", holds: no_archive_is_read },
    Case { id: "G06 bombs", holds: sizes_are_counted },
    Case { id: "G07 two headers", holds: no_archive_is_read },
    Case { id: "G08 twins and devices", holds: twins_and_devices },
    Case { id: "G13 clone of a path of others", holds: nothing_is_cloned },
    Case { id: "G15 too deep, too long, too many", holds: bounds },
    Case { id: "G17 build files that run when read", holds: build_files },
    Case { id: "G18 settings of editors and agents", holds: no_settings_are_read },
];

/// Blobs in a folder, where somebody may have changed them.
#[derive(Debug)]
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, hash: &BlobHash) -> std::path::PathBuf {
        self.0.path().join(hash.to_string())
    }
}

impl Blobs for Folder {
    fn contains(&self, hash: &BlobHash) -> bool {
        self.path(hash).is_file()
    }

    fn read(&self, hash: &BlobHash) -> io::Result<Vec<u8>> {
        let bytes = fs::read(self.path(hash))?;
        if BlobHash::of(&bytes) == *hash { Ok(bytes) } else { Err(io::ErrorKind::InvalidData.into()) }
    }

    fn write(&self, bytes: &[u8]) -> io::Result<BlobHash> {
        let hash = BlobHash::of(bytes);
        fs::write(self.path(&hash), bytes)?;
        Ok(hash)
    }

    fn place(&self, hash: &BlobHash, to: &Path) -> io::Result<()> {
        fs::copy(self.path(hash), to).map(drop)
    }
}

fn entry(path: &str) -> FileEntry {
    FileEntry { path: path.into(), hash: BlobHash::of(b""), size: 0, executable: false }
}

fn entries_that_leave() {
    for path in
        ["../../x", "/etc/x", "C:\\x", "C:x", "\\\\host\\share", "a\0b", "a/../b", ".git/config", "a/.GIT/x"]
    {
        let manifest = Manifest { files: vec![entry("0"), entry(path)] };
        assert!(Manifest::from_bytes(&manifest.to_bytes()).is_err(), "{path:?}");
    }
}

fn through_a_link() {
    let manifest = Manifest { files: vec![entry("a"), entry("a/b")] };
    assert!(Manifest::from_bytes(&manifest.to_bytes()).is_err());
    let (live, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fs::write(outside.path().join("secret"), "x").unwrap();
    symlink(outside.path(), live.path().join("link")).unwrap();
    fs::write(live.path().join("plain"), "x").unwrap();
    let frozen = freeze(live.path(), &FreezeOptions::default(), &Folder::new()).unwrap();
    let paths: Vec<&str> = frozen.manifest.files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(paths, ["plain"]);
}

fn entries_with_more_than_content() {
    for extra in ["link", "linkname", "target", "mode", "uid", "mtime", "xattrs", "device"] {
        let mut entry = serde_json::to_value(entry("a")).unwrap();
        entry[extra] = "x".into();
        let manifest = serde_json::to_vec(&serde_json::json!({ "files": [entry] })).unwrap();
        assert!(Manifest::from_bytes(&manifest).is_err(), "{extra}");
    }
}

/// Names that are one file, or a device, on the machine of the next peer.
fn twins_and_devices() {
    for paths in [
        &["Makefile", "makefile"][..],
        &["cafe\u{301}", "caf\u{e9}"],
        &["LIB/x", "lib"],
        &["a", "a"],
        &["nul"],
        &["src/aux.c"],
        &["x."],
    ] {
        let manifest = Manifest { files: paths.iter().map(|path| entry(path)).collect() };
        assert!(Manifest::from_bytes(&manifest.to_bytes()).is_err(), "{paths:?}");
    }
    let live = tempfile::tempdir().unwrap();
    for name in ["Makefile", "makefile", "nul.txt", "plain"] {
        fs::write(live.path().join(name), name).unwrap();
    }
    let frozen = freeze(live.path(), &FreezeOptions::default(), &Folder::new()).unwrap();
    let kept: Vec<&str> = frozen.manifest.files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(kept, ["Makefile", "plain"]);
    let left: Vec<&str> = frozen.omitted.iter().map(|omission| omission.path.as_str()).collect();
    assert_eq!(left, ["makefile", "nul.txt"]);
}

fn special_files() {
    let live = tempfile::tempdir().unwrap();
    let program = live.path().join("program");
    fs::write(&program, "x").unwrap();
    fs::set_permissions(&program, PermissionsExt::from_mode(0o6777)).unwrap();
    assert!(Command::new("mkfifo").arg(live.path().join("pipe")).status().unwrap().success());
    let blobs = Folder::new();
    let frozen = freeze(live.path(), &FreezeOptions::default(), &blobs).unwrap();
    assert_eq!(frozen.manifest.files.len(), 1, "{:?}", frozen.manifest);
    let place = tempfile::tempdir().unwrap();
    let tree = Trees::new(place.path().join("trees")).unwrap().materialise(&frozen.manifest, &blobs).unwrap();
    let mode = fs::metadata(tree.path().join("program")).unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode & 0o7022, 0, "{mode:o}");
}

/// The repository's own lock file names no reader of archives.
fn no_archive_is_read() {
    let lock = fs::read_to_string(root().join("Cargo.lock")).unwrap();
    for reader in
        ["tar", "tokio-tar", "astral-tokio-tar", "async-tar", "zip", "async_zip", "rc-zip", "cpio", "unrar"]
    {
        assert!(!lock.contains(&format!("name = \"{reader}\"\n")), "{reader} reads archives");
    }
    let mut tar = vec![0; 1024];
    tar[..5].copy_from_slice(b"a.txt");
    tar[257..262].copy_from_slice(b"ustar");
    assert!(Manifest::from_bytes(&tar).is_err() && Manifest::from_bytes(b"PK\x03\x04").is_err());
}

fn sizes_are_counted() {
    use edgecoder_base::snapshot::limits::{MAX_FILE_BYTES, MAX_TOTAL_BYTES};
    let sized = |path: String, size| FileEntry { size, ..entry(&path) };
    let one = Manifest { files: vec![sized("a".into(), MAX_FILE_BYTES + 1)] };
    assert!(one.check().is_err());
    let count = MAX_TOTAL_BYTES / MAX_FILE_BYTES + 1;
    let many = Manifest { files: (0..count).map(|n| sized(format!("{n:09}"), MAX_FILE_BYTES)).collect() };
    assert!(many.check().is_err());
    // A size that is not the content's is found when the tree is laid out.
    let blobs = Folder::new();
    let hash = blobs.write(&[0; 4096]).unwrap();
    let manifest = Manifest { files: vec![FileEntry { hash, size: 1, ..entry("a") }] };
    let place = tempfile::tempdir().unwrap();
    assert!(Trees::new(place.path().join("trees")).unwrap().materialise(&manifest, &blobs).is_err());
}

fn nothing_is_cloned() {
    each_source(|path, text| {
        assert!(!text.contains("\"clone\""), "{} clones", path.display());
    });
}

fn bounds() {
    use edgecoder_base::snapshot::limits::{MAX_FILES, MAX_PATH_BYTES};
    let deep = vec!["d"; MAX_PATH_BYTES / 2 + 1].join("/");
    for path in [deep, "x".repeat(256), format!("a/{}", "x".repeat(4096))] {
        assert!(Manifest { files: vec![entry(&path)] }.check().is_err(), "{} bytes", path.len());
    }
    let many = Manifest { files: (0..=MAX_FILES).map(|n| entry(&format!("{n:09}"))).collect() };
    assert!(many.check().is_err());
}

/// Even listing tests runs what the repository says; inside, it reaches nothing.
fn build_files() {
    for account in Account::all() {
        let rig = Rig::new(account);
        let outside = tempfile::tempdir().unwrap();
        fs::set_permissions(outside.path(), PermissionsExt::from_mode(0o777)).unwrap();
        let witness = outside.path().join("ran");
        let makefile = format!(
            "X := $(shell touch {} && echo reached)\nall:\n\t@echo \"$(X)|listed\"\n",
            witness.display()
        );
        let path = rig.tree.path().join("Makefile");
        fs::write(&path, makefile).unwrap();
        rig.own(&path);
        let report = rig.run(rig.job("make --silent"));
        assert_eq!(report.stdout.text(), "|listed\n", "{report:?}");
        assert!(fs::symlink_metadata(&witness).is_err(), "a build file reached the host");
    }
}

/// By these editors and agents are configured, also by a repository that brings them along.
const SETTINGS: [&str; 7] =
    ["vscode/", "claude/", "mcp.json", "AGENTS.md", "CLAUDE.md", "cursor/", "copilot-instructions"];
/// Names such settings, to show changes of them to a person; opens no file.
const NAMES_SETTINGS: &str = "rules/agent/src/review.rs";
/// Writes a person's own settings of another program when asked to; never those of a repository.
const WRITES_SETTINGS: &str = "node/src/cli/launch/write.rs";

/// No program of ours names a file by which editors and agents are configured.
fn no_settings_are_read() {
    each_source(|path, text| {
        if path.ends_with(NAMES_SETTINGS) {
            assert!(!text.contains("fs::") && !text.contains("File::"), "{} opens files", path.display());
            return;
        }
        let below_home = |line: &&str| path.ends_with(WRITES_SETTINGS) && line.contains("home.join(");
        for line in text.lines().filter(|line| !below_home(line)) {
            for name in SETTINGS {
                assert!(!line.contains(name), "{} names {name}", path.display());
            }
        }
    });
}

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(3).unwrap()
}

/// Production code of every crate; what a file ends with to test itself is not.
fn each_source(look: impl Fn(&Path, &str)) {
    let mut folders = vec![root().join("crates")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let is_test = path.components().any(|part| part.as_os_str() == "tests");
            if path.is_dir() && !is_test {
                folders.push(path);
            } else if path.extension().is_some_and(|kind| kind == "rs") && !is_test {
                let text = fs::read_to_string(&path).unwrap();
                look(&path, text.split("#[cfg(test)]\nmod tests").next().unwrap());
            }
        }
    }
}
