//! Every layer missing, one after the other: the exact level and words, or a refusal. Nothing is ever weaker without
//! saying so.

use std::num::NonZeroU32;

use edgecoder_base::Level;
use edgecoder_sandbox::{Config, Error, Fault, Job, Sandbox};
use tokio_util::sync::CancellationToken;

use crate::rig::Rig;

/// What comes of a missing layer.
enum Outcome {
    /// A run at the level of an unbroken one, less `to`, that names what is missing by its first word.
    Runs { to: Option<Level>, words: &'static [&'static str] },
    /// No run, for a reason that names the step.
    Refused(&'static str),
}

use Outcome::{Refused, Runs};

#[rustfmt::skip]
const TABLE: &[(Fault, Outcome)] = &[
    (Fault::UserNamespace, Refused("creating namespaces")),
    (Fault::NetNamespace, Refused("creating namespaces")),
    (Fault::PidNamespace, Refused("creating namespaces")),
    (Fault::IdMaps, Refused("mapping user ids")),
    // A root without ids of its own to hand out is refused there too.
    (Fault::CgroupEntry, Refused("joining the cgroup")),
    (Fault::CgroupNamespace, Refused("entering a cgroup namespace")),
    (Fault::Privileges, Refused("dropping capabilities")),
    (Fault::Limits, Refused("setting limits")),
    (Fault::Mount, Refused("mounting a tmpfs")),
    (Fault::Loopback, Refused("bringing up the loopback interface")),
    (Fault::Seccomp, Refused("filter")),
    (Fault::Openat2, Refused("asking for openat2")),
    (Fault::MemoryCgroup, Runs { to: Some(Level::S2), words: &["memory"] }),
    (Fault::PidsCgroup, Runs { to: Some(Level::S2), words: &["processes"] }),
    (Fault::CpuCgroup, Runs { to: None, words: &["cpu", "quota"] }),
    (Fault::CpuQuota, Runs { to: None, words: &["quota"] }),
    (Fault::Overlay, Runs { to: None, words: &["copy", "locks"] }),
    (Fault::Proc, Runs { to: None, words: &["proc"] }),
    (Fault::ProcSubset, Runs { to: None, words: &["proc"] }),
    (Fault::Landlock, Runs { to: None, words: &["landlock"] }),
];

fn first_words(degraded: &[String]) -> Vec<&str> {
    degraded.iter().filter_map(|words| words.split(':').next()).collect()
}

#[tokio::test]
async fn every_missing_layer_has_its_level_or_its_refusal() {
    let mut rig = Rig::new();
    let config = Config { millicores: NonZeroU32::new(2000), ..crate::rig::config() };
    rig.sandbox = Sandbox::new(config).unwrap();
    let whole = rig.run("true").await;
    let before = first_words(&whole.degraded);
    for (fault, outcome) in TABLE {
        let sandbox = rig.sandbox.clone().with_faults([*fault]);
        let ended = sandbox.run(rig.job("cat README"), CancellationToken::new()).await;
        match (outcome, ended) {
            (Refused(step), Err(Error::Unavailable { reason, .. })) => {
                assert!(reason.contains(step), "{fault:?}: {reason}");
            }
            (Runs { to, words }, Ok(report)) => {
                assert_eq!(report.level, to.unwrap_or(whole.level).min(whole.level), "{fault:?}");
                let mut expected = [before.as_slice(), words].concat();
                let mut said = first_words(&report.degraded);
                expected.sort_unstable();
                expected.dedup();
                said.sort_unstable();
                assert_eq!(said, expected, "{fault:?}");
                assert_eq!(report.stdout.text(), "read me\n", "{fault:?}");
            }
            (_, ended) => panic!("{fault:?}: {ended:?}"),
        }
    }
}

#[tokio::test]
async fn a_level_that_cannot_be_reached_is_refused_before_the_command() {
    let rig = Rig::new();
    let level = rig.run("true").await.level;
    let ask = async |sandbox: &edgecoder_sandbox::Sandbox, min_level| {
        sandbox.run(Job { min_level, ..rig.job("true") }, CancellationToken::new()).await
    };
    assert!(ask(&rig.sandbox, level).await.is_ok());
    let weaker = rig.sandbox.clone().with_faults([Fault::MemoryCgroup]);
    for (sandbox, asked) in [(&weaker, Level::S3), (&rig.sandbox, Level::S4)] {
        let refused = ask(sandbox, asked).await;
        assert!(
            matches!(&refused, Err(Error::Unavailable { reason, .. }) if reason.contains(&asked.to_string())),
            "{refused:?}"
        );
    }
}

#[tokio::test]
async fn work_that_asks_for_confinement_never_runs_without() {
    let rig = Rig::new();
    let lax = edgecoder_sandbox::Config { required: false, ..crate::rig::config() };
    let none = edgecoder_sandbox::Config { mode: edgecoder_sandbox::Mode::None, ..crate::rig::config() };
    for config in [lax, none] {
        let sandbox = edgecoder_sandbox::Sandbox::new(config).unwrap().with_faults([Fault::UserNamespace]);
        let refused =
            sandbox.run(Job { min_level: Level::S2, ..rig.job("true") }, CancellationToken::new()).await;
        assert!(matches!(refused, Err(Error::Unavailable { .. })), "{refused:?}");
    }
}
