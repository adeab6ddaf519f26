//! The layers of an execution as rows: the table of docs/security/sandbox.md, filled in for this machine.

use std::num::NonZeroU32;

use edgecoder_sandbox::{Layers, Mode};
use serde::Serialize;

/// How a layer stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum State {
    Held,
    /// Nobody asked for it.
    NotAsked,
    Missing,
}

/// One layer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Row {
    pub(super) layer: &'static str,
    pub(super) state: State,
    /// What was found, in words.
    pub(super) found: String,
    /// What is so without it.
    pub(super) without: &'static str,
}

/// What every run has, or it is refused.
const REQUIRED: &[(&str, &str)] = &[
    ("namespaces", "user, mount, process, network, IPC and host name; ids that nobody else has"),
    ("calls", "an allow list of system calls, arguments of some looked at"),
    ("files", "opened beneath the tree only (openat2)"),
];

/// All layers that `seen` had, where a quota of `millicores` was asked for.
pub(super) fn rows(seen: &Layers, mode: Mode, millicores: Option<NonZeroU32>) -> Vec<Row> {
    let required = REQUIRED.iter().map(|&(layer, found)| Row {
        layer,
        state: State::Held,
        found: found.to_owned(),
        without: "refused",
    });
    required.chain(optional(seen, mode, millicores)).collect()
}

fn optional(seen: &Layers, mode: Mode, millicores: Option<NonZeroU32>) -> Vec<Row> {
    let row = |layer, held: Option<String>, missing: &str, without| Row {
        layer,
        state: if held.is_some() { State::Held } else { State::Missing },
        found: held.unwrap_or_else(|| missing.to_owned()),
        without,
    };
    let group = |version: Option<u8>| version.map(|version| format!("bounded by cgroup version {version}"));
    let when = |held: bool, words: &str| held.then(|| words.to_owned());
    let quota = seen.cpu_quota.map(|quota| format!("{} thousandths of a core", quota.millicores));
    let mut quota = row("quota", quota, "the kernel keeps none", "a run may use every core");
    if millicores.is_none() {
        quota.state = State::NotAsked;
        "sandbox.millicores sets none, a run may use every core".clone_into(&mut quota.found);
    }
    let mut rows = vec![
        row("memory", group(seen.memory_cgroup), "no cgroup", "level S2, looked at from outside"),
        row("processes", group(seen.pids_cgroup), "no cgroup", "level S2, bounded by rlimit"),
        row("share", group(seen.cpu_cgroup), "no cgroup", "a run competes with the node as an equal"),
        quota,
        row(
            "landlock",
            seen.landlock_abi.map(|abi| format!("ABI {abi}")),
            "the kernel has none",
            "one layer less",
        ),
        row("proc", when(seen.proc_mounted, "the run's own processes"), "refused", "some tools fail"),
        row("locks", when(seen.lock_isolation, "private to the run"), "shared", "runs see each other's"),
    ];
    // A container is sent its tree: there is nothing to lay over.
    if mode == Mode::Process {
        rows.push(row(
            "tree",
            when(seen.overlay, "an overlay"),
            "no overlay",
            "it is copied, which takes time",
        ));
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole() -> Layers {
        Layers {
            memory_cgroup: Some(2),
            pids_cgroup: Some(2),
            cpu_cgroup: Some(2),
            landlock_abi: Some(7),
            proc_mounted: true,
            overlay: true,
            lock_isolation: true,
            ..Layers::default()
        }
    }

    #[track_caller]
    fn check(seen: &Layers, mode: Mode, millicores: Option<u32>, missing: &[&str]) {
        let rows = rows(seen, mode, millicores.and_then(NonZeroU32::new));
        let weak: Vec<_> =
            rows.iter().filter(|row| row.state == State::Missing).map(|row| row.layer).collect();
        assert_eq!(weak, missing);
    }

    #[test]
    fn what_is_missing_is_shown_as_what_is_degraded() {
        check(&whole(), Mode::Process, None, &[]);
        check(&whole(), Mode::Process, Some(500), &["quota"]);
        let copied = Layers { overlay: false, ..whole() };
        check(&copied, Mode::Process, None, &["tree"]);
        check(&copied, Mode::Docker, None, &[]);
        let all = ["memory", "processes", "share", "landlock", "proc", "locks", "tree"];
        check(&Layers::default(), Mode::Process, None, &all);
        // Every row here is a word there.
        let degraded = Layers::default().degraded(NonZeroU32::new(1));
        assert_eq!(degraded.len(), all.len() + 1, "{degraded:?}");
    }
}
