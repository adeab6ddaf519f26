//! What happens when a round of attempts proved nothing: more samples, a larger model, then a person.

use crate::{Spec, Subtask, limits};

/// The next rung of the ladder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rung {
    /// Another round on this rung with so many samples.
    Round {
        /// Fresh attempts.
        samples: u32,
    },
    /// The same from the start, on a larger model.
    LargerModel {
        /// Its name.
        model: String,
        /// Fresh attempts.
        samples: u32,
    },
    /// Nobody but a person can help now.
    Person,
}

/// Decides the next rung for a subtask none of whose attempts is left.
pub fn next(spec: &Spec, subtask: &Subtask) -> Rung {
    let samples = u32::from(spec.samples);
    if subtask.round + 1 < limits::ROUNDS {
        let doubled = samples.saturating_mul(2).min(u32::from(limits::MAX_SAMPLES));
        return Rung::Round { samples: doubled.max(2) };
    }
    match &spec.escalation_model {
        Some(model) if subtask.model.as_ref() != Some(model) && spec.model.as_ref() != Some(model) => {
            Rung::LargerModel { model: model.clone(), samples }
        }
        Some(_) | None => Rung::Person,
    }
}
