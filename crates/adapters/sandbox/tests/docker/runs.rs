//! What a job gets and gives in a container.

use edgecoder_base::Level;
use edgecoder_sandbox::{Artefact, Exit, Job, JobFile, Refused};

use crate::rig::Rig;

#[tokio::test]
async fn the_command_sees_the_tree_with_the_patch_on_it() {
    let Some(rig) = Rig::new() else { return };
    std::os::unix::fs::symlink("README", rig.tree.path().join("link")).unwrap();
    let command = "cat README src/calc.py new/file link; ls src/deep; ./run; cat <link >/dev/null; echo more >>README; id -u; pwd";
    let mut job = rig.job(command);
    job.files = vec![
        JobFile::write("README", "patched\n"),
        JobFile::write("new/file", "new\n"),
        JobFile::delete("src/deep/x"),
        JobFile { executable: true, ..JobFile::write("run", "#!/bin/sh\necho ran \"$SEED\"\n") },
    ];
    job.env.insert("SEED".into(), "7".into());
    let report = rig.run_job(job).await.unwrap();
    let expected = "patched\ndef add(a, b):\n    return a + b\nnew\npatched\nran 7\n65534\n/job\n";
    assert_eq!((report.exit, report.stdout.text().as_str()), (Exit::Code(0), expected), "{report:?}");
    assert_eq!(std::fs::read_to_string(rig.tree.path().join("README")).unwrap(), "read me\n");
    // On a rootless daemon without groups of its own it is S2, and said.
    assert_eq!(report.level >= Level::D2, report.degraded.is_empty(), "{report:?}");
}

#[tokio::test]
async fn the_images_run_what_they_are_for() {
    let Some(rig) = Rig::new() else { return };
    let report = rig
        .run("printf 'def test_x():\\n    assert 1 + 1 == 2\\n' >test_x.py; python -m pytest -q test_x.py")
        .await;
    assert_eq!(report.exit, Exit::Code(0), "{report:?}");
    let mut job = rig.job("node -e 'console.log(1 + 1)'");
    std::fs::write(rig.tree.path().join("package.json"), "{}").unwrap();
    job.limits.processes = 128;
    // It reserves more than it uses, which counts where no group does.
    job.limits.memory_bytes = 2 << 30;
    let report = rig.run_job(job).await.unwrap();
    assert_eq!((report.exit, report.stdout.text()), (Exit::Code(0), "2\n".into()), "{report:?}");
}

#[tokio::test]
async fn artefacts_come_back_as_from_our_own_launcher() {
    let Some(rig) = Rig::new() else { return };
    let command = "mkdir out; echo a >out/a; ln -s /etc/passwd out/b; echo r >report.xml; exit 3";
    let collect = ["report.xml", "missing", "out/"].map(str::to_owned).into();
    let report = rig.run_job(Job { collect, ..rig.job(command) }).await.unwrap();
    let artefact = |name: &str, found| Artefact { name: name.into(), found };
    let expected = [
        artefact("report.xml", Ok(b"r\n".to_vec())),
        artefact("missing", Err(Refused::Missing)),
        artefact("out/a", Ok(b"a\n".to_vec())),
        artefact("out/b", Err(Refused::NotRegular)),
    ];
    assert_eq!((report.exit, report.artefacts.as_slice()), (Exit::Code(3), &expected[..]));
}

#[tokio::test]
async fn output_is_kept_in_part() {
    let Some(rig) = Rig::new() else { return };
    let mut job = rig.job("echo first; head -c 1000000 /dev/zero; echo; echo last; echo complaint >&2");
    job.limits.output_bytes = 32 << 10;
    let report = rig.run_job(job).await.unwrap();
    assert_eq!((report.exit, report.stdout.total), (Exit::Code(0), 1_000_012), "{:?}", report.exit);
    assert!(report.stdout.head.starts_with(b"first\n") && report.stdout.tail.ends_with(b"\nlast\n"));
    assert_eq!(report.stderr.text(), "complaint\n");
}

#[tokio::test]
async fn the_probe_is_contained() {
    let Some(rig) = Rig::new() else { return };
    let probe = rig.sandbox.probe().await;
    assert!(probe.level >= Some(Level::S2) && probe.reason.is_none(), "{probe:?}");
}

#[tokio::test]
async fn many_run_side_by_side() {
    let Some(rig) = Rig::new() else { return };
    let runs = (0..6).map(|number| {
        let job = rig.job(&format!("echo {number} >mine; cat mine; ls /tmp"));
        rig.run_job(job)
    });
    for (number, report) in futures::future::join_all(runs).await.into_iter().enumerate() {
        assert_eq!(report.unwrap().stdout.text(), format!("{number}\n"));
    }
}
