//! Cases that other crates hold, by the test that shows it there; and those that nothing holds yet.

use crate::intake::root;

/// A case and the test that holds it.
#[derive(Debug)]
pub(crate) struct Reference {
    pub(crate) id: &'static str,
    /// Below the repository's root.
    file: &'static str,
    test: &'static str,
}

const fn held(id: &'static str, file: &'static str, test: &'static str) -> Reference {
    Reference { id, file, test }
}

#[rustfmt::skip]
pub(crate) const REFERENCES: &[Reference] = &[
    held("F12 result claims more time than passed", "crates/http/tests/doors/holes.rs", "hole_40_a_worker_cannot_tell_how_long_it_took"),
    held("G09 hooks and commands in a shipped configuration", "crates/adapters/workspace/tests/workspace/hostile.rs", "nothing_a_repository_brings_is_executed"),
    held("G10 filters and drivers in attributes", "crates/adapters/workspace/tests/workspace/hostile.rs", "nothing_a_repository_brings_is_executed"),
    held("G11 submodules", "crates/adapters/workspace/tests/workspace/hostile.rs", "repositories_inside_are_reported_and_not_entered"),
    held("G12 repository inside a folder", "crates/adapters/workspace/tests/workspace/hostile.rs", "a_root_whose_git_file_points_anywhere_is_harmless"),
    held("G14 folder swapped for a link", "crates/adapters/workspace/tests/workspace/hostile.rs", "a_folder_swapped_for_a_link_never_leaks"),
    held("G16 content that is not the hash's", "crates/http/tests/doors/bad_input.rs", "content_is_only_kept_under_its_own_hash_and_safe_names"),
    held("H04 rejects and originals", "crates/adapters/workspace/tests/workspace/patches.rs", "a_failure_midway_puts_everything_back"),
    held("I01 sequences that steer a terminal", "crates/node/src/output.rs", "text_of_others_cannot_steer_the_terminal"),
    held("H06 build files, hooks, lock files", "crates/rules/agent/src/review.rs", "files_that_run_by_themselves_or_decide_what_runs_are_shown_apart"),
    held("H07 characters that deceive", "crates/rules/agent/src/review.rs", "characters_that_deceive_are_named_with_their_line"),
    held("I02 a log line that forges another", "crates/node/src/telemetry/one_line.rs", "a_line_of_the_log_cannot_forge_another"),
    held("I03 markup in a model's words", "crates/http/tests/doors/inference.rs", "what_a_model_wrote_is_never_markup"),
    held("I05 told to go beyond the task", "crates/rules/agent/tests/words.rs", "scope_is_kept"),
    held("I06 told to call it passed", "crates/rules/tasks/tests/lifecycle.rs", "a_claim_of_success_is_worth_nothing_without_the_origins_verdict"),
    held("I07 text of others in a prompt", "crates/rules/agent/src/prompt/repository.rs", "text_of_others_reaches_a_prompt_only_as_quoted_data"),
    held("I09 forged approval", "crates/roles/worker/tests/worker/hostile.rs", "a_model_that_asks_for_approval_or_grants_it_starts_nothing"),
    held("I10 what was read for another", "crates/adapters/inference/src/llama/cache.rs", "what_was_read_for_one_is_never_reused_for_another"),
    held("I11 an answer without end", "crates/adapters/inference/src/engine.rs", "an_answer_ends_at_its_bounds_of_tokens_bytes_and_time"),
    held("I12 a model file that attacks its parser", "crates/adapters/inference/src/confine.rs", "nothing_but_the_model_and_the_system_is_left"),
    held("J01 launcher killed", "crates/adapters/sandbox/tests/sandbox/lifetime.rs", "killing_the_launcher_kills_the_payload"),
    held("J05 clock jumps", "crates/base/src/time.rs", "a_clock_going_back_is_no_time_passed"),
    held("J06 payload fills the log", "crates/roles/worker/tests/worker/hostile.rs", "hole_52_a_verifier_that_floods_is_ended_and_its_log_is_bounded"),
    held("J08 a full house of hostile programs", "crates/node/tests/program/full_house.rs", "doors_answer_while_hostile_programs_have_every_core"),
    held("J09 each layer missing", "crates/adapters/sandbox/tests/sandbox/degraded.rs", "every_missing_layer_has_its_level_or_its_refusal"),
];

/// Not held, or not shown to be: the case and what is missing.
#[rustfmt::skip]
pub(crate) const OPEN: &[(&str, &str)] = &[
];

/// Between the attribute and the name of a test.
const MOST_LINES: usize = 4;

/// The test that holds `reference` exists; its own crate runs it.
pub(crate) fn check(reference: &Reference) -> Result<(), String> {
    let Reference { id, file, test } = reference;
    let text =
        std::fs::read_to_string(root().join(file)).map_err(|error| format!("{id}: {file}: {error}"))?;
    let Some(at) = text.find(&format!("fn {test}(")) else {
        return Err(format!("{id}: {file} has no {test}"));
    };
    let attribute = text[..at].rfind("#[").map(|from| &text[from..at]);
    let marked = attribute.is_some_and(|words| words.contains("test") && words.lines().count() <= MOST_LINES);
    if marked { Ok(()) } else { Err(format!("{id}: {test} is not a test")) }
}
