//! The benign corpus: what honest work does must pass, or people switch the sandbox off. `cargo test -p
//! edgecoder-sandbox --test benign` ends with a table of all programs, with wall time and most memory, and `passed
//! N/45`. What is not installed counts as neither passed nor failed. `make benign` runs it as both users.

#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test that cannot go on has failed, and the corpus prints its result"
)]

mod programs;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use edgecoder_sandbox::{Config, Job, Limits, Report, Sandbox};
use libtest_mimic::{Arguments, Failed, Trial};
use tokio_util::sync::CancellationToken;

use crate::programs::{PROGRAMS, Program};

/// What a program that passed took.
struct Figure {
    name: &'static str,
    wall: Duration,
    peak_bytes: Option<u64>,
}

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let (tell, figures) = channel();
    let trials = PROGRAMS.iter().map(|program| {
        let tell = tell.clone();
        Trial::test(program.name, move || check(program, &tell)).with_ignored_flag(!is_installed(program))
    });
    let conclusion = libtest_mimic::run(&arguments, trials.collect());
    if arguments.filter.is_none() && !arguments.list && !arguments.exact {
        let figures: Vec<Figure> = figures.try_iter().collect();
        println!("| program | outcome | wall, ms | memory, MiB |\n|---|---|---|---|");
        PROGRAMS.iter().for_each(|program| println!("{}", row(program, &figures)));
        println!("passed {}/{}", conclusion.num_passed, PROGRAMS.len());
    }
    conclusion.exit_code()
}

/// One line of the table.
fn row(program: &Program, figures: &[Figure]) -> String {
    let name = program.name;
    match figures.iter().find(|figure| figure.name == name) {
        Some(Figure { wall, peak_bytes, .. }) => {
            let peak = peak_bytes.map_or_else(|| "–".to_owned(), |bytes| bytes.div_ceil(1 << 20).to_string());
            format!("| {name} | passed | {} | {peak} |", wall.as_millis())
        }
        None if is_installed(program) => format!("| {name} | failed | – | – |"),
        None => format!("| {name} | needs {} | – | – |", program.needs.join(", ")),
    }
}

/// Where a program of this name lies, if anywhere on the search path.
fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var("PATH").unwrap_or_default();
    let mut places = path.split(':').map(|folder| Path::new(folder).join(name));
    places.find(|place| fs::metadata(place).is_ok_and(|found| found.permissions().mode() & 0o111 != 0))
}

fn is_installed(program: &Program) -> bool {
    program.needs.iter().all(|name| match name.strip_prefix("python:") {
        None => find(name).is_some(),
        Some(module) => {
            let import = format!("import {module}");
            let found = std::process::Command::new("python3").args(["-c", &import]).output();
            found.is_ok_and(|ended| ended.status.success())
        }
    })
}

fn sandbox() -> Sandbox {
    let variable = |name| std::env::var(name).unwrap_or_default();
    let detected = Config::detected(&variable("PATH"), Path::new(&variable("HOME")));
    Sandbox::new(Config { jail: Some(env!("CARGO_BIN_EXE_edgecoder-jail").into()), ..detected }).unwrap()
}

fn check(program: &Program, tell: &Sender<Figure>) -> Result<(), Failed> {
    let tree = tempfile::tempdir().unwrap();
    for (path, content) in program.files {
        let place = tree.path().join(path);
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::write(&place, content).unwrap();
        let mode = if content.starts_with("#!") { 0o755 } else { 0o644 };
        fs::set_permissions(&place, Permissions::from_mode(mode)).unwrap();
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let job = Job {
        limits: Limits { wall: Duration::from_secs(120), ..Limits::default() },
        ..Job::new(tree.path(), program.command)
    };
    let report = runtime.block_on(sandbox().run(job, CancellationToken::new())).unwrap();
    let last = report.stdout.text().trim_end().lines().last().unwrap_or_default().to_owned();
    if !report.success() || last != program.says {
        return Err(explain(&report).into());
    }
    let peak_bytes = report.layers.and_then(|layers| layers.memory_peak_bytes);
    tell.send(Figure { name: program.name, wall: report.wall, peak_bytes }).unwrap();
    Ok(())
}

fn explain(report: &Report) -> String {
    let end = |text: String| {
        text.chars().rev().take(1500).collect::<Vec<_>>().into_iter().rev().collect::<String>()
    };
    let (stdout, stderr) = (end(report.stdout.text()), end(report.stderr.text()));
    format!("{:?}\nstdout:\n{stdout}\nstderr:\n{stderr}\ndegraded: {:?}", report.exit, report.degraded)
}
