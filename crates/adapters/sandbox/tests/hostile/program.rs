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

/// The compiled program. Whoever comes first compiles it, the others wait; where it lies compiled, nothing need be
/// writable.
pub(crate) fn program() -> PathBuf {
    let place = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let (program, sources) = (place.join("hostile"), sources());
    if is_newer(&program, &sources) {
        return program;
    }
    let lock = File::create(place.join("hostile.lock")).unwrap();
    lock.lock().unwrap();
    if !is_newer(&program, &sources) {
        let draft = place.join("hostile.draft");
        compile(&sources, &draft);
        fs::rename(draft, &program).unwrap();
    }
    program
}

fn sources() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hostile/programs");
    let mut sources: Vec<PathBuf> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    sources.sort();
    sources
}

fn is_newer(program: &Path, sources: &[PathBuf]) -> bool {
    let changed = |path: &Path| fs::metadata(path).and_then(|found| found.modified());
    let newest = sources.iter().map(|path| changed(path).unwrap()).max();
    changed(program).ok() >= newest
}

fn compile(sources: &[PathBuf], program: &Path) {
    let sources = sources.iter().filter(|path| path.extension().is_some_and(|kind| kind == "c"));
    let compiled = Command::new("cc")
        .args(["-O1", "-Wall", "-Wextra", "-Werror", "-pthread", "-o"])
        .arg(program)
        .args(sources)
        .status()
        .expect("the hostile corpus needs a C compiler");
    assert!(compiled.success(), "the hostile programs do not compile");
}
