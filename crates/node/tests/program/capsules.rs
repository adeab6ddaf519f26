//! `edgecoder capsule …` as a person uses it. What is downloaded here comes from this machine, or from nowhere.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::Output;

use serde_json::Value;

use crate::rig;

/// The program with `index` as the index of Python packages.
fn capsule(home: &Path, index: &str, args: &[&str]) -> Output {
    let mut command = rig::command(home);
    command.env("EDGECODER_CAPSULE__PIP_INDEX", index);
    command.arg("capsule").args(args).output().unwrap()
}

#[track_caller]
fn check(output: &Output, status: i32, words: &[&str]) -> String {
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    let said = format!("{stdout}{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(status), "{said}");
    for words in words {
        assert!(said.contains(words), "no {words:?} in: {said}");
    }
    stdout
}

fn repository(home: &Path, requirements: &str) -> String {
    let repo = home.join("repo");
    fs::create_dir_all(&repo).unwrap();
    fs::write(repo.join("requirements.txt"), requirements).unwrap();
    fs::write(repo.join("test_it.py"), "import unittest, sys\nclass T(unittest.TestCase):\n    def test(self):\n        self.assertIn('/capsule/python', sys.prefix)\n").unwrap();
    repo.to_str().unwrap().to_owned()
}

#[test]
fn nobody_is_asked_before_a_person_agreed() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let repo = repository(home, "six==1.16.0\nloose\n");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let host = listener.local_addr().unwrap().to_string();
    let index = format!("http://{host}/simple");
    let plan = capsule(home, &index, &["plan", "--repo", &repo]);
    let downloads = format!("from {host}, and from no other host");
    check(&plan, 0, &["python", "requirements.txt", &downloads, "loose is not pinned"]);
    let plan: Value =
        serde_json::from_slice(&capsule(home, &index, &["plan", "--repo", &repo, "--json"]).stdout).unwrap();
    assert_eq!(plan["plan"][0]["hosts"], serde_json::json!([host]));
    check(&capsule(home, &index, &["build", "--repo", &repo]), 2, &[&downloads, "add --yes to agree"]);
    assert!(listener.accept().is_err(), "somebody was asked");
    check(&capsule(home, &index, &["list"]), 0, &["no capsules yet"]);
    let empty = home.join("empty");
    fs::create_dir(&empty).unwrap();
    fs::write(empty.join("README"), "no dependencies\n").unwrap();
    check(&capsule(home, &index, &["plan", "--repo", empty.to_str().unwrap()]), 0, &["no lock file"]);
    check(&capsule(home, "ftp://x", &["list"]), 2, &["capsule.pip_index", "begins with http"]);
}

#[test]
fn modes_that_cannot_hold_capsules_refuse_before_anything_is_done() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let repo = repository(home, "six==1.16.0\n");
    let run = |args: &[&str]| rig::command(home).env("SANDBOX_MODE", "none").args(args).output().unwrap();
    let words = ["capsules are built and shown in mode `process` only"];
    check(&run(&["capsule", "build", "--repo", &repo, "--yes"]), 1, &words);
    check(&run(&["capsule", "plan", "--repo", &repo]), 0, &words);
}

#[test]
fn a_capsule_is_built_tried_moved_and_removed() {
    let (home, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (home, other) = (home.path(), other.path());
    // Nothing to be downloaded, so no index is reached.
    let repo = repository(home, "# nothing yet\n");
    let index = "http://127.0.0.1:9/simple";
    let verify = ["--verify", "python3 -m unittest -q"];
    let build = [&["build", "--repo", &repo, "--yes"], &verify[..]].concat();
    check(&capsule(home, index, &build), 0, &["built ", "green"]);
    let list: Value = serde_json::from_slice(&capsule(home, index, &["list", "--json"]).stdout).unwrap();
    let name = list["capsules"][0]["capsule"].as_str().unwrap();
    assert_eq!(
        (&list["capsules"][0]["usable"], list["capsules"].as_array().unwrap().len()),
        (&true.into(), 1)
    );
    check(&capsule(home, index, &build), 0, &["nothing to build", "green"]);
    check(&capsule(home, index, &["show", &name[..8]]), 0, &[name, "built here", "requirements.txt"]);
    let pack = home.join("pack");
    let pack_path = pack.to_str().unwrap();
    check(&capsule(home, index, &["export", name, pack_path]), 0, &[name]);
    check(&capsule(home, index, &["export", name, pack_path]), 1, &["cannot create"]);
    check(&capsule(other, index, &["import", pack_path, "--expect", name]), 0, &[name]);
    check(&capsule(other, index, &["show", &name[..8]]), 0, &["imported", "not tried yet"]);
    let mut bytes = fs::read(&pack).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&pack, bytes).unwrap();
    check(&capsule(other, index, &["import", pack_path]), 1, &["damaged or was changed"]);
    check(&capsule(home, index, &["rm", "ffffffffffff"]), 2, &["no capsule begins with"]);
    check(&capsule(home, index, &["rm", name]), 0, &["removed"]);
    check(&capsule(home, index, &["list"]), 0, &["no capsules yet"]);
}

#[test]
fn a_verifier_that_cannot_start_says_so() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let repo = repository(home, "");
    let build = ["build", "--repo", &repo, "--yes", "--verify", "python3 -m not_there"];
    check(&capsule(home, "http://127.0.0.1:9/", &build), 1, &["cannot start", "No module named not_there"]);
    let allowed = [&build[..], &["--unverified"]].concat();
    check(&capsule(home, "http://127.0.0.1:9/", &allowed), 0, &["whatever a verifier says"]);
    check(&capsule(home, "http://127.0.0.1:9/", &["list"]), 0, &["cannot start, allowed by you"]);
}
