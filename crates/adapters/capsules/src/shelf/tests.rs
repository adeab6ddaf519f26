//! A shelf in a folder of its own, and packs that were tampered with.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::process::Command;

use edgecoder_environment::Kind;

use super::*;

const MOST: u64 = 1 << 20;

fn recipe(platform: &str) -> Recipe {
    Recipe {
        kind: Kind::Node,
        steps: 1,
        folder: String::new(),
        inputs: Vec::new(),
        tools: Vec::new(),
        platform: platform.into(),
        complete: true,
        notes: Vec::new(),
    }
}

/// A tree as a build leaves it, archived by the real `tar`.
fn tar(more: &[(&str, &str)]) -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    for (path, text) in
        [("a/run", "#!/bin/sh\necho ran\n"), ("a/data", "one"), ("b/data", "one")].iter().chain(more)
    {
        let path = dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    fs::set_permissions(dir.path().join("a/run"), fs::Permissions::from_mode(0o755)).unwrap();
    symlink("../a/run", dir.path().join("b/run")).unwrap();
    let tar = Command::new("tar")
        .args(["--format=gnu", "--hard-dereference", "--sort=name", "-cf", "-", "-C"])
        .arg(dir.path())
        .arg(".")
        .output()
        .unwrap();
    assert!(tar.status.success());
    tar.stdout
}

struct Rig {
    _dir: tempfile::TempDir,
    shelf: Shelf,
}

fn rig() -> Rig {
    let dir = tempfile::tempdir().unwrap();
    Rig { shelf: Shelf::open(dir.path()).unwrap(), _dir: dir }
}

fn at(ms: i64) -> Timestamp {
    Timestamp::from_millis(ms)
}

#[test]
fn a_build_is_kept_by_content_and_laid_out() {
    let Rig { shelf, _dir } = rig();
    let kept = shelf.keep(recipe("one"), &tar(&[]), MOST, at(1)).unwrap();
    let run = kept.tree.join("a/run");
    assert_eq!(fs::metadata(&run).unwrap().permissions().mode() & 0o777, 0o555);
    assert_eq!(fs::read_link(kept.tree.join("b/run")).unwrap(), Path::new("../a/run"));
    // Twice in the tree and once among the contents.
    assert_eq!(fs::metadata(kept.tree.join("a/data")).unwrap().nlink(), 3);
    let again = shelf.keep(recipe("one"), &tar(&[]), MOST, at(2)).unwrap();
    assert_eq!(again, kept);
    assert_eq!(shelf.find(&recipe("one").identity()).unwrap(), [kept]);
    assert_eq!(shelf.find(&recipe("two").identity()).unwrap(), []);
}

#[test]
fn what_is_too_large_or_leads_out_is_refused() {
    let Rig { shelf, _dir } = rig();
    let refused = shelf.keep(recipe("one"), &tar(&[]), 10, at(1));
    assert!(matches!(refused, Err(Error::TooLarge { most: 10, .. })), "{refused:?}");
    let refused = shelf.keep(recipe("one"), b"no archive", MOST, at(1));
    assert!(matches!(refused, Err(Error::Archive(_))), "{refused:?}");
    assert_eq!(shelf.list().unwrap(), []);
}

#[test]
fn capsules_share_contents_and_take_them_along_when_they_go() {
    let Rig { shelf, _dir } = rig();
    let one = shelf.keep(recipe("one"), &tar(&[]), MOST, at(1)).unwrap();
    let two = shelf.keep(recipe("two"), &tar(&[("c", "only here")]), MOST, at(2)).unwrap();
    assert_eq!(shelf.list().unwrap().iter().map(|kept| kept.hash).collect::<Vec<_>>(), [two.hash, one.hash]);
    assert_eq!(shelf.remove(&two.hash).unwrap(), "only here".len() as u64);
    assert!(matches!(shelf.remove(&two.hash), Err(Error::Missing(_))));
    assert_eq!(shelf.list().unwrap(), std::slice::from_ref(&one));
    assert_eq!(shelf.remove(&one.hash).unwrap(), one.card.bytes - "one".len() as u64);
}

