//! Blobs on disk: whole or absent, never another's, and gone only when nobody needs them.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::time::{Duration, SystemTime};

use edgecoder_base::{BlobHash, Blobs};
use edgecoder_store::BlobDir;

const GRACE: Duration = Duration::from_secs(3_600);

fn open() -> (tempfile::TempDir, BlobDir) {
    let directory = tempfile::tempdir().unwrap();
    let blobs = BlobDir::open(directory.path().join("blobs")).unwrap();
    (directory, blobs)
}

/// Replaces what is on disk, as a failing disk would.
fn damage(path: &Path, bytes: &[u8]) {
    fs::remove_file(path).unwrap();
    fs::write(path, bytes).unwrap();
}

#[test]
fn a_blob_is_read_as_it_was_written() {
    let (_directory, blobs) = open();
    for bytes in [&b""[..], b"hello", &[0, 159, 146, 150], &vec![7; 3_000_000]] {
        let hash = blobs.write(bytes).unwrap();
        assert_eq!(hash, BlobHash::of(bytes));
        assert!(blobs.contains(&hash));
        assert_eq!(blobs.read(&hash).unwrap(), bytes);
    }
}

#[test]
fn an_absent_blob_is_not_found() {
    let (directory, blobs) = open();
    let hash = BlobHash::of(b"never written");
    assert!(!blobs.contains(&hash));
    assert_eq!(blobs.read(&hash).unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(blobs.place(&hash, &directory.path().join("to")).unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn a_damaged_blob_is_told_and_a_cut_one_is_written_again() {
    let (_directory, blobs) = open();
    let hash = blobs.write(b"hello").unwrap();
    for bytes in [&b"jello"[..], b"hel", b""] {
        damage(&blobs.path(&hash), bytes);
        assert_eq!(blobs.read(&hash).unwrap_err().kind(), ErrorKind::InvalidData, "{bytes:?}");
    }
    blobs.write(b"hello").unwrap();
    assert_eq!(blobs.read(&hash).unwrap(), b"hello");
}

#[test]
fn what_a_crash_left_half_written_is_no_blob() {
    let (_directory, blobs) = open();
    let hash = BlobHash::of(b"hello");
    let root = blobs.path(&hash).parent().unwrap().parent().unwrap().to_owned();
    fs::write(root.join("tmp/.tmpAbCdEf"), b"hel").unwrap();
    assert!(!blobs.contains(&hash));
    blobs.write(b"hello").unwrap();
    assert_eq!(blobs.read(&hash).unwrap(), b"hello");
    let later = SystemTime::now() + GRACE;
    assert_eq!(blobs.collect_garbage(&[hash].into(), GRACE, later).unwrap(), 3, "and it is swept away");
}

#[test]
fn a_name_is_a_hash_and_nothing_else() {
    for name in
        ["", "../../etc/passwd", "..", "/etc/passwd", &"g".repeat(64), &"a".repeat(63), &"a".repeat(65)]
    {
        assert!(name.parse::<BlobHash>().is_err(), "{name:?}");
    }
    let (directory, blobs) = open();
    let path = blobs.path(&BlobHash::from_bytes([0x2e; 32]));
    assert!(path.starts_with(directory.path().join("blobs")));
}

#[test]
fn garbage_is_what_is_old_and_not_needed() {
    let (_directory, blobs) = open();
    let [needed, needless, seen_again] =
        [b"needed", b"needls", b"seen a"].map(|bytes| blobs.write(bytes).unwrap());
    let keep = BTreeSet::from([needed]);
    let now = SystemTime::now();
    assert_eq!(blobs.collect_garbage(&keep, GRACE, now).unwrap(), 0, "young ones may be of a task to come");
    for hash in [&needed, &needless, &seen_again] {
        let file = fs::File::open(blobs.path(hash)).unwrap();
        file.set_modified(now - 2 * GRACE).unwrap();
    }
    blobs.write(b"seen a").unwrap();
    assert_eq!(blobs.collect_garbage(&keep, GRACE, now).unwrap(), 6);
    assert_eq!([needed, needless, seen_again].map(|hash| blobs.contains(&hash)), [true, false, true]);
}

#[test]
fn a_blob_is_placed_once_and_never_over_something() {
    let (directory, blobs) = open();
    let hash = blobs.write(b"hello").unwrap();
    let to = directory.path().join("placed");
    blobs.place(&hash, &to).unwrap();
    assert_eq!(fs::read(&to).unwrap(), b"hello");
    assert_eq!(blobs.place(&hash, &to).unwrap_err().kind(), ErrorKind::AlreadyExists);
    assert_eq!(blobs.read(&hash).unwrap(), b"hello", "and the blob is as it was");
    fs::remove_file(&to).unwrap();
    assert_eq!(blobs.read(&hash).unwrap(), b"hello");
}

#[test]
fn many_writers_of_one_blob_leave_one_whole_blob() {
    let (_directory, blobs) = open();
    let bytes = vec![42; 100_000];
    let hash = BlobHash::of(&bytes);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..20 {
                    assert_eq!(blobs.write(&bytes).unwrap(), hash);
                    assert_eq!(blobs.read(&hash).unwrap(), bytes);
                }
            });
        }
    });
    let tmp = blobs.path(&hash).parent().unwrap().parent().unwrap().join("tmp");
    assert_eq!(fs::read_dir(tmp).unwrap().count(), 0, "nothing is left over");
}
