//! The seeded killer of processes, at a few points each time the tests run; `scripts/chaos.py` goes further.

use std::path::Path;
use std::process::Command;

fn check(args: &[&str]) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut command = Command::new("python3");
    command
        .arg(root.join("scripts/chaos.py"))
        .args(["--program", env!("CARGO_BIN_EXE_edgecoder")])
        .args(args);
    let done = command.output();
    assert!(done.is_ok(), "python3 is needed: run `make setup`");
    let done = done.unwrap();
    let (said, complaint) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success(), "{said}{complaint}");
    assert!(said.contains("tasks ended proven") && said.contains("ledger verifies"), "{said}");
}

#[test]
fn hole_25_no_task_is_lost_when_its_processes_are_killed() {
    check(&["--seed", "1", "--points", "8"]);
}

#[test]
fn hole_24_two_coordinators_on_one_database_accept_each_result_once() {
    check(&["--seed", "1", "--points", "8", "--postgres"]);
}
