//! What a machine can do to a node: no model, no disk, a database that is damaged, locked or gone. Each is told by
//! its name, nothing that was acknowledged is lost, and work goes on when the cause is over.

use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::process::{Command, Output};

use edgecoder_store::test_support::TestPostgres;
use rusqlite::Connection;
use rustix::process::Signal;
use serde_json::Value;

use crate::rig::{self, Program, edgecoder};

fn complaint(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn repository(home: &Path) {
    fs::create_dir(home.join("repo")).unwrap();
    fs::write(home.join("repo/a.py"), "x = 1\n").unwrap();
}

fn data(home: &Path) -> std::path::PathBuf {
    let data = home.join("data");
    fs::DirBuilder::new().mode(0o700).create(&data).unwrap();
    data
}

/// Asks for work that any coordinator keeps, without waiting for its end.
fn submit(home: &Path) -> Output {
    edgecoder(home, &["task", "Add a function f to a.py.", "--repo", "repo", "--verify", "true", "--detach"])
}

fn finding(report: &Value, subject: &str) -> Value {
    let findings = report["findings"].as_array().unwrap();
    findings.iter().find(|finding| finding["subject"] == subject).unwrap().clone()
}

fn doctor(home: &Path, subject: &str) -> Value {
    let report = edgecoder(home, &["doctor", "--json"]);
    finding(&serde_json::from_slice(&report.stdout).unwrap(), subject)
}

#[test]
fn without_a_model_that_works_the_reason_and_the_fix_are_told() {
    let home = tempfile::tempdir().unwrap();
    repository(home.path());
    let model = home.path().join("broken.gguf");
    for content in [&b""[..], b"<html>not a model</html>", b"GGUF\x03\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff"]
    {
        fs::write(&model, content).unwrap();
        let mut command = rig::command(home.path());
        command.env("EDGECODER_INFERENCE__MODEL_PATH", &model);
        let node = Program::start(command);
        node.await_worker();
        let asked = submit(home.path());
        let said = complaint(&asked);
        assert!(!asked.status.success() && said.contains("model"), "{content:?}: {said}");
        drop(node);
        let mut command = rig::command(home.path());
        command.env("EDGECODER_INFERENCE__MODEL_PATH", &model).args(["doctor", "--json"]);
        let report: Value = serde_json::from_slice(&command.output().unwrap().stdout).unwrap();
        let finding = finding(&report, "model");
        assert_eq!(finding["grade"], "bad", "{content:?}: {finding}");
        assert!(finding["fix"].as_str().unwrap().contains("inference.model_path"), "{finding}");
    }
}

#[test]
fn an_empty_repository_is_refused_and_leaves_no_task() {
    let home = tempfile::tempdir().unwrap();
    fs::create_dir(home.path().join("repo")).unwrap();
    let refused = submit(home.path());
    assert_eq!(refused.status.code(), Some(1));
    assert!(complaint(&refused).contains("nothing to freeze"), "{}", complaint(&refused));
    assert_eq!(edgecoder(home.path(), &["task", "list"]).stdout, b"");
}

#[test]
fn a_damaged_database_stops_the_start_and_doctor_sees_it_too() {
    let home = tempfile::tempdir().unwrap();
    let file = data(home.path()).join("edgecoder.db");
    let garbage = "these are not the rows you are looking for ".repeat(100);
    fs::write(&file, &garbage).unwrap();
    let refused = edgecoder(home.path(), &["up"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(complaint(&refused).contains("not a database"), "{}", complaint(&refused));
    assert_eq!(fs::read_to_string(&file).unwrap(), garbage, "what is not understood is not touched");
    let finding = doctor(home.path(), "database");
    assert_eq!(finding["grade"], "bad", "{finding}");
    assert!(finding["fix"].as_str().unwrap().contains("restore"), "{finding}");
}

#[test]
fn hole_53_an_acknowledged_task_survives_a_kill_at_once() {
    let home = tempfile::tempdir().unwrap();
    let mut node = Program::up(home.path());
    let mut kept = Vec::new();
    for number in 0..5 {
        kept.push(node.prompt(&format!("t{number}")).expect("accepted"));
        node.signal(Signal::KILL);
        node.child.wait().unwrap();
        node = Program::up(home.path());
        for task in &kept {
            let shown = edgecoder(home.path(), &["task", "show", task]);
            assert_eq!(shown.status.code(), Some(0), "{task}: {}", complaint(&shown));
        }
    }
}

#[test]
fn hole_30_a_node_is_the_same_after_a_restart_and_its_worker_is_welcome() {
    let home = tempfile::tempdir().unwrap();
    let names: Vec<String> = (0..3)
        .map(|_| {
            let mut node = Program::up(home.path());
            node.await_worker();
            node.signal(Signal::TERM);
            assert_eq!(node.child.wait().unwrap().code(), Some(0));
            node.name.clone()
        })
        .collect();
    assert!(names.iter().all(|name| *name == names[0]), "{names:?}");
}

#[test]
fn a_database_that_another_process_locks_refuses_by_name_and_works_again() {
    let home = tempfile::tempdir().unwrap();
    let node = Program::up(home.path());
    let before = node.prompt("before").unwrap();
    let other = Connection::open(home.path().join("data/edgecoder.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert_eq!(node.prompt("while"), Err((503, "store_unavailable".to_owned())));
    assert_eq!(edgecoder(home.path(), &["task", "show", &before]).status.code(), Some(0), "it can be read");
    other.execute_batch("ROLLBACK").unwrap();
    assert_eq!(node.prompt("while"), Ok("while".to_owned()));
}

#[test]
fn a_postgres_that_is_gone_refuses_by_name_and_nothing_is_lost() {
    let home = tempfile::tempdir().unwrap();
    let server = TestPostgres::start();
    let mut command = rig::command(home.path());
    command.env("DATABASE_URL", server.database("node"));
    let node = Program::start(command);
    assert_eq!(node.prompt("before"), Ok("before".to_owned()));
    server.stop();
    assert_eq!(node.prompt("while"), Err((503, "store_unavailable".to_owned())));
    server.resume();
    assert_eq!(node.prompt("while"), Ok("while".to_owned()));
    assert_eq!(node.ask("GET", "/tasks/before", None).0, 200);
}

#[test]
fn a_full_disk_refuses_by_name_and_work_goes_on_with_space() {
    let home = tempfile::tempdir().unwrap();
    let data = data(home.path());
    let mut command = Command::new("unshare");
    let inner = rig::command(home.path());
    command
        .args(["--user", "--map-root-user", "--mount", "sh", "-c"])
        .arg(r#"mount -t tmpfs -o size=6m,mode=700 tmpfs "$0" && exec "$@""#)
        .arg(&data)
        .arg(inner.get_program());
    rig::same_environment(&mut command, &inner);
    let mut node = Program::start(command);
    // The node's own view of its data directory, through which the test fills it.
    let inside = Path::new("/proc")
        .join(node.child.id().to_string())
        .join("root")
        .join(data.strip_prefix("/").unwrap());
    let ballast = inside.join("ballast");
    assert_eq!(node.prompt("before"), Ok("before".to_owned()));
    let mut file = fs::File::create(&ballast).unwrap();
    let full = std::io::copy(&mut std::io::repeat(1), &mut file).unwrap_err();
    assert_eq!(full.kind(), std::io::ErrorKind::StorageFull);
    drop(file);
    let refused = (0..2_000).find_map(|number| node.prompt(&format!("filler{number}")).err());
    assert_eq!(refused, Some((507, "storage_full".to_owned())));
    assert_eq!(node.ask("GET", "/tasks/before", None).0, 200);
    fs::remove_file(ballast).unwrap();
    assert_eq!(node.prompt("after"), Ok("after".to_owned()));
    assert_eq!(node.ask("GET", "/ledger/verify", None).1["ok"], true);
    node.signal(Signal::TERM);
    assert_eq!(node.child.wait().unwrap().code(), Some(0));
}
