//! What is asked when a task is submitted, in our shape and in the published one, and what is meant where it is left open.

use edgecoder_base::{AttemptLimits, BlobHash, Level, PrivacyTier, Scope, SubtaskId, TaskId, Verifier};
use serde::{Deserialize, Serialize};

use crate::work::HiddenVerifier;

fn default_priority() -> u8 {
    50
}

fn default_samples() -> u8 {
    1
}

fn anonymous() -> String {
    "anonymous".to_owned()
}

fn default_project() -> String {
    "default".to_owned()
}

/// `POST /tasks`: a request about a frozen repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SubmitTask {
    /// Chosen by the caller, or made by the coordinator. The same id with the same content is answered with the
    /// same task.
    #[serde(default)]
    pub id: Option<TaskId>,
    /// What is wanted, 1 to 20,000 characters.
    pub request: String,
    /// The frozen repository; none for a plain question.
    #[serde(default)]
    pub snapshot: Option<BlobHash>,
    /// The judge.
    #[serde(default)]
    pub verifier: Option<Verifier>,
    /// The part of the judge that stays with the origin.
    #[serde(default)]
    pub hidden: Option<HiddenVerifier>,
    /// What a patch may touch.
    #[serde(default)]
    pub scope: Scope,
    /// Attempts to make side by side, 1 to 32.
    #[serde(default = "default_samples")]
    pub samples: u8,
    /// Whether to ask for a split into subtasks.
    #[serde(default)]
    pub split: bool,
    /// 0 to 100; higher goes first.
    #[serde(default = "default_priority")]
    pub priority: u8,
    /// Where the content may go.
    #[serde(default)]
    pub privacy: PrivacyTier,
    /// Bounds of each attempt.
    #[serde(default)]
    pub limits: AttemptLimits,
    /// Weakest confinement accepted.
    #[serde(default)]
    pub min_level: Option<Level>,
    /// Model demanded.
    #[serde(default)]
    pub model: Option<String>,
    /// Language, when it matters.
    #[serde(default)]
    pub language: Option<String>,
    /// Account.
    #[serde(default = "anonymous")]
    pub submitter: String,
    /// Project.
    #[serde(default = "default_project")]
    pub project: String,
}

impl SubmitTask {
    /// A request that leaves everything else open, as a body with nothing but `request` does.
    pub fn new(request: impl Into<String>) -> Self {
        Self {
            id: None,
            request: request.into(),
            snapshot: None,
            verifier: None,
            hidden: None,
            scope: Scope::default(),
            samples: default_samples(),
            split: false,
            priority: default_priority(),
            privacy: PrivacyTier::default(),
            limits: AttemptLimits::default(),
            min_level: None,
            model: None,
            language: None,
            submitter: anonymous(),
            project: default_project(),
        }
    }
}

/// A prompt with a language, as older clients send parts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "the names are the published contract and say all there is")]
pub struct PromptPart {
    pub prompt: String,
    #[serde(default)]
    pub language: Option<String>,
}

/// `POST /submit`: the published shape; a prompt without a repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(missing_docs, reason = "the names are the published contract and say all there is")]
pub struct SubmitPrompt {
    pub task_id: TaskId,
    pub prompt: String,
    #[serde(default)]
    pub language: Option<String>,
    #[serde(default)]
    pub snapshot_ref: Option<String>,
    #[serde(default = "anonymous")]
    pub submitter_account_id: String,
    #[serde(default = "default_project")]
    pub project_id: String,
    #[serde(default)]
    pub tenant_id: Option<String>,
    #[serde(default)]
    pub resource_class: Option<String>,
    #[serde(default = "default_priority")]
    pub priority: u8,
    #[serde(default)]
    pub requested_model: Option<String>,
    #[serde(default)]
    pub sandbox_required: Option<bool>,
    #[serde(default)]
    pub subtasks: Vec<PromptPart>,
}

/// Answer to `/submit`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names are the published contract and say all there is")]
pub struct SubmittedPrompt {
    pub task_id: TaskId,
    pub subtasks: Vec<SubtaskId>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_request_is_what_a_bare_body_is() {
        let body: SubmitTask = serde_json::from_str(r#"{"request": "say hello"}"#).unwrap();
        assert_eq!(SubmitTask::new("say hello"), body);
    }
}
