//! What follows when a place does not answer, or not soon: somebody else is asked, but only before the first word.
//! After it the person has seen text that no other place would go on with.

use std::time::Duration;

use crate::Latency;

/// A first word is never waited for less than this before another place is asked too: the question costs twice.
const HEDGE_AT_LEAST: Duration = Duration::from_millis(500);
/// Nor longer, where nothing is known of the place.
const HEDGE_UNKNOWN: Duration = Duration::from_secs(8);

/// How far an answer came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It ended in trouble that may pass, or that another place may not have.
    Trouble,
    /// It was refused for what it asks: every place would refuse it.
    Refused,
}

/// Whether another place is asked.
pub const fn may_go_on(outcome: Outcome, words_seen: bool, places_left: usize) -> bool {
    matches!(outcome, Outcome::Trouble) && !words_seen && places_left > 0
}

/// When a second place is asked beside the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hedge {
    /// When the first word is not there by then.
    In(Duration),
    /// Never.
    Never,
}

/// Waits as long as nearly all of this place's answers take. `own` work is hedged, others' is not: their own node
/// does that.
pub fn hedge_in(latency: Latency, own: bool, places_left: usize) -> Hedge {
    if !own || places_left == 0 {
        return Hedge::Never;
    }
    let usual = latency.p95_ms().map(|ms| Duration::from_millis(u64::from(ms)));
    Hedge::In(usual.map_or(HEDGE_UNKNOWN, |usual| usual.max(HEDGE_AT_LEAST)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_trouble_before_the_first_word_goes_on() {
        for (outcome, seen, left, expected) in [
            (Outcome::Trouble, false, 1, true),
            (Outcome::Trouble, true, 1, false),
            (Outcome::Trouble, false, 0, false),
            (Outcome::Refused, false, 3, false),
        ] {
            assert_eq!(may_go_on(outcome, seen, left), expected, "{outcome:?} {seen} {left}");
        }
    }

    #[test]
    fn a_second_place_is_asked_when_the_first_is_late_by_its_own_measure() {
        let known = |ms| (0..3).fold(Latency::default(), |latency, _| latency.with(ms));
        for (latency, own, left, expected) in [
            (known(1_000), true, 1, Hedge::In(Duration::from_millis(1_800))),
            (known(10), true, 1, Hedge::In(HEDGE_AT_LEAST)),
            (Latency::default(), true, 1, Hedge::In(HEDGE_UNKNOWN)),
            (known(10), false, 1, Hedge::Never),
            (known(10), true, 0, Hedge::Never),
        ] {
            assert_eq!(hedge_in(latency, own, left), expected);
        }
    }
}
