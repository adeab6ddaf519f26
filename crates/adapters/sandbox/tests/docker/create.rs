//! The request that creates a container is a pure function; this is all of it for one job.

use std::num::NonZeroU32;

use edgecoder_sandbox::docker::{Owner, Room, body};
use edgecoder_sandbox::{Config, Job, LaunchSpec};
use serde_json::Value;

#[test]
fn a_job_becomes_a_container() {
    let config = Config { millicores: NonZeroU32::new(1500), ..Config::default() };
    let launch = LaunchSpec::new(&config, &Job::new("/var/snapshots/1", "pytest -q")).unwrap();
    let owner = Owner {
        pid: 7,
        start: 12_345,
        namespace: "pid:[4026531836]".into(),
        boot: "a-b-c".into(),
        node: Some("ec1node".into()),
    };
    let room = Room { bytes: 3 << 20, inodes: 70 };
    let body = body("sha256:0123", &launch.limits, room, owner.labels(Some("t1.s1.a2")));
    let mut shown = serde_json::to_value(body).unwrap();
    // The profile is text within text; shown as what it says. The names of calls have a test of their own, and
    // differ between architectures.
    let profile = &mut shown["HostConfig"]["SecurityOpt"][1];
    *profile =
        serde_json::from_str::<Value>(profile.as_str().unwrap().strip_prefix("seccomp=").unwrap()).unwrap();
    profile["architectures"] = "here".into();
    for (rule, names) in [(0, "allowed"), (1, "refused")] {
        profile["syscalls"][rule]["names"] = names.into();
    }
    insta::assert_json_snapshot!(shown);
}
