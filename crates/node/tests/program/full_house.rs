//! Hostile programs in every slot, and a node beside them that goes on answering.

use std::time::Duration;

use edgecoder_sandbox::{Config, Exit, Job, Limits, Sandbox};
use tokio_util::sync::CancellationToken;

use crate::rig::Program;

/// What takes processors, processes, memory, and the attention of whoever reads its output.
const HOSTILE: &[&str] = &[
    "b() { b | b & b; }; b",
    "while :; do :; done & while :; do :; done & while :; do :; done",
    "x=$(head -c 900000000 /dev/zero | tr '\\0' x); while :; do :; done",
    "yes",
];
const WALL: Duration = Duration::from_secs(2);

/// Only that they answer: how soon depends on who else uses the machine, and is measured by `benches/sandbox`.
#[test]
fn doors_answer_while_hostile_programs_have_every_core() {
    let home = tempfile::tempdir().unwrap();
    let node = Program::up(home.path());
    let tests = std::env::current_exe().unwrap();
    let jail = tests.parent().and_then(std::path::Path::parent).unwrap().join("edgecoder-jail");
    let sandbox = Sandbox::new(Config { jail: Some(jail), ..Config::default() }).unwrap();
    let run = |command: &str| {
        let tree = tempfile::tempdir().unwrap();
        let limits = Limits { wall: WALL, memory_bytes: 512 << 20, ..Limits::default() };
        let job = Job { limits, ..Job::new(tree.path(), command) };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(sandbox.run(job, CancellationToken::new())).unwrap().exit
    };
    let mut answers = 0;
    std::thread::scope(|scope| {
        let house: Vec<_> = HOSTILE.iter().map(|command| scope.spawn(|| run(command))).collect();
        while house.iter().any(|slot| !slot.is_finished()) {
            let (status, _) = node.ask("GET", "/health", None);
            assert_eq!(status, 200);
            answers += 1;
        }
        for slot in house {
            assert_ne!(slot.join().unwrap(), Exit::Code(0), "none of them ends by itself");
        }
    });
    assert!(answers > 0);
    assert_eq!(node.ask("GET", "/health", None).0, 200);
}
