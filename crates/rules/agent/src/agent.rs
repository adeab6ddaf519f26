//! The machine itself: one entry, and what both ways through an attempt share. The ways are
//! `agent/function.rs` (one function, many samples) and `agent/repository.rs` (plan, edit, iterate).

mod bench;
mod function;
mod repository;

use edgecoder_base::Usage;

use crate::brief::Brief;
use crate::event::{AgentEvent, Phase};
use crate::observation::{CompletionFailure, Interruption, Observation};
use crate::profile::Flow;
use crate::step::{GiveUpReason, Step};
use bench::Bench;

/// One attempt.
#[derive(Debug, Clone)]
pub struct Agent {
    bench: Bench,
    course: Course,
    overflowed: bool,
    engine_failed: bool,
    ended: Option<Step>,
}

#[derive(Debug, Clone)]
enum Course {
    Function(function::FunctionCourse),
    Repository(repository::RepositoryCourse),
}

impl Agent {
    /// An agent before its first step.
    pub fn new(brief: Brief) -> Self {
        let course = match brief.profile.flow {
            Flow::Function => Course::Function(function::FunctionCourse::new(&brief)),
            Flow::Repository => Course::Repository(repository::RepositoryCourse::new(&brief)),
        };
        Self { bench: Bench::new(brief), course, overflowed: false, engine_failed: false, ended: None }
    }

    /// Takes what happened and says what to do next. After a final step it repeats that step.
    pub fn next(&mut self, observation: Observation) -> Step {
        if let Some(step) = &self.ended {
            return step.clone();
        }
        let step = self.advance(observation);
        if step.is_final() {
            self.bench.enter(Phase::Done);
            self.ended = Some(step.clone());
        }
        step
    }

    /// What happened inside since the last call, in order.
    pub fn events(&mut self) -> Vec<AgentEvent> {
        std::mem::take(&mut self.bench.events)
    }

    /// All that the attempt has used.
    pub fn usage(&self) -> Usage {
        self.bench.budget.used()
    }

    /// Where the attempt stands.
    pub fn phase(&self) -> Phase {
        self.bench.phase
    }

    fn advance(&mut self, observation: Observation) -> Step {
        match observation {
            Observation::Interrupted(Interruption::Cancelled) => {
                give_up(GiveUpReason::Interrupted, "the attempt was cancelled")
            }
            Observation::Interrupted(Interruption::TimeUp) => self.bench.end("the time limit"),
            Observation::CompletionFailed(failure) => self.after_failure(failure),
            observation @ (Observation::Started(_)
            | Observation::Files { .. }
            | Observation::Completion { .. }
            | Observation::TestReport(_)) => {
                if let Observation::Completion { usage, .. } = &observation {
                    self.bench.budget.completed(*usage);
                    self.engine_failed = false;
                }
                match &mut self.course {
                    Course::Function(course) => course.next(&mut self.bench, observation),
                    Course::Repository(course) => course.next(&mut self.bench, observation),
                }
            }
        }
    }

    fn after_failure(&mut self, failure: CompletionFailure) -> Step {
        self.bench.budget.failed();
        match failure {
            CompletionFailure::ContextOverflow { prompt_tokens, context_tokens } => {
                if self.overflowed {
                    let detail =
                        format!("a prompt of {prompt_tokens} tokens, in a window of {context_tokens}");
                    return give_up(GiveUpReason::ContextOverflow, &detail);
                }
                self.overflowed = true;
                let percent = self.bench.budget.shrink(prompt_tokens, context_tokens);
                self.bench.events.push(AgentEvent::PromptShrunk { percent });
            }
            CompletionFailure::Engine { message } => {
                if self.engine_failed {
                    return give_up(GiveUpReason::EngineFailed, &message);
                }
                self.engine_failed = true;
                self.bench.events.push(AgentEvent::EngineRetried { message });
            }
        }
        match &mut self.course {
            Course::Function(course) => course.ask_again(&mut self.bench),
            Course::Repository(course) => course.ask_again(&mut self.bench),
        }
    }
}

fn give_up(reason: GiveUpReason, detail: &str) -> Step {
    Step::GiveUp { reason, detail: crate::syntax::clip(detail, 400) }
}

fn out_of_turn(asked: &str, observation: &Observation) -> Step {
    let got = match observation {
        Observation::Started(_) => "a start",
        Observation::Files { .. } => "files",
        Observation::Completion { .. } => "a completion",
        Observation::CompletionFailed(_) => "a failed completion",
        Observation::TestReport(_) => "a test report",
        Observation::Interrupted(_) => "an interruption",
    };
    give_up(GiveUpReason::OutOfTurn, &format!("{got} came where {asked} was asked for"))
}
