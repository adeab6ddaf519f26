//! What the sandbox costs whole runs of tests: the same command with the same tool chain, bare and inside, in turns. By the
//! clock, and by the processor's account of all that was started, which says the same on a machine that does much else.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use edgecoder_sandbox::{Config, Exit, Fault, Job, Limits, Sandbox};
use tokio::process::Command;
use tokio_util::sync::CancellationToken;

use crate::figures::Figures;

/// Work of seconds: files, processes, and mostly the processor, as tests are.
struct Work {
    name: &'static str,
    /// The measure of its processor time.
    account: &'static str,
    files: &'static [(&'static str, &'static str)],
    command: &'static str,
}

const PYTEST: &str = "import json, subprocess, sys, pytest\n\n\
    @pytest.mark.parametrize('n', range(120))\n\
    def test_work(n, tmp_path):\n\
    \x20   rows = [{'k': str(i), 'v': i * n} for i in range(8000)]\n\
    \x20   (tmp_path / 'a.json').write_text(json.dumps(rows))\n\
    \x20   assert json.loads((tmp_path / 'a.json').read_text()) == rows\n\
    \x20   if n % 20 == 0:\n\
    \x20       assert subprocess.run([sys.executable, '-c', 'print(1)'], capture_output=True).stdout == b'1\\n'\n";
const CARGO: &str = "[package]\nname = \"one\"\nversion = \"0.1.0\"\nedition = \"2021\"\n";
const RUST: &str = "use std::collections::BTreeMap;\n\
    pub fn count(n: u64) -> BTreeMap<u64, u64> { let mut m = BTreeMap::new(); for i in 0..n { *m.entry(i * i % 977).or_default() += i; } m }\n\
    #[cfg(test)] mod tests { use super::*;\n\
    macro_rules! many { ($($n:ident)*) => { $(#[test] fn $n() { assert!(count(400_000).len() > 400); })* } }\n\
    many! { a b c d e f g h i j k l } }\n";

const WORKS: &[Work] = &[
    Work {
        name: "cargo test",
        account: "cargo test, processor time",
        files: &[("Cargo.toml", CARGO), ("src/lib.rs", RUST)],
        command: "cargo test --offline -q",
    },
    Work {
        name: "pytest",
        account: "pytest, processor time",
        files: &[("test_work.py", PYTEST)],
        command: "python3 -m pytest -q -p no:cacheprovider",
    },
];

/// Each work `count` times both ways, by whose clock is the caller's; inside without these layers.
pub(crate) async fn measure(
    jail: &Path,
    count: usize,
    without: &[Fault],
    figures: &mut Figures,
) -> anyhow::Result<()> {
    #[expect(clippy::disallowed_methods, reason = "the tool chains of whoever measures")]
    let variable = |name| std::env::var(name).unwrap_or_default();
    let (path, home) = (variable("PATH"), variable("HOME"));
    let config = Config { jail: Some(jail.to_owned()), ..Config::detected(&path, Path::new(&home)) };
    let sandbox = Sandbox::new(config)?.with_faults(without);
    for round in 0..=count {
        for work in WORKS {
            let (bare, inside) = (lay(work)?, lay(work)?);
            let before = children()?;
            let alone = alone(work, bare.path()).await?;
            let between = children()?;
            let within = within(work, inside.path(), &sandbox).await?;
            let spent = [between.saturating_sub(before), children()?.saturating_sub(between)];
            // The first round fills caches.
            for (whose, took, spent) in
                [("bare", alone, spent[0]), ("ours", within, spent[1])].into_iter().filter(|_| round > 0)
            {
                figures.add(work.name, whose, took);
                figures.add(work.account, whose, spent);
            }
        }
    }
    Ok(())
}

/// Processor time of everybody started from here who has ended, launchers included, in the kernel's ticks.
fn children() -> anyhow::Result<Duration> {
    /// Of Linux on every architecture that we build for.
    const TICK: Duration = Duration::from_millis(10);
    /// After the name, which alone may hold blanks: user and system time of children that were waited for.
    const FIELDS: std::ops::Range<usize> = 13..15;
    let line = fs::read_to_string("/proc/self/stat")?;
    let fields: Vec<&str> = line.rsplit_once(')').context("no name")?.1.split_whitespace().collect();
    let ticks: u32 = fields
        .get(FIELDS)
        .context("no times")?
        .iter()
        .map(|field| field.parse::<u32>())
        .sum::<Result<_, _>>()?;
    Ok(TICK * ticks)
}

fn lay(work: &Work) -> anyhow::Result<tempfile::TempDir> {
    let tree = tempfile::tempdir()?;
    for (path, content) in work.files {
        let place = tree.path().join(path);
        place.parent().map(fs::create_dir_all).transpose()?;
        fs::write(place, content)?;
    }
    Ok(tree)
}

async fn alone(work: &Work, tree: &Path) -> anyhow::Result<Duration> {
    let began = Instant::now();
    let ended = Command::new("/bin/sh")
        .args(["-c", work.command])
        .current_dir(tree)
        .stdin(Stdio::null())
        .output()
        .await?;
    ensure!(ended.status.success(), "{}: {}", work.name, String::from_utf8_lossy(&ended.stdout));
    Ok(began.elapsed())
}

async fn within(work: &Work, tree: &Path, sandbox: &Sandbox) -> anyhow::Result<Duration> {
    let began = Instant::now();
    let job = Job { limits: Limits::default(), ..Job::new(tree, work.command) };
    let report = sandbox.run(job, CancellationToken::new()).await?;
    ensure!(report.exit == Exit::Code(0), "{}: {:?} {}", work.name, report.exit, report.stderr.text());
    Ok(began.elapsed())
}
