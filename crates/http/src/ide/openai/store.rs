//! Answers of `/v1/responses` that later requests go on from. Memory only, bounded by number and by bytes: a client
//! that finds its answer gone sends the conversation anew, as it does with OpenAI after thirty days.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::ide::ask::Turn;

/// Answers remembered.
const MAX_ANSWERS: usize = 512;
/// Bytes of their conversations, together.
const MAX_BYTES: usize = 32 * 1024 * 1024;

/// The conversation up to and with one answer.
#[derive(Debug, Clone)]
pub(in crate::ide) struct Kept {
    id: String,
    turns: Arc<[Turn]>,
    bytes: usize,
}

/// The answers, oldest first.
#[derive(Debug, Default)]
pub(in crate::ide) struct Kepts(Mutex<VecDeque<Kept>>);

impl Kepts {
    /// Keeps a conversation under the id of its last answer; the oldest give way.
    pub(super) fn keep(&self, id: &str, turns: Vec<Turn>) {
        let bytes = turns.iter().map(Turn::bytes).fold(0, usize::saturating_add);
        if bytes > MAX_BYTES {
            return;
        }
        let mut kept = self.0.lock();
        kept.push_back(Kept { id: id.to_owned(), turns: turns.into(), bytes });
        let mut all = kept.iter().map(|kept| kept.bytes).fold(0, usize::saturating_add);
        while kept.len() > MAX_ANSWERS || all > MAX_BYTES {
            let Some(oldest) = kept.pop_front() else { break };
            all = all.saturating_sub(oldest.bytes);
        }
    }

    /// The conversation that ended with this answer.
    pub(super) fn of(&self, id: &str) -> Option<Arc<[Turn]>> {
        let kept = self.0.lock();
        kept.iter().rev().find(|kept| kept.id == id).map(|kept| Arc::clone(&kept.turns))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_give_way_to_number_and_bytes() {
        let kepts = Kepts::default();
        let turns = |bytes: usize| vec![Turn::User("x".repeat(bytes))];
        for n in 0..=MAX_ANSWERS {
            kepts.keep(&n.to_string(), turns(1));
        }
        assert!(kepts.of("0").is_none() && kepts.of("1").is_some());
        kepts.keep("large", turns(MAX_BYTES));
        assert!(kepts.of("1").is_none() && kepts.of("large").is_some());
        kepts.keep("too large", turns(MAX_BYTES + 1));
        assert!(kepts.of("too large").is_none() && kepts.of("large").is_some());
    }
}
