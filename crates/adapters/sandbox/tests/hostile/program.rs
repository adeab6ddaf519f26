//! The program of all attempts, compiled once.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

/// An executable copy, written by another process: a program that one of ours still holds open to write, if only
/// between fork and exec of another thread, cannot be started.
pub(crate) fn copy(from: &Path, to: &Path) {
    let done = Command::new("install").args(["-m", "755"]).args([from, to]).status().unwrap();
    assert!(done.success(), "{} cannot be copied", from.display());
}

/// The compiled program. Whoever comes first compiles it, the others wait.
pub(crate) fn program() -> PathBuf {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hostile/programs");
    let place = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let lock = File::create(place.join("hostile.lock")).unwrap();
    lock.lock().unwrap();
    let program = place.join("hostile");
    let mut files: Vec<PathBuf> = fs::read_dir(sources).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let changed = |path: &Path| fs::metadata(path).and_then(|found| found.modified());
    let newest = files.iter().map(|path| changed(path).unwrap()).max();
    if changed(&program).ok() < newest {
        let sources = files.iter().filter(|path| path.extension().is_some_and(|kind| kind == "c"));
        let compiled = Command::new("cc")
            .args(["-O1", "-Wall", "-Wextra", "-Werror", "-pthread", "-o"])
            .arg(&program)
            .args(sources)
            .status()
            .expect("the hostile corpus needs a C compiler");
        assert!(compiled.success(), "the hostile programs do not compile");
    }
    program
}
