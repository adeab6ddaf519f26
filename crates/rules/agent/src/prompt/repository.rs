//! Prompts for models that can follow a repository. Each is rendered anew from what is true now, so that the
//! window holds the present state and not a history of mistakes.

use crate::profile::EditFormat;
use crate::prompt::fit::Section;

/// System prompt for choosing files.
pub const PLAN: &str = include_str!("../../prompts/plan.txt");

/// System prompt for writing a change.
pub const fn edit(format: EditFormat) -> &'static str {
    match format {
        EditFormat::PutFunction => include_str!("../../prompts/edit_put_function.txt"),
        EditFormat::SearchReplace => include_str!("../../prompts/edit_search_replace.txt"),
        EditFormat::WholeFile => include_str!("../../prompts/edit_whole_file.txt"),
    }
}

/// What is asked for; the last thing to be cut.
pub fn request(text: &str) -> Section {
    section("the request", "# Request", text.trim(), 250, 80)
}

/// The map of the repository.
pub fn map(text: &str) -> Section {
    section("the repository map", "# Repository", text.trim_end(), 20, 200)
}

/// The plan made before.
pub fn plan(text: &str) -> Section {
    section("the plan", "# Plan", text.trim(), 10, 40)
}

/// One file as it is now.
pub fn file(path: &str, text: &str) -> Section {
    let body = format!("{path}\n```\n{}\n```", text.trim_end_matches('\n'));
    section(&format!("the file {path}"), "# File", &body, 60, 200)
}

/// What the last run showed.
pub fn failure(headline: &str, excerpt: &str) -> Section {
    let body =
        if excerpt.contains(headline) { excerpt.to_owned() } else { format!("{headline}\n\n{excerpt}") };
    section("the test output", "# The tests fail now", body.trim(), 40, 120)
}

/// How little is left.
pub fn reminder(completions_left: u32) -> Section {
    let text = match completions_left {
        0 | 1 => "This is your last answer. Make it complete.".to_owned(),
        n => format!("You have {n} answers left, this one included."),
    };
    section("the reminder", "", &text, 200, 1)
}

/// What the second try is told.
pub fn correction(error: &str, format: EditFormat) -> String {
    let form = match format {
        EditFormat::PutFunction => "a line with the path and one fenced block with the complete function",
        EditFormat::SearchReplace => "SEARCH/REPLACE blocks, each after a line with its path",
        EditFormat::WholeFile => "a line with the path and one fenced block with the complete file",
    };
    format!("Your answer could not be used: {error}.\nAnswer again, only with {form}.")
}

fn section(what: &str, title: &str, text: &str, weight: u8, least_chars: usize) -> Section {
    Section { what: what.to_owned(), title: title.to_owned(), text: text.to_owned(), weight, least_chars }
}
