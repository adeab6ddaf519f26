//! The grammar: what is typed means what people expect, and help says so.

use clap::{CommandFactory, Parser};

use super::tasks::{TaskArgs, TaskCommand};
use super::*;

fn task(words: &[&str]) -> TaskArgs {
    let cli = Cli::try_parse_from(["edgecoder", "task"].iter().chain(words)).unwrap();
    let Command::Task(args) = cli.command else { unreachable!() };
    *args
}

#[test]
fn the_grammar_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn a_request_is_told_from_a_command() {
    assert!(matches!(task(&["list"]).command, Some(TaskCommand::List { .. })));
    assert!(matches!(task(&["show", "t1"]).command, Some(TaskCommand::Show { .. })));
    let asked = task(&["list all users", "--samples", "3", "--allow", "src/**", "--allow", "lib/**"]);
    assert!(asked.command.is_none());
    assert_eq!(asked.submit.request.as_deref(), Some("list all users"));
    assert_eq!((asked.submit.samples, asked.submit.allow.len()), (3, 2));
}

#[test]
fn what_makes_no_sense_is_refused() {
    for words in [
        &["edgecoder"] as &[&str],
        &["edgecoder", "task"],
        &["edgecoder", "task", "x", "--samples", "0"],
        &["edgecoder", "task", "x", "--samples", "33"],
        &["edgecoder", "task", "x", "--privacy", "secret"],
        &["edgecoder", "task", "x", "--hidden-command", "true"],
        &["edgecoder", "task", "x", "--follow", "--detach"],
        &["edgecoder", "task", "show", "../x"],
        &["edgecoder", "up", "--roles", "king"],
        &["edgecoder", "up", "--alt-ports", "--port-offset", "1"],
        &["edgecoder", "review", "t1", "maybe"],
    ] {
        assert!(Cli::try_parse_from(words).is_err(), "{words:?}");
    }
}

#[test]
fn help_is_as_published() {
    let mut command = Cli::command().term_width(100);
    insta::assert_snapshot!("help", command.render_long_help());
    for name in ["up", "task", "apply"] {
        let sub = command.find_subcommand_mut(name).unwrap();
        insta::assert_snapshot!(format!("help-{name}"), sub.clone().term_width(100).render_long_help());
    }
}
