//! What an attempt has used, what is left, and how many characters fit the window. Estimates err on the safe
//! side and are corrected by what the engine counts.

use edgecoder_base::{AttemptLimits, Usage};
use serde::{Deserialize, Serialize};

use crate::observation::{TestReport, TokenUsage};

/// Characters per token, low: code has 3 to 4 in large vocabularies, and a prompt that is estimated too
/// small is refused by the engine.
pub const CHARS_PER_TOKEN: u32 = 3;
/// Tokens that the chat template spends on one message.
pub const TOKENS_PER_MESSAGE: u32 = 6;

/// Tokens of `text`, estimated.
pub fn estimate(text: &str) -> u32 {
    let ascii = text.bytes().filter(u8::is_ascii).count();
    let rest = text.chars().filter(|c| !c.is_ascii()).count();
    // outside ASCII a character may well be two tokens
    let tokens = ascii.div_ceil(CHARS_PER_TOKEN as usize).saturating_add(rest.saturating_mul(2));
    u32::try_from(tokens).unwrap_or(u32::MAX)
}

/// Use against limits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Budget {
    limits: AttemptLimits,
    max_completions: u32,
    window: u32,
    percent: u32,
    used: Usage,
}

impl Budget {
    /// A budget for a window of `window` tokens.
    pub fn new(limits: AttemptLimits, max_completions: u32, window: u32) -> Self {
        let max_completions = max_completions.min(limits.max_completions);
        Self { limits, max_completions, window, percent: 100, used: Usage::default() }
    }

    /// Counts an answer.
    pub fn completed(&mut self, usage: TokenUsage) {
        self.used.add(&Usage {
            completions: 1,
            prompt_tokens: u64::from(usage.prompt_tokens),
            output_tokens: u64::from(usage.output_tokens),
            model_ms: usage.model_ms,
            ..Usage::default()
        });
    }

    /// Counts a call that gave no answer, so that a broken engine cannot be asked for ever.
    pub fn failed(&mut self) {
        self.used.completions = self.used.completions.saturating_add(1);
    }

    /// Counts a run of the verifier.
    pub fn executed(&mut self, report: &TestReport) {
        self.used.add(&Usage { executions: 1, sandbox_ms: report.duration_ms, ..Usage::default() });
    }

    /// All that was used.
    pub fn used(&self) -> Usage {
        self.used
    }

    /// Completions that may still be asked for.
    pub fn completions_left(&self) -> u32 {
        let tokens_left = u64::from(self.limits.max_output_tokens) > self.used.output_tokens;
        if tokens_left { self.max_completions.saturating_sub(self.used.completions) } else { 0 }
    }

    /// Tokens for one answer: at most `wanted`, at most what the attempt has left, at most half the window.
    pub fn answer_tokens(&self, wanted: u32) -> u32 {
        let left = u64::from(self.limits.max_output_tokens).saturating_sub(self.used.output_tokens);
        wanted.min(self.window / 2).min(u32::try_from(left).unwrap_or(u32::MAX))
    }

    /// Tokens for a prompt beside an answer of `answer_tokens`.
    pub fn prompt_tokens(&self, answer_tokens: u32) -> u32 {
        let room = self.window.saturating_sub(answer_tokens);
        u32::try_from(u64::from(room) * u64::from(self.percent) / 100).unwrap_or(room)
    }

    /// Tokens of prompt and answer together.
    pub fn window(&self) -> u32 {
        self.window
    }

    /// Uses less of the window from now on, by what the engine counted; the percent now used.
    pub fn shrink(&mut self, prompt_tokens: u32, context_tokens: u32) -> u32 {
        self.window = self.window.min(context_tokens.max(1));
        let fits = u64::from(self.window) * 80 / u64::from(prompt_tokens.max(1));
        let percent = u32::try_from(fits).unwrap_or(100).clamp(25, 70);
        self.percent = self.percent * percent / 100;
        self.percent
    }
}
