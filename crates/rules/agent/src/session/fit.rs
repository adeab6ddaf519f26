//! Making a conversation fit the window: results of tools are left out first, the oldest first, and visibly. What
//! people said stays.

use super::turn::Turn;
use crate::budget::{TOKENS_PER_MESSAGE, estimate};

/// What stands for a result that was left out.
const LEFT_OUT: &str = "[left out to save room; call again if you need it]";
/// Results that stay as long as possible: the model is about to use them.
const FRESH: usize = 2;

/// The turns within `room` tokens, by estimate, and how many results were left out. What cannot be made smaller is
/// returned as it is; the engine then refuses it in so many words.
pub fn fit(turns: &[Turn], room: u32) -> (Vec<Turn>, usize) {
    let mut fitted = turns.to_vec();
    let mut left_out = 0;
    let results: Vec<usize> =
        (0..fitted.len()).filter(|at| matches!(fitted[*at], Turn::Tool { .. })).collect();
    let old = results.len().saturating_sub(FRESH);
    for (nth, at) in results.iter().enumerate() {
        let over = tokens(&fitted) > room;
        // Fresh results go only when nothing else is left, and never the very last one.
        if !over || (nth >= old && nth + 1 == results.len()) {
            break;
        }
        if let Turn::Tool { text, .. } = &mut fitted[*at]
            && text.len() > LEFT_OUT.len()
        {
            LEFT_OUT.clone_into(text);
            left_out += 1;
        }
    }
    (fitted, left_out)
}

/// Tokens of the turns, estimated.
fn tokens(turns: &[Turn]) -> u32 {
    turns.iter().map(one).fold(0, u32::saturating_add)
}

fn one(turn: &Turn) -> u32 {
    let calls = match turn {
        Turn::Model { calls, .. } => calls
            .iter()
            .map(|call| {
                estimate(&serde_json::to_string(&call.arguments).unwrap_or_default()).saturating_add(20)
            })
            .fold(0, u32::saturating_add),
        Turn::System { .. } | Turn::Person { .. } | Turn::Tool { .. } => 0,
    };
    estimate(turn.text()).saturating_add(calls).saturating_add(TOKENS_PER_MESSAGE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(id: &str) -> Turn {
        Turn::Tool { id: id.to_owned(), text: "x".repeat(300) }
    }

    #[test]
    fn the_oldest_results_go_first_and_what_people_said_stays() {
        let person = Turn::Person { text: "y".repeat(900) };
        let turns = vec![person.clone(), result("a"), result("b"), result("c")];
        assert_eq!(fit(&turns, 1_000), (turns.clone(), 0));
        let (fitted, left_out) = fit(&turns, 600);
        assert_eq!((left_out, fitted[1].text()), (1, LEFT_OUT));
        assert_eq!(fitted[0], person);
        let (fitted, left_out) = fit(&turns, 10);
        assert_eq!((left_out, &fitted[3]), (2, &turns[3]), "the result just asked for stays");
    }
}
