//! The end of a stream of several answers, which chats and completions have in common.

use axum::body::Bytes;
use edgecoder_worker::TokenUsage;
use serde_json::Value;

use super::usage;
use crate::ide::sse;
use crate::ide::stamp::together;

/// What follows the last answer: the usage of all, where it is wanted, and the end.
#[derive(Debug)]
pub(super) struct Tail {
    open: usize,
    wanted: bool,
    usages: Vec<TokenUsage>,
}

impl Tail {
    /// Of so many answers.
    pub(super) fn of(answers: usize, usage_wanted: bool) -> Self {
        Self { open: answers, wanted: usage_wanted, usages: Vec::with_capacity(answers) }
    }

    /// One more answer has ended. `bare` is a chunk without choices, in the form of the stream.
    pub(super) fn after(&mut self, answer: TokenUsage, bare: Value) -> Vec<Bytes> {
        self.usages.push(answer);
        self.open = self.open.saturating_sub(1);
        if self.open > 0 {
            return Vec::new();
        }
        let counted = self.wanted.then(|| {
            let mut chunk = bare;
            chunk["usage"] = usage(together(self.usages.iter().copied()));
            sse::event(&chunk)
        });
        counted.into_iter().chain([sse::DONE]).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_the_last_answer_ends_the_stream() {
        let answer = TokenUsage { output_tokens: 2, ..TokenUsage::default() };
        let check = |wanted: bool, expected: usize| {
            let mut tail = Tail::of(2, wanted);
            assert!(tail.after(answer, json!({})).is_empty());
            let told = tail.after(answer, json!({}));
            assert_eq!((told.len(), told.last()), (expected, Some(&sse::DONE)));
            if let [counted, _] = told.as_slice() {
                let text = String::from_utf8(counted.to_vec()).unwrap();
                assert!(text.contains(r#""completion_tokens":4"#), "{text}");
            }
        };
        check(true, 2);
        check(false, 1);
    }
}
