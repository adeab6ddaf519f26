//! What was asked, as it was accepted: never changes afterwards.

use edgecoder_base::{AttemptLimits, BlobHash, Level, PrivacyTier, Scope, Verifier};
use edgecoder_protocol::work::HiddenVerifier;
use serde::{Deserialize, Serialize};

use crate::{Refusal, limits};

/// The immutable part of a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spec {
    /// What is wanted.
    pub request: String,
    /// The frozen repository; none for a plain prompt.
    pub snapshot: Option<BlobHash>,
    /// The visible judge.
    pub verifier: Option<Verifier>,
    /// The part of the judge that stays here.
    pub hidden: Option<HiddenVerifier>,
    /// What a patch may touch.
    pub scope: Scope,
    /// Attempts side by side.
    pub samples: u8,
    /// 0 to 100.
    pub priority: u8,
    /// Where the content may go.
    pub privacy: PrivacyTier,
    /// Bounds of each attempt.
    pub limits: AttemptLimits,
    /// Weakest confinement accepted.
    pub min_level: Level,
    /// Model demanded.
    pub model: Option<String>,
    /// Larger model to escalate to, from the coordinator's configuration.
    pub escalation_model: Option<String>,
    /// Language named by the submitter.
    pub language: Option<String>,
    /// Account.
    pub submitter: String,
    /// Project.
    pub project: String,
}

impl Spec {
    /// Refuses what can never be done, naming the field.
    pub fn check(&self) -> Result<(), Refusal> {
        let invalid = |field, rule| Err(Refusal::Invalid { field, rule });
        let chars = self.request.chars().count();
        if self.request.trim().is_empty() || chars > limits::MAX_REQUEST_CHARS {
            return invalid("request", "1 to 20,000 characters");
        }
        if self.samples == 0 || self.samples > limits::MAX_SAMPLES {
            return invalid("samples", "1 to 32");
        }
        if self.priority > 100 {
            return invalid("priority", "0 to 100");
        }
        if self.verifier.as_ref().is_some_and(|verifier| verifier.command.trim().is_empty()) {
            return invalid("verifier.command", "not empty");
        }
        if self.verifier.as_ref().is_some_and(|verifier| !(1..=86_400_000).contains(&verifier.timeout_ms)) {
            return invalid("verifier.timeout_ms", "1 to 86,400,000");
        }
        if self.snapshot.is_none() && (self.verifier.is_some() || self.hidden.is_some()) {
            return invalid("verifier", "needs a snapshot to run on");
        }
        if self.hidden.as_ref().is_some_and(|h| !edgecoder_base::snapshot::is_safe_path(&h.path)) {
            return invalid("hidden.path", "relative, without `..`");
        }
        if self.limits.max_completions == 0 || self.limits.max_output_tokens == 0 || self.limits.wall_ms == 0
        {
            return invalid("limits", "each at least 1");
        }
        Ok(())
    }
}
