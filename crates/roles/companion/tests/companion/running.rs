//! Commands and git: confined, and what they wrote decided on by itself.

use edgecoder_companion::{ApprovalRules, Event, Ruling};
use serde_json::json;

use crate::rig::{Line, Rig};

/// Commands run without asking; what they wrote is asked about.
fn rig(files: &[(&str, &str)]) -> Rig {
    Rig::with(files, |config, _| {
        config.approvals = ApprovalRules { execute: Ruling::Allow, ..ApprovalRules::default() };
    })
}

fn run(command: &str) -> [Line; 1] {
    [Line::Calls("run_shell", json!({"command": command}))]
}

#[tokio::test]
async fn hole_07_a_command_runs_beside_the_project_and_what_it_wrote_is_asked_about() {
    let rig = rig(&[("a.txt", "one\n"), ("gone.txt", "x\n"), (".gitignore", "build/\n")]);
    let command = "echo two >>a.txt; rm gone.txt; mkdir -p build sub; echo x >build/o; echo new >sub/b.txt; echo said; echo err >&2; exit 3";
    let rejected = rig.chat(run(command), false).await;
    assert_eq!(
        rejected.names(),
        [
            "tool_call",
            "shell_output",
            "tool_result",
            "tool_call",
            "diff",
            "diff",
            "diff",
            "tool_result",
            "text",
            "done"
        ]
    );
    assert_eq!((rig.text("a.txt").as_deref(), rig.text("gone.txt").is_some()), (Some("one\n"), true));
    let Event::ShellOutput { stdout, stderr, exit_code, .. } = &rejected.0[1] else { panic!("{rejected:?}") };
    assert_eq!((stdout.as_str(), stderr.as_str(), *exit_code), ("said\n", "err\n", 3));
    let kept = rig.chat(run(command), true).await;
    assert!(
        kept.results()[1].as_ref().unwrap().starts_with("written: a.txt, gone.txt, sub/b.txt"),
        "{:?}",
        kept.results()
    );
    assert_eq!((rig.text("a.txt").as_deref(), rig.text("gone.txt")), (Some("one\ntwo\n"), None));
    assert_eq!((rig.text("sub/b.txt").as_deref(), rig.text("build/o")), (Some("new\n"), None));
}

#[tokio::test]
async fn hole_07_a_command_sees_no_secrets_no_network_and_no_host() {
    let rig = rig(&[(".env", "TOKEN=sesame\n"), ("a.txt", "x\n")]);
    let probe = format!(
        "cat .env 2>&1; cat {} 2>&1; ls /root 2>&1; (exec 3<>/dev/tcp/1.1.1.1/80) 2>&1; id -u; true",
        rig.project().join("a.txt").display()
    );
    let seen = rig.chat(run(&probe), false).await;
    let told = seen.results()[0].clone().unwrap();
    assert!(
        told.starts_with("exit status 0") && !told.contains("sesame") && !told.contains("\nx\n"),
        "{told}"
    );
    assert!(!told.lines().any(|line| line == "0"), "not root: {told}");
}

#[tokio::test]
async fn a_command_that_never_ends_is_ended_and_keeps_nothing() {
    let rig = rig(&[("a.txt", "x\n")]);
    let line = [Line::Calls("run_shell", json!({"command": "echo y >a.txt; sleep 60", "timeout": 1}))];
    let seen = rig.chat(line, true).await;
    let told = seen.results()[0].clone().unwrap();
    assert!(told.starts_with("exit status 124") && told.contains("nothing it wrote is kept"), "{told}");
    assert_eq!(rig.text("a.txt").as_deref(), Some("x\n"));
}

#[tokio::test]
async fn git_is_looked_at_in_the_sandbox() {
    let rig = rig(&[("a.txt", "one\n")]);
    rig.repository();
    std::fs::write(rig.project().join("a.txt"), "two\n").unwrap();
    let status = rig.chat([Line::Calls("git_status", json!({}))], false).await;
    assert_eq!(status.results(), [Ok("## main\n M a.txt\n".to_owned())]);
    let log = rig.chat([Line::Calls("git_log", json!({"count": 1}))], false).await;
    assert!(log.results()[0].as_ref().unwrap().ends_with("Ada: first\n"), "{:?}", log.results());
    let diff = rig.chat([Line::Calls("git_diff", json!({"path": "a.txt"}))], false).await;
    assert!(diff.results()[0].as_ref().unwrap().contains("-one\n+two\n"), "{:?}", diff.results());
    let since = rig.chat([Line::Calls("git_diff", json!({"ref": "HEAD"}))], false).await;
    assert!(since.results()[0].as_ref().unwrap().contains("+two"));
}

