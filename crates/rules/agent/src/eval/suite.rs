//! Suites: one problem a line, in one of three forms. A bad line is an error with its number, never skipped: a
//! suite that silently shrinks measures something else.

use std::collections::BTreeSet;

use serde::Deserialize;

use crate::python::Outline;
use crate::syntax::{clip, is_identifier};

/// Longest line, bytes: tests of well-known suites have some hundred kilobytes.
pub const MAX_LINE_BYTES: usize = 8 << 20;

/// Problems in the order of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suite {
    /// For people: the file's name.
    pub name: String,
    /// At least one.
    pub problems: Vec<Problem>,
}

/// One problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Unique in the suite.
    pub id: String,
    /// What is asked and how it is judged.
    pub task: Task,
}

/// The three forms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Task {
    /// HumanEval: a signature with a docstring to go on from.
    Complete {
        /// Imports, helpers, and the head of the function.
        prompt: String,
        /// The function's name.
        entry_point: String,
        /// The body that solves it.
        canonical_solution: Option<String>,
        /// Python that defines `check(candidate)`, or that is run as it is.
        test: String,
    },
    /// Plain English.
    Request {
        /// What is asked for.
        request: String,
        /// The name that the test calls.
        entry_point: String,
        /// Code that solves it.
        canonical_solution: Option<String>,
        /// Python run after the answer.
        test: String,
    },
    /// A change in a repository.
    Repository {
        /// Its directory, relative to the suite's file.
        repo: String,
        /// What is asked for.
        request: String,
        /// The command that judges.
        verify: String,
    },
}

/// Why a suite cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct SuiteError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub reason: BadLine,
}

/// What is wrong with a line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadLine {
    /// Not a JSON object of the known fields.
    #[error("not a problem: {0}")]
    Json(String),
    /// A field is missing or empty.
    #[error("{0:?} is missing or empty")]
    Missing(&'static str),
    /// Fields of two forms.
    #[error("{0:?} and {1:?} belong to different kinds of problems")]
    Both(&'static str, &'static str),
    /// None of the three forms.
    #[error("neither \"prompt\", \"request\" nor \"repo\" says what is asked")]
    Nothing,
    /// Not the name of a Python function.
    #[error("the entry point {0:?} is not a name")]
    EntryPoint(String),
    /// An id twice.
    #[error("the task id {0:?} was used before")]
    Repeated(String),
    /// Too long.
    #[error("{0} bytes are more than a problem has")]
    TooLong(usize),
    /// No problem at all; the line is the last.
    #[error("the suite has no problems")]
    Empty,
}

/// A line as written; other fields are left to others.
#[derive(Debug, Deserialize)]
struct Line {
    task_id: Option<String>,
    prompt: Option<String>,
    request: Option<String>,
    repo: Option<String>,
    entry_point: Option<String>,
    canonical_solution: Option<String>,
    test: Option<String>,
    verify: Option<String>,
}

impl Suite {
    /// Reads JSON Lines. Blank lines are left out.
    pub fn parse(name: impl Into<String>, text: &str) -> Result<Self, SuiteError> {
        let mut problems: Vec<Problem> = Vec::new();
        let mut ids = BTreeSet::new();
        let mut last = 1;
        for (index, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
            last = index + 1;
            if line.trim().is_empty() {
                continue;
            }
            let problem = problem(line, last).map_err(|reason| SuiteError { line: last, reason })?;
            if !ids.insert(problem.id.clone()) {
                return Err(SuiteError { line: last, reason: BadLine::Repeated(problem.id) });
            }
            problems.push(problem);
        }
        if problems.is_empty() {
            return Err(SuiteError { line: last, reason: BadLine::Empty });
        }
        Ok(Self { name: name.into(), problems })
    }
}

