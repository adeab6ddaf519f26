//! Rebuilding an agent from what was written down. A worker appends the observation before it feeds it and
//! the step before it performs it, so after a crash at most the last step is performed again.

use serde::{Deserialize, Serialize};

use crate::{Agent, Brief, Error, Observation, Step};

/// One turn: what happened, and what was then asked for (none: the crash came before that was written).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// What happened.
    pub observation: Observation,
    /// What the agent asked for.
    pub step: Option<Step>,
}

/// The agent after `entries` and the step to perform next; none when nothing has happened yet. Events of the
/// replayed turns are dropped: they were reported then.
pub fn replay(brief: Brief, entries: &[Entry]) -> Result<(Agent, Option<Step>), Error> {
    let mut agent = Agent::new(brief);
    let mut last = None;
    for (index, entry) in entries.iter().enumerate() {
        let step = agent.next(entry.observation.clone());
        if entry.step.as_ref().is_some_and(|written| *written != step) {
            return Err(Error::Diverged { index });
        }
        last = Some(step);
    }
    agent.events();
    Ok((agent, last))
}
