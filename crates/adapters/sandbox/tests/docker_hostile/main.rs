//! The hostile corpus in mode `docker`: the same programs and the same artefacts as in our own launcher, on a real
//! daemon. Ends with `contained N/144`, and for what a container holds by another answer says which.
//!
//! Runs where `EDGECODER_TEST_DOCKER` names a daemon's socket and the images are built; otherwise says so and passes.

#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    dead_code,
    reason = "a test that cannot go on has failed, the corpus prints its result, and its parts are shared"
)]

#[path = "../hostile/artefacts.rs"]
mod artefacts;
#[path = "../hostile/cases.rs"]
mod cases;
mod container;
#[path = "../hostile/kernel.rs"]
mod kernel;
#[path = "../hostile/output.rs"]
mod output;
#[path = "../hostile/program.rs"]
mod program;
mod rig;

use std::path::PathBuf;
use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};

use crate::cases::KERNEL;
use crate::rig::Account;

/// Attempts against the kernel.
const NAMED: usize = 129;

/// One case that is no kernel program.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Case {
    pub(crate) id: &'static str,
    pub(crate) holds: fn(),
}

/// The daemon under test.
pub(crate) fn socket() -> Option<PathBuf> {
    let named = std::env::var("EDGECODER_TEST_DOCKER").ok()?;
    Some(PathBuf::from(named.strip_prefix("unix://").unwrap_or(&named)))
}

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    if socket().is_none() && !arguments.list {
        println!(
            "skipped: set EDGECODER_TEST_DOCKER=unix:///… to a dockerd that has the images of `make sandbox-images`"
        );
        return ExitCode::SUCCESS;
    }
    let whole =
        arguments.filter.is_none() && !arguments.list && !arguments.exact && arguments.skip.is_empty();
    assert_eq!(KERNEL.len(), NAMED);
    let kernel = KERNEL.iter().map(|case| {
        let case = container::expected(case);
        Trial::test(format!("{} {}", case.id, case.name), move || {
            kernel::check(&case, Account::Own).map_err(Failed::from)
        })
        .with_kind("kernel")
    });
    let others = [artefacts::CASES, output::CASES].concat().into_iter().map(|case| {
        Trial::test(case.id, move || {
            (case.holds)();
            Ok(())
        })
    });
    let trials: Vec<Trial> = kernel.chain(others).collect();
    let others = trials.len() - NAMED;
    let conclusion = libtest_mimic::run(&arguments, trials);
    if whole {
        let failed = usize::try_from(conclusion.num_failed).unwrap();
        println!("{} cases are held by another answer than in our own launcher", container::OTHERWISE.len());
        println!("{others} of the cases are about artefacts and output");
        println!("contained {}/{}", NAMED + others - failed, NAMED + others);
    }
    conclusion.exit_code()
}
