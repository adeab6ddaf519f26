//! What a Mac and a Windows machine would be told for one job, and what they refuse.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::path::{Path, PathBuf};
use std::time::Duration;

use edgecoder_base::Level;
use edgecoder_sandbox::{Config, Error, HostLaunch, Job, Limits, WindowsLaunch};

fn job(command: &str) -> Job {
    let mut job = Job::new("/var/snapshots/1", command);
    job.env.insert("SEED".into(), "7".into());
    job.limits = Limits { cpu: Duration::from_millis(1500), ..Limits::default() };
    job
}

fn tools(trees: &[&str]) -> Config {
    Config { tool_chains: trees.iter().map(PathBuf::from).collect(), ..Config::default() }
}

#[test]
fn a_job_becomes_a_seatbelt_launch() {
    let config = tools(&["/Users/a/.pyenv", "/Users/a/venv"]);
    let launch = HostLaunch::seatbelt(&config, &job("pytest -q"), Path::new("/private/tmp/run")).unwrap();
    insta::assert_json_snapshot!(launch);
}

#[test]
fn a_job_becomes_a_windows_launch() {
    let config = tools(&[r"C:\Users\a\venv"]);
    let launch = WindowsLaunch::new(&config, &job("pytest -q"), Path::new(r"C:\run")).unwrap();
    insta::assert_json_snapshot!(launch);
}

#[test]
fn no_folder_writes_a_rule_of_the_profile() {
    let evil = "/Users/a/x\")(allow network*)(deny file-write* (literal \"";
    let launch = HostLaunch::seatbelt(&tools(&[evil]), &job("true"), Path::new(evil)).unwrap();
    let profile = launch.argv.iter().find(|argument| argument.starts_with("(version 1)")).unwrap();
    assert!(!profile.contains("network"), "{profile}");
    assert!(profile.lines().nth(1) == Some("(deny default)"), "{profile}");
}

#[test]
fn a_command_stays_one_argument() {
    let command = "echo \"a b\" 'c' $(id) `id` ; exit 3";
    let launch =
        HostLaunch::seatbelt(&Config::default(), &job(command), Path::new("/private/tmp/run")).unwrap();
    assert_eq!(launch.argv.last().unwrap(), command);
}

#[test]
fn windows_reads_the_command_as_it_stands() {
    let line = |command: &str| {
        WindowsLaunch::new(&Config::default(), &job(command), Path::new(r"C:\run"))
            .map(|launch| launch.command_line)
    };
    for (command, expected) in [
        ("pytest -q", r#"cmd.exe /d /s /c "pytest -q""#),
        (r#"python -c "print(1)""#, r#"cmd.exe /d /s /c "python -c "print(1)"""#),
        ("a && b | c", r#"cmd.exe /d /s /c "a && b | c""#),
    ] {
        assert_eq!(line(command).unwrap(), expected);
    }
    for refused in ["a\nb".to_owned(), "a\r\nb".to_owned(), "x".repeat(9000)] {
        assert!(matches!(line(&refused), Err(Error::InvalidJob(_))), "{} characters", refused.len());
    }
}

#[test]
fn a_variable_of_the_job_replaces_ours_whatever_its_case() {
    let mut job = job("set");
    job.env.insert("Path".into(), r"C:\own".into());
    let launch = WindowsLaunch::new(&Config::default(), &job, Path::new(r"C:\run")).unwrap();
    let paths: Vec<_> = launch.env.iter().filter(|(name, _)| name.eq_ignore_ascii_case("path")).collect();
    assert_eq!(paths, [(&"Path".to_owned(), &r"C:\own".to_owned())]);
}

#[test]
fn work_for_a_higher_level_is_refused_everywhere_else() {
    for level in [Level::S0, Level::S1, Level::S2, Level::D2, Level::S3, Level::D3, Level::S4] {
        let job = Job { min_level: level, ..job("true") };
        let scratch = Path::new("/private/tmp/run");
        let macos = HostLaunch::seatbelt(&Config::default(), &job, scratch).map(|launch| launch.level);
        let windows = WindowsLaunch::new(&Config::default(), &job, scratch).map(|launch| launch.level);
        let nothing = HostLaunch::unconfined(&Config::default(), &job, scratch).map(|launch| launch.level);
        for (reached, most) in [(macos, Level::S2), (windows, Level::S2), (nothing, Level::S0)] {
            match reached {
                Ok(reached) => assert!(level <= most && reached == most, "{level}: {reached}"),
                Err(Error::Unavailable { reason, .. }) => assert!(level > most, "{level}: {reason}"),
                Err(other) => panic!("{level}: {other}"),
            }
        }
    }
}

#[test]
fn variables_and_trees_are_checked_as_on_linux() {
    let mut bad = job("true");
    bad.env.insert("A B".into(), "1".into());
    let scratch = Path::new("/private/tmp/run");
    assert!(matches!(HostLaunch::seatbelt(&Config::default(), &bad, scratch), Err(Error::InvalidJob(_))));
    assert!(matches!(WindowsLaunch::new(&Config::default(), &bad, scratch), Err(Error::InvalidJob(_))));
}