#[tokio::test]
async fn hole_07_a_hostile_repository_runs_nothing_outside_the_sandbox() {
    let rig = rig(&[("a.txt", "one\n"), (".gitattributes", "* filter=evil diff=evil\n")]);
    rig.repository();
    let mark = rig.home.path().join("ran");
    let touch = format!("sh -c 'touch {}; cat'", mark.display());
    for key in [
        "filter.evil.clean",
        "filter.evil.smudge",
        "diff.evil.textconv",
        "core.fsmonitor",
        "gpg.program",
        "core.pager",
        "core.editor",
    ] {
        rig.git(&["config", key, &touch]);
    }
    rig.git(&["config", "commit.gpgSign", "true"]);
    let hooks = rig.project().join(".git/hooks");
    std::fs::create_dir_all(&hooks).unwrap();
    for hook in ["pre-commit", "post-commit", "reference-transaction", "post-checkout", "post-index-change"] {
        let path = hooks.join(hook);
        std::fs::write(&path, format!("#!/bin/sh\ntouch {}\n", mark.display())).unwrap();
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    }
    std::fs::write(rig.project().join("a.txt"), "two\n").unwrap();
    for (tool, arguments) in [
        ("git_status", json!({})),
        ("git_diff", json!({})),
        ("git_log", json!({})),
        ("git_commit", json!({"message": "second"})),
        ("git_branch", json!({"name": "work"})),
    ] {
        let seen = rig.chat([Line::Calls(tool, arguments)], true).await;
        assert!(seen.results()[0].is_ok(), "{tool}: {:?}", seen.results());
        assert!(!mark.is_file(), "{tool} ran a program of the repository");
    }
}

#[tokio::test]
async fn a_commit_is_made_of_the_files_named_and_the_rest_stays() {
    let rig = rig(&[("a.txt", "one\n"), ("b.txt", "one\n"), ("gone.txt", "x\n")]);
    rig.repository();
    std::fs::write(rig.project().join("a.txt"), "two\n").unwrap();
    std::fs::write(rig.project().join("b.txt"), "two\n").unwrap();
    let commit = |more| [Line::Calls("git_commit", more)];
    let rejected = rig.chat(commit(json!({"message": "m", "files": ["a.txt"]})), false).await;
    assert!(rejected.results()[0].is_err());
    assert_eq!(rig.git(&["log", "--format=%s"]), "first");
    let made = rig.chat(commit(json!({"message": "change $a `b` \"c\"", "files": ["a.txt"]})), true).await;
    assert!(made.results()[0].is_ok(), "{:?}", made.results());
    assert_eq!(rig.git(&["log", "-1", "--format=%s|%an|%ae"]), "change $a `b` \"c\"|Ada|ada@example.org");
    assert_eq!(rig.git(&["status", "--short"]), "M b.txt");
    std::fs::remove_file(rig.project().join("gone.txt")).unwrap();
    std::fs::write(rig.project().join("new.txt"), "n\n").unwrap();
    let all = rig.chat(commit(json!({"message": "all"})), true).await;
    assert!(all.results()[0].is_ok(), "{:?}", all.results());
    assert_eq!(rig.git(&["status", "--short"]), "");
    assert_eq!(rig.git(&["fsck", "--strict"]), "");
    assert_eq!(rig.git(&["show", "--name-status", "--format=", "HEAD"]), "M\tb.txt\nD\tgone.txt\nA\tnew.txt");
    assert!(
        all.actions()[0].1.starts_with("git commit b.txt, gone.txt, new.txt: all"),
        "{:?}",
        all.actions()
    );
    let nothing = rig.chat(commit(json!({"message": "again"})), true).await;
    assert!(nothing.results()[0].as_ref().unwrap_err().contains("nothing to commit"));
}

#[tokio::test]
async fn secrets_are_neither_committed_nor_shown_in_a_diff() {
    let rig = rig(&[("a.txt", "one\n"), (".env", "TOKEN=old\n")]);
    rig.repository();
    std::fs::write(rig.project().join(".env"), "TOKEN=sesame\n").unwrap();
    let diff = rig.chat([Line::Calls("git_diff", json!({}))], true).await;
    assert!(diff.results()[0].as_ref().unwrap_err().contains("looks like a secret"), "{:?}", diff.results());
    for arguments in [json!({"message": "m"}), json!({"message": "m", "files": [".env"]})] {
        let commit = rig.chat([Line::Calls("git_commit", arguments)], true).await;
        assert!(
            commit.results()[0].as_ref().unwrap_err().contains("is not committed"),
            "{:?}",
            commit.results()
        );
    }
    assert_eq!(rig.git(&["log", "--format=%s"]), "first");
}

#[tokio::test]
async fn a_branch_is_made_where_one_stands() {
    let rig = rig(&[("a.txt", "one\n")]);
    rig.repository();
    std::fs::write(rig.project().join("a.txt"), "two\n").unwrap();
    let seen = rig.chat([Line::Calls("git_branch", json!({"name": "work/x"}))], true).await;
    assert_eq!(seen.results(), [Ok("on the new branch work/x".to_owned())]);
    assert_eq!(rig.git(&["branch", "--show-current"]), "work/x");
    assert_eq!(rig.git(&["status", "--short"]), "M a.txt");
    let again = rig.chat([Line::Calls("git_branch", json!({"name": "main"}))], true).await;
    assert!(again.results()[0].is_err(), "a branch that is there is not taken over");
}
