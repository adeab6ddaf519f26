//! The real program, as a person runs it: processes, signals, exit statuses.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise, in shared functions too")]

mod bad_input;
mod capsules;
mod chaos;
mod full_house;
mod ide;
mod launch;
mod models;
mod rig;

use std::io::Read;
use std::net::TcpListener;

use rig::{Program, edgecoder};
use rustix::process::Signal;

#[test]
fn a_node_opens_its_doors_without_a_model_and_stops_without_leaving_anybody() {
    let home = tempfile::tempdir().unwrap();
    let mut node = Program::up(home.path());
    assert_eq!(node.doors.len(), 5);
    let status = edgecoder(home.path(), &["status", "--json"]);
    assert_eq!(status.status.code(), Some(0));
    let status: serde_json::Value = serde_json::from_slice(&status.stdout).unwrap();
    assert_eq!(status["node"]["pid"], node.child.id());
    assert_eq!(status["health"]["ok"], true);
    node.signal(Signal::TERM);
    assert_eq!(node.child.wait().unwrap().code(), Some(0));
    node.wait_for_descendants();
    assert_eq!(edgecoder(home.path(), &["status"]).status.code(), Some(5));
}

#[test]
fn a_killed_node_takes_its_children_along_and_its_place_is_free_again() {
    let home = tempfile::tempdir().unwrap();
    let mut node = Program::up(home.path());
    let second = edgecoder(home.path(), &["up"]);
    let complaint = String::from_utf8(second.stderr).unwrap();
    assert!(complaint.contains(&format!("(process {})", node.child.id())), "{complaint}");
    node.signal(Signal::KILL);
    node.child.wait().unwrap();
    node.wait_for_descendants();
    let mut again = Program::up(home.path());
    again.signal(Signal::INT);
    assert_eq!(again.child.wait().unwrap().code(), Some(0));
}

#[test]
fn two_data_directories_are_two_nodes() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (first, second) = (Program::up(one.path()), Program::up(two.path()));
    assert_ne!(first.name, second.name);
}

#[test]
fn a_taken_port_is_named_with_its_holder_and_the_way_out() {
    let home = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    std::fs::write(home.path().join("edgecoder.toml"), format!("[portal]\nport = {port}\n")).unwrap();
    let refused = rig::command(home.path()).env_remove("EDGECODER_PORTAL__PORT").arg("up").output().unwrap();
    let complaint = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        complaint.contains(&format!("portal.port {port}")) && complaint.contains("--alt-ports"),
        "{complaint}"
    );
}

#[test]
fn exit_statuses_tell_usage_settings_and_absence_apart() {
    let home = tempfile::tempdir().unwrap();
    let check = |args: &[&str], code: i32| {
        let done = edgecoder(home.path(), args);
        assert_eq!(done.status.code(), Some(code), "{args:?}: {}", String::from_utf8_lossy(&done.stderr));
    };
    check(&["config", "check"], 0);
    check(&["config", "schema"], 0);
    check(&["completions", "bash"], 0);
    check(&["man"], 0);
    check(&["task"], 2);
    check(&["config", "check", "--log", "=="], 2);
    check(&["config", "check", "--config", "/nonexistent.toml"], 1);
    check(&["status"], 5);
    check(&["status", "--coordinator", "http://127.0.0.1:1"], 5);
}

#[test]
fn the_books_are_read_without_a_running_node() {
    let home = tempfile::tempdir().unwrap();
    let listed = edgecoder(home.path(), &["task", "list"]);
    assert_eq!((listed.status.code(), listed.stdout), (Some(0), Vec::new()));
    let verified = edgecoder(home.path(), &["ledger", "verify", "--json"]);
    let verdict: serde_json::Value = serde_json::from_slice(&verified.stdout).unwrap();
    assert_eq!(verdict["ok"], true);
    let unknown = edgecoder(home.path(), &["task", "show", "task_1"]);
    assert_eq!(unknown.status.code(), Some(1));
    assert!(String::from_utf8(unknown.stderr).unwrap().contains("not_found"));
}

#[test]
fn the_check_up_can_be_pasted() {
    let home = tempfile::tempdir().unwrap();
    let mut command = rig::command(home.path());
    command.env("HOME", home.path()).env("MESH_AUTH_TOKEN", "hunter2hunter2").env("USER", "ada");
    let report = command.args(["doctor", "--json"]).output().unwrap();
    let text = String::from_utf8(report.stdout).unwrap();
    let parsed: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(parsed["ok"], false, "there is no model");
    assert!(!text.contains("hunter2") && !text.contains(home.path().to_str().unwrap()), "{text}");
}

#[test]
fn a_reader_that_leaves_early_is_no_failure() {
    let home = tempfile::tempdir().unwrap();
    let mut child = rig::command(home.path())
        .args(["config", "schema"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let mut complaint = String::new();
    child.stderr.take().unwrap().read_to_string(&mut complaint).unwrap();
    assert_eq!((child.wait().unwrap().code(), complaint.as_str()), (Some(0), ""));
}

#[test]
fn hole_23_out_of_the_box_a_task_is_done_and_proven() {
    let home = tempfile::tempdir().unwrap();
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let done = rig::command(home.path())
        .env_remove("EDGECODER_INFERENCE__MODEL_PATH")
        .args(["task", "Add a function count_vowels(s) to textstats/counts.py that returns the number of vowels in s, ignoring case."])
        .args(["--verify", "/usr/bin/python3 -m unittest -q", "--json", "--repo"])
        .arg(root.join("examples/textstats"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&done.stdout);
    assert_eq!(done.status.code(), Some(0), "{said}{}", String::from_utf8_lossy(&done.stderr));
}
