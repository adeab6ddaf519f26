//! Children that crash, obey and disobey; `sh` plays them all.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise, in shared functions too")]

use super::*;

fn spec(script: &str) -> ChildSpec {
    let args = vec!["-c".into(), script.into()];
    ChildSpec { first_pause: Duration::from_millis(1), ..ChildSpec::new("test", "/bin/sh".into(), args) }
}

/// Starts the child; the set stops it with the test.
fn start(spec: ChildSpec) -> (tokio::task::JoinSet<()>, watch::Receiver<ChildState>, CancellationToken) {
    let (supervisor, state) = Supervisor::new(spec);
    let shutdown = CancellationToken::new();
    let mut set = tokio::task::JoinSet::new();
    set.spawn(supervisor.run(shutdown.clone()));
    (set, state, shutdown)
}

async fn running_pid(state: &mut watch::Receiver<ChildState>) -> u32 {
    let seen = state.wait_for(|state| matches!(state, ChildState::Running { .. })).await.unwrap();
    let ChildState::Running { pid } = *seen else { unreachable!() };
    pid
}

fn is_alive(pid: u32) -> bool {
    let pid = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    rustix::process::test_kill_process(pid).is_ok()
}

#[tokio::test]
async fn a_child_that_ends_is_started_again() {
    let (_set, mut state, _) = start(spec("exit 7"));
    let seen = state.wait_for(|state| matches!(state, ChildState::Restarting { .. })).await.unwrap().clone();
    let ChildState::Restarting { reason, pause } = seen else { unreachable!() };
    assert!(reason.contains('7') && pause >= Duration::from_millis(1), "{reason}");
    let first = running_pid(&mut state).await;
    state.wait_for(|state| matches!(state, ChildState::Running { pid } if *pid != first)).await.unwrap();
}

#[tokio::test]
async fn a_killed_child_is_replaced_and_a_stop_leaves_none() {
    let (mut set, mut state, shutdown) = start(spec("exec cat"));
    let first = running_pid(&mut state).await;
    let pid = rustix::process::Pid::from_raw(i32::try_from(first).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    let fresh = |state: &ChildState| matches!(state, ChildState::Running { pid } if *pid != first);
    let ChildState::Running { pid: second } = *state.wait_for(fresh).await.unwrap() else { unreachable!() };
    shutdown.cancel();
    set.join_next().await.unwrap().unwrap();
    assert_eq!(*state.borrow(), ChildState::Stopped);
    assert!(!is_alive(first) && !is_alive(second));
}

#[tokio::test]
async fn a_child_that_does_not_listen_is_killed_after_the_grace() {
    let deaf = "trap '' TERM; echo ready >&2; while :; do read -r _ || :; done";
    let (mut set, mut state, shutdown) = start(ChildSpec { grace: Duration::from_millis(50), ..spec(deaf) });
    let pid = running_pid(&mut state).await;
    shutdown.cancel();
    set.join_next().await.unwrap().unwrap();
    assert!(!is_alive(pid));
}

#[tokio::test]
async fn a_program_that_does_not_exist_is_reported() {
    let missing = ChildSpec { program: "/nonexistent/edgecoder".into(), ..spec("") };
    let (_set, mut state, _) = start(missing);
    let seen = state.wait_for(|state| matches!(state, ChildState::Restarting { .. })).await.unwrap().clone();
    assert!(
        matches!(seen, ChildState::Restarting { reason, .. } if reason.contains("/nonexistent/edgecoder"))
    );
}

#[test]
fn pauses_double_up_to_the_longest() {
    let spec = ChildSpec::new("x", "x".into(), vec![]);
    let pauses = [1, 2, 3, 7, 8, 1000].map(|failures| spec.pause(failures).as_millis());
    assert_eq!(pauses, [250, 500, 1000, 16_000, 30_000, 30_000]);
}
