//! The hostile corpus: every program, file tree, patch and text that tried to get out somewhere, each with what must
//! come of it. `cargo test -p edgecoder-sandbox --test hostile` ends with `contained N/191`; its status is the verdict.
//!
//! Each case is a test of its own name. Kernel cases (A–E) run in the real sandbox, as the account of the tests and,
//! when that is root, as an unprivileged one too. Cases of other crates are held by tests there; here is checked
//! that those exist. Nothing hostile ever runs outside the sandbox under test.

#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test that cannot go on has failed, and the corpus prints its result"
)]

mod artefacts;
mod cases;
mod elsewhere;
mod intake;
mod kernel;
mod lifetime;
mod output;
mod patches;
mod program;
mod rig;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};

use crate::rig::Account;

/// What the design names: 128 attempts against the kernel and 60 against the node, and three of our own.
const NAMED: usize = 191;

/// One case that is no kernel program.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Case {
    pub(crate) id: &'static str,
    pub(crate) holds: fn(),
}

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let whole =
        arguments.filter.is_none() && !arguments.list && !arguments.exact && arguments.skip.is_empty();
    let accounts = Account::all();
    let mut trials: Vec<Trial> = Vec::new();
    for &account in &accounts {
        trials.extend(cases::KERNEL.iter().map(|case| {
            Trial::test(format!("{} {} {}", case.id, case.name, account), move || {
                kernel::check(case, account).map_err(Failed::from)
            })
        }));
    }
    let here = [artefacts::CASES, intake::CASES, patches::CASES, output::CASES, lifetime::CASES].concat();
    let (count, references) = (here.len(), elsewhere::REFERENCES.len());
    trials.extend(here.into_iter().map(|case| {
        Trial::test(case.id, move || {
            (case.holds)();
            Ok(())
        })
    }));
    trials.extend(
        elsewhere::REFERENCES
            .iter()
            .map(|reference| Trial::test(reference.id, || elsewhere::check(reference).map_err(Failed::from))),
    );
    let ids = count + references + cases::KERNEL.len() + elsewhere::OPEN.len();
    assert_eq!(ids, NAMED, "every named case stands in exactly one table");
    let conclusion = libtest_mimic::run(&arguments, trials);
    if whole {
        // Per account the kernel cases count once; a failure anywhere is a case that is open.
        let failed = usize::try_from(conclusion.num_failed).unwrap();
        let open: Vec<_> = elsewhere::OPEN.iter().map(|(id, why)| format!("  {id}: {why}\n")).collect();
        let contained = NAMED - elsewhere::OPEN.len() - failed;
        print!("open:\n{}", open.concat());
        println!(
            "kernel cases ran {}",
            accounts.iter().map(Account::to_string).collect::<Vec<_>>().join(" and ")
        );
        println!(
            "{references} of the cases are held by tests of other crates, named here and run with those"
        );
        println!("contained {contained}/{NAMED}");
    }
    conclusion.exit_code()
}
