//! The plan of a task: a small acyclic graph of subtasks, checked before it is believed.

use edgecoder_base::{Scope, Verifier};

use crate::{Refusal, limits};

/// One unit of a plan before it becomes a subtask.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PlannedSubtask {
    /// What is wanted.
    pub request: String,
    /// Positions of those that must be done before.
    pub depends_on: Vec<usize>,
    /// Its own judge; none is judged by the whole task's when it is the only one, and by applying cleanly
    /// (the whole is proven at integration) otherwise.
    pub verifier: Option<Verifier>,
    /// Its own scope.
    pub scope: Option<Scope>,
}

/// A checked plan, in an order in which every subtask comes after those it depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    subtasks: Vec<PlannedSubtask>,
    unsplit: Option<String>,
}

impl Plan {
    /// The plan of one subtask: the request itself.
    pub fn single(request: &str) -> Self {
        let subtask = PlannedSubtask { request: request.to_owned(), ..PlannedSubtask::default() };
        Self { subtasks: vec![subtask], unsplit: None }
    }

    /// The same, for a request that was to be split and could not be: the reason becomes part of the record.
    pub fn unsplit(request: &str, why: String) -> Self {
        Self { unsplit: Some(why), ..Self::single(request) }
    }

    /// Why a request that was to be split was not.
    pub fn unsplit_because(&self) -> Option<&str> {
        self.unsplit.as_deref()
    }

    /// Checks what came from a model or a client.
    pub fn new(subtasks: Vec<PlannedSubtask>) -> Result<Self, Refusal> {
        if subtasks.is_empty() || subtasks.len() > limits::MAX_SUBTASKS {
            return Err(Refusal::BadPlan("it has 1 to 10 subtasks"));
        }
        for (index, subtask) in subtasks.iter().enumerate() {
            if subtask.request.trim().is_empty() {
                return Err(Refusal::BadPlan("every subtask says what is wanted"));
            }
            if subtask.request.chars().count() > limits::MAX_REQUEST_CHARS {
                return Err(Refusal::BadPlan("a subtask's request is too long"));
            }
            // Depending only on earlier ones makes a cycle impossible.
            if subtask.depends_on.iter().any(|on| *on >= index) {
                return Err(Refusal::BadPlan("a subtask depends on earlier ones only"));
            }
        }
        Ok(Self { subtasks, unsplit: None })
    }

    /// The subtasks in order.
    pub fn into_subtasks(self) -> Vec<PlannedSubtask> {
        self.subtasks
    }
}
