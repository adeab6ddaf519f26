//! What an agent did that a person may want to see: nothing is cut, retried or refused silently.

use serde::{Deserialize, Serialize};

use crate::test_report::Counts;

/// Where an attempt stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Looking at files.
    Reading,
    /// Choosing what to do.
    Planning,
    /// Writing a candidate.
    Coding,
    /// Mending a failed candidate.
    Repairing,
    /// Running the verifier.
    Testing,
    /// Over.
    Done,
}

/// One visible happening.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum AgentEvent {
    /// The attempt moved on.
    PhaseChanged {
        /// To here.
        phase: Phase,
    },
    /// Which function of which file the agent works on, and how it knows.
    TargetChosen {
        /// The file.
        path: String,
        /// The function, if one is meant.
        function: Option<String>,
        /// How it was found.
        because: String,
    },
    /// The model's plan.
    Planned {
        /// A few lines.
        plan: String,
    },
    /// Something did not fit the prompt.
    Truncated {
        /// What was cut.
        what: String,
        /// Characters before.
        from_chars: u32,
        /// Characters after.
        to_chars: u32,
    },
    /// The engine counted more than estimated; the prompt is made smaller.
    PromptShrunk {
        /// Percent of the window now used for prompts.
        percent: u32,
    },
    /// The engine failed and is asked again.
    EngineRetried {
        /// What it said.
        message: String,
    },
    /// The answer could not be used.
    AnswerUnusable {
        /// Why.
        reason: String,
        /// Whether the model is told and asked again at once.
        retried: bool,
    },
    /// The answer was cut at the token limit.
    AnswerCut {
        /// The limit.
        max_tokens: u32,
    },
    /// The answer was used after a small correction.
    AnswerMended {
        /// What was corrected.
        what: String,
    },
    /// The model wrote what had already failed; it is not run again.
    CandidateRepeated,
    /// A candidate breaks the scope contract and is not run.
    ScopeViolated {
        /// Each reason.
        reasons: Vec<String>,
    },
    /// A candidate was judged here.
    CandidateTested {
        /// From 1.
        number: u32,
        /// Whether the verifier passed.
        passed: bool,
        /// Tests, where the output tells.
        counts: Option<Counts>,
        /// One line about the first failure.
        failure: Option<String>,
    },
    /// The model is told how little is left.
    BudgetReminder {
        /// Completions that remain, the coming one included.
        completions_left: u32,
    },
    /// The limit forces a decision.
    LimitReached {
        /// Which.
        limit: String,
    },
}
