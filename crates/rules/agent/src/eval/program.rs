//! From an answer to a program that is run: the function in its place, the test behind it, and a last word that
//! only the end of the test prints.

use std::sync::LazyLock;

use regex::Regex;

use super::suite::Task;
use crate::edit::EditError;
use crate::edit::put_function::{Wanted, put_function};
use crate::python::Outline;

#[expect(clippy::expect_used, reason = "a literal pattern either compiles in the first test or never")]
static CHECK: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?m)^(?:async )?def check\s*\(").expect("a literal pattern"));

/// The code that `answer` gives for `task`; it is what the program begins with.
pub fn answered(task: &Task, answer: &str) -> Result<String, EditError> {
    match task {
        Task::Complete { prompt, entry_point, .. } => {
            let wanted = Wanted { name: Some(entry_point), class: None };
            match put_function(Some(prompt), answer, wanted) {
                Ok(placed) => Ok(placed.text),
                // models without instructions go on where the prompt ends
                Err(_) if is_body(answer) => {
                    Ok(format!("{}\n{}", prompt.trim_end_matches('\n'), body_of(answer)))
                }
                Err(error) => Err(error),
            }
        }
        Task::Request { entry_point, .. } => {
            let wanted = Wanted { name: Some(entry_point), class: None };
            put_function(None, answer, wanted).map(|placed| placed.text)
        }
        Task::Repository { .. } => Err(EditError::NoCode),
    }
}

fn is_body(answer: &str) -> bool {
    answer.lines().find(|line| !line.trim().is_empty()).is_some_and(|line| line.starts_with([' ', '\t']))
}

/// The indented lines that an answer begins with.
fn body_of(answer: &str) -> String {
    let inside = |line: &&str| line.trim().is_empty() || line.starts_with([' ', '\t']);
    answer.lines().take_while(inside).map(|line| format!("{line}\n")).collect()
}

/// The reference solution, if the suite has one: a body to go on with, or the whole function.
pub fn canonical(task: &Task) -> Option<String> {
    match task {
        Task::Complete { prompt, entry_point, canonical_solution, .. } => {
            let solution = canonical_solution.as_ref()?;
            let whole = Outline::of(solution).find(entry_point, None).is_some();
            // what stands before the function may be imports that it needs
            let head = Outline::of(prompt).find(entry_point, None).map_or(0, |found| found.span.start);
            Some(format!("{}{solution}", if whole { &prompt[..head] } else { prompt }))
        }
        Task::Request { canonical_solution, .. } => canonical_solution.clone(),
        Task::Repository { .. } => None,
    }
}

/// The reference solution with its body broken, by the kind of the break. A harness that lets one of them pass
/// judges nothing.
pub fn mutants(task: &Task) -> Vec<(&'static str, String)> {
    let (Some(code), Some(entry_point)) = (canonical(task), task.entry_point()) else { return Vec::new() };
    let outline = Outline::of(&code);
    // the last definition of the name is the one that counts
    let found = outline.definitions.iter().rfind(|d| d.name == entry_point && d.class.is_none());
    let Some(definition) = found else { return Vec::new() };
    let indent = " ".repeat(definition.indent + 4);
    let broken = |body: &str| {
        let header = code[definition.header.clone()].trim_end();
        let start = definition.header.start;
        format!("{}{header}\n{indent}{body}\n{}", &code[..start], &code[definition.span.end..])
    };
    vec![
        ("returns_nothing", broken("return None")),
        ("raises", broken("raise RuntimeError('mutant')")),
        ("ends_at_once", broken("__import__('os')._exit(0)")),
    ]
}

/// The program to run: it prints `token` last if every test passed. None for a repository.
pub fn program(task: &Task, code: &str, token: &str) -> Option<String> {
    let (test, entry_point) = match task {
        Task::Complete { test, entry_point, .. } | Task::Request { test, entry_point, .. } => {
            (test, entry_point)
        }
        Task::Repository { .. } => return None,
    };
    let call = if CHECK.is_match(test) { format!("check({entry_point})\n") } else { String::new() };
    // the code may have given `print` another meaning
    let last = format!("__import__('sys').stdout.write('\\n{token}\\n')\n");
    Some(format!("{}\n\n\n{}\n\n\n{call}{last}", code.trim_end(), test.trim_end()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task() -> Task {
        Task::Complete {
            prompt: "import math\n\n\ndef half(n):\n    \"\"\"Return half of n.\"\"\"\n".into(),
            entry_point: "half".into(),
            canonical_solution: Some("    return n / 2\n".into()),
            test: "def check(candidate):\n    assert candidate(4) == 2\n".into(),
        }
    }

    #[test]
    fn an_answer_becomes_a_program_in_every_form() {
        let whole = "import math\n\n\ndef half(n):\n    \"\"\"Return half of n.\"\"\"\n    return n / 2\n";
        let check = |answer: &str, expected: Result<&str, EditError>| {
            assert_eq!(answered(&task(), answer), expected.map(str::to_owned), "{answer}");
        };
        check("    return n / 2\n\nprint(half(1))", Ok(&format!("{whole}\n")));
        check("I cannot.", Err(EditError::NoCode));
        let fenced = answered(&task(), "```python\ndef half(n):\n    return n / 2\n```").unwrap();
        assert!(fenced.starts_with("import math\n") && fenced.contains("return n / 2"), "{fenced}");
    }

    #[test]
    fn the_last_word_stands_behind_the_test() {
        let program = program(&task(), &canonical(&task()).unwrap(), "T1").unwrap();
        assert!(program.ends_with("check(half)\n__import__('sys').stdout.write('\\nT1\\n')\n"), "{program}");
    }

    #[test]
    fn a_reference_is_a_body_or_the_whole_function() {
        let body = canonical(&task()).unwrap();
        assert_eq!(
            body,
            "import math\n\n\ndef half(n):\n    \"\"\"Return half of n.\"\"\"\n    return n / 2\n"
        );
        let Task::Complete { prompt, entry_point, test, .. } = task() else { panic!("another form") };
        let canonical_solution = Some("def half(n):\n    return n * 0.5\n".to_owned());
        let whole = canonical(&Task::Complete { prompt, entry_point, canonical_solution, test }).unwrap();
        assert_eq!(whole, "import math\n\n\ndef half(n):\n    return n * 0.5\n");
    }

    #[test]
    fn mutants_keep_the_head_and_lose_the_body() {
        let all = mutants(&task());
        assert_eq!(all.len(), 3);
        assert_eq!(all[0].1, "import math\n\n\ndef half(n):\n    return None\n");
    }
}
