//! The patch laid over the tree.

use edgecoder_sandbox::{Error, Exit, JobFile};

use crate::rig::Rig;

#[tokio::test]
async fn files_are_created_replaced_deleted_and_made_executable() {
    let rig = Rig::new();
    let mut job = rig.job("find . -type f | sort | xargs stat -c '%a %s %n'; ./tool; cat README");
    job.files = vec![
        JobFile::write("README", "new\n"),
        JobFile::delete("src/calc.py"),
        JobFile::delete("src/never/there"),
        JobFile::write("a/b/c/d", vec![0_u8, 255, 10]),
        JobFile { executable: true, ..JobFile::write("tool", "#!/bin/sh\necho ran\n") },
    ];
    let report = rig.run_job(job).await;
    let expected = "644 4 ./README\n644 3 ./a/b/c/d\n644 2 ./src/deep/x\n755 19 ./tool\nran\nnew\n";
    assert_eq!((report.exit, report.stdout.text()), (Exit::Code(0), expected.into()), "{report:?}");
    assert_eq!(std::fs::read_to_string(rig.tree.path().join("README")).unwrap(), "read me\n");
}

#[tokio::test]
async fn paths_that_leave_the_tree_are_refused() {
    let rig = Rig::new();
    std::os::unix::fs::symlink("/tmp", rig.tree.path().join("link")).unwrap();
    for path in [
        "/etc/passwd",
        "../x",
        "a/../../x",
        "",
        ".",
        "a//b",
        "x\0y",
        "link/x",
        "README/x",
        ".git/config",
        "src",
    ] {
        let mut job = rig.job("true");
        job.files = vec![JobFile::write(path, "x")];
        let refused = rig.sandbox.run(job, Default::default()).await;
        assert!(matches!(refused, Err(Error::InvalidJob(_))), "{path:?}: {refused:?}");
    }
}

#[tokio::test]
async fn jobs_that_make_no_sense_are_refused() {
    let rig = Rig::new();
    let mut jobs = vec![rig.job("a\0b"), rig.job(&"x".repeat(200_000))];
    for root in ["relative", "/nonexistent/tree", "/etc/passwd"] {
        jobs.push(edgecoder_sandbox::Job { root: root.into(), ..rig.job("true") });
    }
    for name in ["", "1A", "A-B", "A=B"] {
        let mut job = rig.job("true");
        job.env.insert(name.into(), "x".into());
        jobs.push(job);
    }
    for job in jobs {
        let refused = rig.sandbox.run(job, Default::default()).await;
        assert!(matches!(refused, Err(Error::InvalidJob(_))), "{refused:?}");
    }
}

#[tokio::test]
async fn a_large_tree_costs_little() {
    let rig = Rig::new();
    for folder in 0..50 {
        let folder = rig.tree.path().join(format!("many/{folder}"));
        std::fs::create_dir_all(&folder).unwrap();
        for file in 0..40 {
            std::fs::write(folder.join(file.to_string()), "x").unwrap();
        }
    }
    let report = rig.run("find many -type f | wc -l").await;
    assert_eq!(report.stdout.text(), "2000\n");
    assert!(report.layers.unwrap().overlay, "copied where an overlay would do");
}

#[tokio::test]
async fn a_tree_on_a_file_system_without_overlays_is_copied_and_said_to_be() {
    let rig = Rig::new();
    // procfs can neither be id-mapped nor be owned by an ordinary user.
    let root = "/proc/sys/kernel/random".into();
    let command = "cat poolsize; cat new; chmod u+w boot_id; echo x >boot_id; cat boot_id";
    let mut job = edgecoder_sandbox::Job { root, ..rig.job(command) };
    job.files = vec![JobFile::write("new", "laid\n"), JobFile::write("poolsize", "1\n")];
    let report = rig.run_job(job).await;
    assert_eq!((report.exit, report.stdout.text()), (Exit::Code(0), "1\nlaid\nx\n".into()), "{report:?}");
    assert!(report.degraded.iter().any(|words| words.starts_with("copy")), "{report:?}");
}