#[test]
fn a_mark_stays_with_its_capsule() {
    let Rig { shelf, _dir } = rig();
    let kept = shelf.keep(recipe("one"), &tar(&[]), MOST, at(1)).unwrap();
    let mark = |baseline, allowed| Mark {
        baseline,
        verifier: "pytest".into(),
        said: "1 passed".into(),
        allowed,
        at: at(3),
    };
    for (mark, usable) in [
        (mark(Some(Baseline::Green), false), true),
        (mark(Some(Baseline::Runs), false), true),
        (mark(Some(Baseline::CannotStart), false), false),
        (mark(Some(Baseline::CannotStart), true), true),
        (mark(None, false), false),
    ] {
        shelf.mark(&kept.hash, &mark).unwrap();
        let found = shelf.get(&kept.hash).unwrap().unwrap().mark.unwrap();
        assert_eq!((found.is_usable(), &found), (usable, &mark));
    }
    let nobody = BlobHash::of(b"nobody");
    assert!(matches!(shelf.mark(&nobody, &mark(None, true)), Err(Error::Missing(_))));
}

fn packed() -> (Kept, Vec<u8>) {
    let Rig { shelf, _dir } = rig();
    let kept = shelf.keep(recipe("one"), &tar(&[]), MOST, at(1)).unwrap();
    shelf
        .mark(
            &kept.hash,
            &Mark { baseline: None, verifier: String::new(), said: String::new(), allowed: true, at: at(1) },
        )
        .unwrap();
    let mut pack = Vec::new();
    shelf.export(&kept.hash, &mut pack).unwrap();
    (kept, pack)
}

#[test]
fn a_pack_brings_the_same_capsule_elsewhere_and_no_mark() {
    let (kept, pack) = packed();
    let Rig { shelf, _dir } = rig();
    let found = shelf.import(&mut pack.as_slice(), Some(kept.hash), MOST, at(9)).unwrap();
    assert_eq!((found.hash, found.card.origin, found.mark), (kept.hash, Origin::Imported, None));
    assert_eq!(fs::read_to_string(found.tree.join("b/data")).unwrap(), "one");
    assert_eq!(fs::metadata(found.tree.join("a/run")).unwrap().permissions().mode() & 0o777, 0o555);
}

#[track_caller]
fn check_tampered(change: impl Fn(&mut Vec<u8>), expected: &str) {
    let (kept, mut pack) = packed();
    change(&mut pack);
    let Rig { shelf, _dir } = rig();
    let refused = shelf.import(&mut pack.as_slice(), Some(kept.hash), MOST, at(9)).unwrap_err();
    assert!(refused.to_string().contains(expected), "{refused}");
    assert_eq!(shelf.list().unwrap(), []);
}

#[test]
fn a_pack_that_was_tampered_with_is_refused() {
    check_tampered(|pack| *pack.last_mut().unwrap() ^= 1, "damaged or was changed");
    check_tampered(|pack| pack.push(b'x'), "something follows");
    check_tampered(|pack| pack.truncate(pack.len() - 1), "breaks off");
    check_tampered(|pack| pack.truncate(10), "breaks off");
    check_tampered(|pack| pack[0] = b'E', "does not begin");
    check_tampered(|pack| pack[27] = 0xff, "too long");
    check_tampered(
        |pack| {
            let at = pack.windows(5).position(|part| part == b"a/run").unwrap();
            pack[at] = b'z';
        },
        "holds capsule",
    );
}

#[test]
fn a_document_is_taken_in_one_form_only() {
    let (_, pack) = packed();
    let Rig { shelf, _dir } = rig();
    let at_length = "edgecoder capsule 1\n".len();
    let length = u64::from_le_bytes(pack[at_length..at_length + 8].try_into().unwrap());
    let end = at_length + 8 + usize::try_from(length).unwrap();
    let mut loose = pack[..at_length].to_vec();
    loose.extend_from_slice(&(length + 1).to_le_bytes());
    loose.extend_from_slice(&pack[at_length + 8..end]);
    loose.push(b' ');
    loose.extend_from_slice(&pack[end..]);
    let refused = shelf.import(&mut loose.as_slice(), None, MOST, at(9)).unwrap_err();
    assert!(refused.to_string().contains("canonical"), "{refused}");
    let small = shelf.import(&mut pack.as_slice(), None, 3, at(9)).unwrap_err();
    assert!(matches!(small, Error::TooLarge { most: 3, .. }), "{small}");
}