fn problem(line: &str, number: usize) -> Result<Problem, BadLine> {
    if line.len() > MAX_LINE_BYTES {
        return Err(BadLine::TooLong(line.len()));
    }
    let line: Line =
        serde_json::from_str(line).map_err(|error| BadLine::Json(clip(&error.to_string(), 120)))?;
    let id =
        line.task_id.clone().filter(|id| !id.trim().is_empty()).unwrap_or_else(|| format!("line-{number}"));
    let task = match (line.prompt, line.repo, line.request) {
        (Some(_), Some(_), _) => return Err(BadLine::Both("prompt", "repo")),
        (Some(_), None, Some(_)) => return Err(BadLine::Both("prompt", "request")),
        (Some(prompt), None, None) => {
            let prompt = filled(Some(prompt), "prompt")?;
            let entry_point = entry_point(line.entry_point)?;
            let (canonical_solution, test) = (line.canonical_solution, filled(line.test, "test")?);
            // Some suites use HumanEval's fields for requests in English: there is no code to go on from.
            if Outline::of(&prompt).find(&entry_point, None).is_some() {
                Task::Complete { prompt, entry_point, canonical_solution, test }
            } else {
                Task::Request { request: prompt, entry_point, canonical_solution, test }
            }
        }
        (None, Some(repo), request) => Task::Repository {
            repo: filled(Some(repo), "repo")?,
            request: filled(request, "request")?,
            verify: filled(line.verify, "verify")?,
        },
        (None, None, Some(request)) => Task::Request {
            request: filled(Some(request), "request")?,
            entry_point: entry_point(line.entry_point)?,
            canonical_solution: line.canonical_solution,
            test: filled(line.test, "test")?,
        },
        (None, None, None) => return Err(BadLine::Nothing),
    };
    Ok(Problem { id, task })
}

fn filled(field: Option<String>, name: &'static str) -> Result<String, BadLine> {
    field.filter(|text| !text.trim().is_empty()).ok_or(BadLine::Missing(name))
}

fn entry_point(field: Option<String>) -> Result<String, BadLine> {
    let name = filled(field, "entry_point")?;
    if is_identifier(&name) { Ok(name) } else { Err(BadLine::EntryPoint(name)) }
}

impl Task {
    /// The function that the test calls; none in a repository.
    pub fn entry_point(&self) -> Option<&str> {
        match self {
            Self::Complete { entry_point, .. } | Self::Request { entry_point, .. } => Some(entry_point),
            Self::Repository { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bad_line_is_named() {
        let good = r#"{"task_id": "a", "request": "r", "entry_point": "f", "test": "f()"}"#;
        let check = |line: &str, reason: BadLine| {
            let error = Suite::parse("s", &format!("{good}\n\n{line}\n")).unwrap_err();
            assert_eq!(error, SuiteError { line: 3, reason });
        };
        check("{}", BadLine::Nothing);
        check(r#"{"prompt": "p", "request": "r"}"#, BadLine::Both("prompt", "request"));
        check(r#"{"prompt": "p", "repo": "r"}"#, BadLine::Both("prompt", "repo"));
        check(r#"{"prompt": "p", "test": "t"}"#, BadLine::Missing("entry_point"));
        check(r#"{"prompt": "p", "entry_point": "a b", "test": "t"}"#, BadLine::EntryPoint("a b".into()));
        check(r#"{"prompt": "p", "entry_point": "f", "test": " "}"#, BadLine::Missing("test"));
        check(r#"{"repo": ".", "request": "r"}"#, BadLine::Missing("verify"));
        check(good, BadLine::Repeated("a".into()));
        let error = Suite::parse("s", &format!("{good}\nnot json")).unwrap_err();
        assert!(matches!(error, SuiteError { line: 2, reason: BadLine::Json(_) }), "{error}");
        assert_eq!(Suite::parse("s", "\n\n").unwrap_err(), SuiteError { line: 2, reason: BadLine::Empty });
    }

    #[test]
    fn the_three_forms_are_read_and_other_fields_are_left() {
        let text = "{\"task_id\": \"HumanEval/0\", \"prompt\": \"def f(x):\\n\", \"entry_point\": \"f\", \"canonical_solution\": \"    return x\\n\", \"test\": \"def check(c): pass\", \"plus_input\": [1]}\n{\"repo\": \"../x\", \"request\": \"r\", \"verify\": \"make\"}\n";
        let suite = Suite::parse("s", text).unwrap();
        assert_eq!(suite.problems[0].task.entry_point(), Some("f"));
        assert_eq!(suite.problems[1].id, "line-2");
        assert_eq!(suite.problems[1].task.entry_point(), None);
        let english = r#"{"prompt": "Add two numbers.", "entry_point": "add", "test": "t"}"#;
        let suite = Suite::parse("s", english).unwrap();
        assert!(matches!(suite.problems[0].task, Task::Request { .. }));
    }
}
