//! What the sandbox costs many short programs: the same evaluation by the same node, its programs confined and as plain
//! child processes, in turns. Of the suite's own solutions all must pass both ways, of their mutants none.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde::Deserialize;
use tokio::process::Command;

use crate::figures::Figures;

/// Whose clock, and the mode that is asked for by it.
const MODES: &[(&str, &str)] = &[("bare", "none"), ("ours", "process")];
const SOLUTIONS: &[(&str, &str)] =
    &[("canonical", "one solution of a suite"), ("mutants", "one mutant of a suite")];

/// What is read of a report.
#[derive(Debug, Deserialize)]
struct Report {
    wall_ms: u64,
    level: Option<String>,
    complete: bool,
    totals: Totals,
}

#[derive(Debug, Deserialize)]
struct Totals {
    samples: u64,
    passed: u64,
}

/// Evaluates `suite` `count` times each way by `node` with `jobs` programs at once. What is noted is the time from the
/// first program to the last verdict over the number of programs, so that its inverse is the throughput.
pub(crate) async fn measure(
    node: &Path,
    suite: &Path,
    (count, jobs): (usize, usize),
    figures: &mut Figures,
) -> anyhow::Result<Vec<String>> {
    let folder = tempfile::tempdir()?;
    let mut lines = Vec::new();
    // The first round fills caches.
    for round in 0..=count {
        for &(solutions, measure) in SOLUTIONS {
            for &(whose, mode) in MODES {
                let report = evaluate(node, suite, (solutions, mode, jobs), folder.path()).await?;
                let Totals { samples, passed } = report.totals;
                let expected = if solutions == "canonical" { samples } else { 0 };
                ensure!(report.complete && samples > 0, "{solutions} in mode {mode} did not end");
                ensure!(passed == expected, "{solutions} in mode {mode}: {passed} of {samples} passed");
                if round == 0 {
                    let level = report.level.as_deref().unwrap_or("none");
                    lines.push(format!(
                        "{solutions}, mode {mode}, level {level}: {passed} of {samples} passed"
                    ));
                } else {
                    let each = Duration::from_millis(report.wall_ms).div_f64(samples as f64);
                    figures.add(measure, whose, each);
                }
            }
        }
    }
    Ok(lines)
}

async fn evaluate(
    node: &Path,
    suite: &Path,
    (solutions, mode, jobs): (&str, &str, usize),
    folder: &Path,
) -> anyhow::Result<Report> {
    let out = folder.join("report.json");
    let ended = Command::new(node)
        .args(["--data-dir".as_ref(), folder.join("data").as_os_str(), "eval".as_ref(), suite.as_os_str()])
        .args(["--solutions", solutions, "--jobs", &jobs.to_string(), "--out"])
        .arg(&out)
        .env("SANDBOX_MODE", mode)
        .stdin(Stdio::null())
        .output()
        .await
        .context("starting the node's program")?;
    let text = std::fs::read(&out)
        .with_context(|| format!("{solutions} in mode {mode}: {}", String::from_utf8_lossy(&ended.stderr)))?;
    Ok(serde_json::from_slice(&text)?)
}
