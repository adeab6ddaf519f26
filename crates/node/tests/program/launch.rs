//! `edgecoder launch … --write` as a person uses it, in a home of its own.

use std::fs;
use std::path::Path;
use std::process::Output;

use crate::rig;

fn launch(home: &Path, args: &[&str]) -> Output {
    let mut command = rig::command(home);
    command.env("HOME", home).arg("launch").args(args).output().unwrap()
}

#[track_caller]
fn check(output: &Output, status: i32, words: &str) {
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(status), "{said}");
    assert!(said.contains(words), "no {words:?} in: {said}");
}

#[test]
fn settings_are_shown_asked_about_written_once_and_kept_beside() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let file = home.join(".codex/config.toml");
    fs::create_dir(home.join(".codex")).unwrap();
    fs::write(&file, "# mine\nmodel = \"old\"\n").unwrap();
    check(&launch(home, &["codex", "--write"]), 2, "add --yes");
    assert_eq!(fs::read_to_string(&file).unwrap(), "# mine\nmodel = \"old\"\n");
    check(&launch(home, &["codex", "--write", "--yes"]), 0, "+[model_providers.edgecoder]");
    let written = fs::read_to_string(&file).unwrap();
    assert!(written.contains("# mine") && written.contains("wire_api = \"responses\""), "{written}");
    let names = || {
        let entries = fs::read_dir(home.join(".codex")).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    };
    let copies: Vec<_> = names().into_iter().filter(|name| name.starts_with("config.toml.bak-")).collect();
    assert_eq!((copies.len(), names().len()), (1, 2));
    assert_eq!(
        fs::read_to_string(home.join(".codex").join(&copies[0])).unwrap(),
        "# mine\nmodel = \"old\"\n"
    );
    check(&launch(home, &["codex", "--write", "--yes"]), 0, "says so already");
    assert_eq!(names().len(), 2, "nothing changed, so nothing was kept");
}

#[test]
fn what_cannot_be_understood_is_left_alone() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    fs::create_dir_all(home.join(".config/zed")).unwrap();
    let file = home.join(".config/zed/settings.json");
    fs::write(&file, "// a comment\n{}\n").unwrap();
    check(&launch(home, &["zed", "--write", "--yes"]), 2, "is left as it is");
    assert_eq!(fs::read_to_string(&file).unwrap(), "// a comment\n{}\n");
    check(&launch(home, &["cursor", "--write", "--yes"]), 2, "keeps its settings itself");
    check(&launch(home, &["opencode", "--write", "--yes"]), 0, "wrote");
    assert!(
        fs::read_to_string(home.join("opencode.json")).unwrap().contains("\"baseURL\": \"http://127.0.0.1:")
    );
}
