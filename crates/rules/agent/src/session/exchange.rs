//! One exchange: from a person's message to the end of the model's work on it, as a machine that says what is next.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::turn::{PastCall, Turn, mended};
use crate::observation::TokenUsage;

/// Bounds of one exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ExchangeLimits {
    /// Answers of the model.
    pub iterations: u32,
    /// Tokens read and written, all answers together.
    pub tokens: u64,
}

impl Default for ExchangeLimits {
    fn default() -> Self {
        Self { iterations: 20, tokens: 1_000_000 }
    }
}

/// What is to be done next.
#[derive(Debug, Clone, PartialEq)]
pub enum Next {
    /// The model answers; without tools when it is for the last time.
    Think {
        /// Whether it may call.
        tools: bool,
    },
    /// This call is performed.
    Perform(PastCall),
    /// Nothing: it is over.
    Over(Ending),
}

/// How an exchange ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// The model was done.
    Stop,
    /// Its last answer was cut at the limit of tokens.
    Length,
    /// It wanted to go on and may not: too many answers, or too many tokens.
    Limit,
}

/// The machine.
#[derive(Debug, Clone, PartialEq)]
pub struct Exchange {
    turns: Vec<Turn>,
    limits: ExchangeLimits,
    iterations: u32,
    tokens: u64,
    calls: VecDeque<PastCall>,
    over: Option<Ending>,
}

impl Exchange {
    /// An exchange over everything that was said, the person's message last.
    pub fn new(turns: Vec<Turn>, limits: ExchangeLimits) -> Self {
        Self { turns: mended(turns), limits, iterations: 0, tokens: 0, calls: VecDeque::new(), over: None }
    }

    /// Everything said so far.
    pub fn turns(&self) -> &[Turn] {
        &self.turns
    }

    /// Answers so far.
    pub const fn iterations(&self) -> u32 {
        self.iterations
    }

    /// What is next. Asking twice changes nothing.
    pub fn next(&self) -> Next {
        if let Some(call) = self.calls.front() {
            return Next::Perform(call.clone());
        }
        match self.over {
            Some(ending) => Next::Over(ending),
            None if self.iterations >= self.limits.iterations || self.tokens >= self.limits.tokens => {
                Next::Over(Ending::Limit)
            }
            None => Next::Think { tools: self.iterations + 1 < self.limits.iterations },
        }
    }

    /// The model answered. `cut` says that it had no more room. The new turn is returned.
    pub fn said(&mut self, text: String, calls: Vec<PastCall>, usage: TokenUsage, cut: bool) -> &Turn {
        self.iterations = self.iterations.saturating_add(1);
        let tokens = u64::from(usage.prompt_tokens).saturating_add(usage.output_tokens.into());
        self.tokens = self.tokens.saturating_add(tokens);
        if calls.is_empty() {
            self.over = Some(if cut { Ending::Length } else { Ending::Stop });
        }
        self.calls.extend(calls.iter().cloned());
        self.keep(Turn::Model { text, calls })
    }

    /// The call that was next has a result. The new turn is returned.
    pub fn performed(&mut self, text: String) -> Option<&Turn> {
        let call = self.calls.pop_front()?;
        Some(self.keep(Turn::Tool { id: call.id, text }))
    }

    fn keep(&mut self, turn: Turn) -> &Turn {
        let at = self.turns.len();
        self.turns.push(turn);
        &self.turns[at]
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Map;

    use super::*;

    const COST: TokenUsage = TokenUsage { prompt_tokens: 90, output_tokens: 10, model_ms: 1 };

    fn call(id: &str) -> PastCall {
        PastCall { id: id.to_owned(), name: "git_status".to_owned(), arguments: Map::new() }
    }

    fn exchange(limits: ExchangeLimits) -> Exchange {
        Exchange::new(vec![Turn::Person { text: "go".to_owned() }], limits)
    }

    #[test]
    fn calls_are_performed_in_order_and_prose_ends_it() {
        let mut exchange = exchange(ExchangeLimits::default());
        assert_eq!(exchange.next(), Next::Think { tools: true });
        exchange.said(String::new(), vec![call("a"), call("b")], COST, false);
        assert_eq!(exchange.next(), Next::Perform(call("a")));
        exchange.performed("x".to_owned());
        assert_eq!(exchange.next(), Next::Perform(call("b")));
        exchange.performed("y".to_owned());
        assert_eq!(exchange.next(), Next::Think { tools: true });
        exchange.said("done".to_owned(), vec![], COST, false);
        assert_eq!(exchange.next(), Next::Over(Ending::Stop));
        assert_eq!((exchange.turns().len(), exchange.iterations()), (5, 2));
        assert_eq!(exchange.performed("nobody asked".to_owned()), None);
    }

    #[test]
    fn it_ends_after_twenty_answers_the_last_without_tools() {
        let mut exchange = exchange(ExchangeLimits::default());
        for round in 1..=20 {
            assert_eq!(exchange.next(), Next::Think { tools: round < 20 }, "{round}");
            exchange.said(String::new(), vec![call("a")], COST, false);
            exchange.performed("x".to_owned());
        }
        assert_eq!(exchange.next(), Next::Over(Ending::Limit));
    }

    #[test]
    fn tokens_are_a_limit_too_and_a_cut_answer_is_told() {
        let mut few = exchange(ExchangeLimits { tokens: 150, ..ExchangeLimits::default() });
        for _ in 0..2 {
            few.said(String::new(), vec![call("a")], COST, false);
            few.performed("x".to_owned());
        }
        assert_eq!(few.next(), Next::Over(Ending::Limit));
        let mut cut = exchange(ExchangeLimits::default());
        cut.said("half".to_owned(), vec![], COST, true);
        assert_eq!(cut.next(), Next::Over(Ending::Length));
    }
}
