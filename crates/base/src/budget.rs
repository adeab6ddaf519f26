//! What an attempt may use and what it used.

use serde::{Deserialize, Serialize};

/// Bounds of one attempt, set by the coordinator and kept by the worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AttemptLimits {
    /// Model completions before the agent must submit or give up.
    pub max_completions: u32,
    /// Tokens generated over all completions.
    pub max_output_tokens: u32,
    /// Wall-clock limit of the whole attempt, milliseconds.
    pub wall_ms: u64,
}

impl Default for AttemptLimits {
    fn default() -> Self {
        Self { max_completions: 12, max_output_tokens: 32_768, wall_ms: 20 * 60 * 1000 }
    }
}

/// Counted use of one attempt, or of all attempts of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(default)]
pub struct Usage {
    /// Model calls.
    pub completions: u32,
    /// Tokens read by the model.
    pub prompt_tokens: u64,
    /// Tokens written by the model.
    pub output_tokens: u64,
    /// Milliseconds the model was busy.
    pub model_ms: u64,
    /// Commands run in the sandbox.
    pub executions: u32,
    /// Milliseconds the sandbox was busy.
    pub sandbox_ms: u64,
}

impl Usage {
    /// Adds another's counts, saturating.
    pub fn add(&mut self, other: &Self) {
        self.completions = self.completions.saturating_add(other.completions);
        self.prompt_tokens = self.prompt_tokens.saturating_add(other.prompt_tokens);
        self.output_tokens = self.output_tokens.saturating_add(other.output_tokens);
        self.model_ms = self.model_ms.saturating_add(other.model_ms);
        self.executions = self.executions.saturating_add(other.executions);
        self.sandbox_ms = self.sandbox_ms.saturating_add(other.sandbox_ms);
    }
}
