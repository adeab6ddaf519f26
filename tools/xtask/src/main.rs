//! Chores of this repository that are programs rather than prose: `cargo xtask tidy`, `cargo xtask openapi`.

mod tidy;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;

const USAGE: &str = "usage: cargo xtask tidy               check floors, purity, sizes and names
       cargo xtask openapi [--check]  write openapi/*.json and docs/reference/errors.md, or check them";

fn main() -> anyhow::Result<ExitCode> {
    let mut out = std::io::stdout().lock();
    match std::env::args().nth(1).as_deref() {
        Some("tidy") => {
            let report = tidy::run(&workspace_root()?)?;
            write!(out, "{report}")?;
            Ok(if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        Some("openapi") => openapi(std::env::args().skip(2)),
        _ => {
            writeln!(out, "{USAGE}")?;
            Ok(ExitCode::from(2))
        }
    }
}

/// This tool imports nothing of ours, so the doors describe themselves in a program of their own.
fn openapi(arguments: impl Iterator<Item = String>) -> anyhow::Result<ExitCode> {
    let status = std::process::Command::new(env!("CARGO"))
        .args(["run", "--quiet", "-p", "edgecoder-http", "--example", "openapi", "--"])
        .args(arguments)
        .current_dir(workspace_root()?)
        .status()
        .context("cannot start cargo")?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Cargo tells where this crate was built from, so the tool works from any folder.
fn workspace_root() -> anyhow::Result<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).map(Path::to_path_buf).context("xtask is no longer in tools/xtask")
}
