//! The conversation between worker and coordinator, and the one with whoever splits requests: as traits, so
//! that a caller cannot tell a role in the same process from one across the network.

use edgecoder_base::{
    AttemptId, AttemptLimits, BlobHash, Level, PrivacyTier, ReviewNote, Scope, SubtaskId, TaskId, Timestamp,
    Usage, Verifier,
};
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};

use crate::ErrorCode;
use crate::api::agents::{
    HeartbeatReply, HeartbeatRequest, PullReply, PullRequest, RegisterReply, RegisterRequest, ResultReply,
    ResultRequest,
};
use crate::api::inference::{DecomposeReply, DecomposeRequest};

/// What kind of work an attempt is.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum WorkKind {
    /// Change a repository: plan, code, test, iterate; propose a patch.
    Code,
    /// Judge a proposed patch on a clean copy. Only the origin's own worker may.
    Verify,
    /// Answer a prompt that has no repository.
    Answer,
}

impl WorkKind {
    /// The kind as stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Code => "code",
            Self::Verify => "verify",
            Self::Answer => "answer",
        }
    }
}

/// The part of a verifier that only the origin holds and only its own worker sees.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HiddenVerifier {
    /// The file's content.
    pub file: BlobHash,
    /// Where it is placed in the clean copy, relative to the repository's root.
    pub path: String,
    /// How it is run.
    pub verifier: Verifier,
}

/// Everything a worker needs to make one attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Assignment {
    /// The task.
    pub task: TaskId,
    /// Its subtask.
    pub subtask: SubtaskId,
    /// This try.
    pub attempt: AttemptId,
    /// Fencing token: every message about this attempt carries it.
    pub epoch: u64,
    /// Deadline unless renewed.
    pub lease_until: Timestamp,
    /// What to do.
    pub kind: WorkKind,
    /// What the person asked for.
    pub request: String,
    /// Language, when the submitter named one.
    pub language: Option<String>,
    /// The frozen repository; none for `answer`.
    pub snapshot: Option<BlobHash>,
    /// Verified patches of subtasks this one builds on, in order.
    pub base: Vec<BlobHash>,
    /// For `verify`: the patch to judge, on top of `base`.
    pub candidate: Option<BlobHash>,
    /// The visible verifier.
    pub verifier: Option<Verifier>,
    /// For `verify`: the hidden part.
    pub hidden: Option<HiddenVerifier>,
    /// What a patch may touch.
    pub scope: Scope,
    /// Which of the N samples this is, from 0.
    pub sample: u32,
    /// Seed of everything random in the attempt.
    pub seed: u64,
    /// Bounds.
    pub limits: AttemptLimits,
    /// Confinement the task demands.
    pub min_level: Level,
    /// Model the task demands.
    pub model: Option<String>,
    /// Where the content may go.
    pub privacy: PrivacyTier,
}

/// Counts of a test run, where the output allowed to count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
pub struct TestCounts {
    /// Tests that passed.
    pub passed: u32,
    /// Tests that failed or could not run.
    pub failed: u32,
}

/// Why a candidate was refused by the origin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum Rejection {
    /// The patch is unreadable, unsafe, or not made for this snapshot.
    DoesNotApply {
        /// What is wrong.
        detail: String,
    },
    /// The patch changes nothing.
    Empty,
    /// A path outside the scope contract.
    OutOfScope {
        /// The path.
        path: String,
        /// The rule it breaks.
        detail: String,
    },
    /// A test, or what configures tests, was touched.
    TestsEdited {
        /// The path.
        path: String,
    },
    /// The verifier did not exit with 0.
    VerifierFailed {
        /// Exit status or signal, for people.
        exit: String,
        /// The end of its output.
        detail: String,
    },
    /// The verifier ran out of time.
    VerifierTimedOut,
    /// The hidden verifier did not exit with 0. Its output stays with the origin.
    HiddenVerifierFailed,
    /// The hidden verifier ran out of time.
    HiddenVerifierTimedOut,
}

impl std::fmt::Display for Rejection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::DoesNotApply { detail } => write!(f, "the patch does not apply: {detail}"),
            Self::Empty => f.write_str("the patch changes nothing"),
            Self::OutOfScope { path, detail } => write!(f, "out of scope: {path} ({detail})"),
            Self::TestsEdited { path } => write!(f, "the patch edits a test: {path}"),
            Self::VerifierFailed { exit, .. } => write!(f, "the verifier failed ({exit})"),
            Self::VerifierTimedOut => f.write_str("the verifier ran out of time"),
            Self::HiddenVerifierFailed => f.write_str("the hidden verifier failed"),
            Self::HiddenVerifierTimedOut => f.write_str("the hidden verifier ran out of time"),
        }
    }
}

/// How the origin judged a candidate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Verdict {
    /// Empty when the candidate passed.
    pub rejections: Vec<Rejection>,
    /// Counted tests.
    pub tests: Option<TestCounts>,
    /// The verifier's output.
    pub log: Option<BlobHash>,
    /// The change as a unified diff.
    pub diff: Option<BlobHash>,
    /// Lines added and removed.
    pub lines: (u32, u32),
    /// How it was confined.
    pub level: Level,
    /// Layers of the confinement that were weaker than they should be, in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub degraded: Vec<String>,
    /// Whether a verifier of the user's ran, or only a syntax check.
    pub verified_by_user: bool,
    /// What a person must look at before the patch is taken.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<ReviewNote>,
}

impl Verdict {
    /// Whether the candidate is proven.
    pub fn passed(&self) -> bool {
        self.rejections.is_empty()
    }
}

/// What came of an attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// A patch is proposed; what the worker believes of it is a hint.
    Candidate {
        /// The patch.
        patch: BlobHash,
        /// One line for people.
        summary: String,
        /// Whether it passed the visible verifier at the worker's.
        claimed_pass: bool,
    },
    /// The agent stopped without a patch.
    NoCandidate {
        /// Why.
        detail: String,
    },
    /// Judgement of another attempt's candidate.
    Judged {
        /// The verdict.
        verdict: Verdict,
    },
    /// Text, for `answer`.
    Answer {
        /// Whether the worker thinks it succeeded.
        ok: bool,
        /// The text.
        output: String,
    },
    /// Nothing wrong with the work: engine, sandbox or disk failed.
    Failed {
        /// What failed, as an error code.
        code: ErrorCode,
        /// More, for people.
        detail: String,
        /// Whether another try may succeed.
        retryable: bool,
    },
}

/// What a worker reports at the end of an attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// The outcome.
    pub outcome: Outcome,
    /// What was used, as the worker counts it.
    #[serde(default)]
    pub usage: Usage,
    /// Model that did the work.
    #[serde(default)]
    pub model: Option<String>,
    /// The append-only trace.
    #[serde(default)]
    pub trace: Option<BlobHash>,
    /// Confinement the executions had.
    #[serde(default)]
    pub level: Option<Level>,
    /// Layers of it that were weaker than they should be, in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub degraded: Vec<String>,
    /// Why the sandbox ran nothing, where that is what failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<SandboxRefusal>,
}

impl Report {
    /// A report of `outcome` and nothing else.
    pub fn of(outcome: Outcome) -> Self {
        Self {
            outcome,
            usage: Usage::default(),
            model: None,
            trace: None,
            level: None,
            degraded: Vec::new(),
            refused: None,
        }
    }
}

/// Why a sandbox ran nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SandboxRefusal {
    /// It cannot be built on the worker's machine, or not at the level that the task asks for.
    Unavailable,
    /// The image of mode `docker` is not there.
    ImageMissing,
    /// The daemon of mode `docker` failed.
    Daemon,
    /// The launcher failed, or ended without a word.
    Launcher,
    /// What was to be run contradicts itself.
    InvalidJob,
}

impl SandboxRefusal {
    /// As it is written everywhere.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unavailable => "unavailable",
            Self::ImageMissing => "image_missing",
            Self::Daemon => "daemon",
            Self::Launcher => "launcher",
            Self::InvalidJob => "invalid_job",
        }
    }
}

/// How executions were confined, at their weakest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Confinement {
    /// The lowest level any of them had.
    pub level: Level,
    /// Layers that were weaker than they should be in any of them, in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub degraded: Vec<String>,
}

impl Confinement {
    /// What is true of this execution and of those `before` it.
    #[must_use]
    pub fn after(mut self, before: Option<Self>) -> Self {
        let Some(before) = before else { return self };
        self.level = self.level.min(before.level);
        self.degraded.retain(|words| !before.degraded.contains(words));
        self.degraded = [before.degraded, self.degraded].concat();
        self
    }
}

/// Why a call of [`WorkSource`] failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum WorkError {
    /// The coordinator said no.
    #[error("the coordinator refused: {message} ({code})")]
    Refused {
        /// Its code.
        code: ErrorCode,
        /// Its words.
        message: String,
    },
    /// The coordinator could not be reached or did not answer in time.
    #[error("the coordinator is unreachable: {0}")]
    Unreachable(String),
    /// The answer made no sense.
    #[error("the coordinator's answer is not understood: {0}")]
    Protocol(String),
}

impl WorkError {
    /// Whether the same call may succeed later.
    pub const fn is_retryable(&self) -> bool {
        match self {
            Self::Refused { code, .. } => matches!(
                code,
                ErrorCode::StoreUnavailable
                    | ErrorCode::StorageFull
                    | ErrorCode::ShuttingDown
                    | ErrorCode::Timeout
                    | ErrorCode::RateLimited
                    | ErrorCode::Internal
            ),
            Self::Unreachable(_) => true,
            Self::Protocol(_) => false,
        }
    }
}

/// Where a worker gets work and takes results: a coordinator, near or far.
pub trait WorkSource: Send + Sync + std::fmt::Debug {
    /// Makes the worker known. Idempotent. Leases of an earlier run of the same worker are released.
    fn register(&self, request: RegisterRequest) -> BoxFuture<'_, Result<RegisterReply, WorkError>>;
    /// Renews leases and learns what was cancelled; waits up to `wait_ms` for news.
    fn heartbeat(&self, request: HeartbeatRequest) -> BoxFuture<'_, Result<HeartbeatReply, WorkError>>;
    /// Asks for work; waits up to `wait_ms` for it.
    fn pull(&self, request: PullRequest) -> BoxFuture<'_, Result<PullReply, WorkError>>;
    /// Takes an attempt's outcome. Idempotent for the same attempt and epoch.
    fn result(&self, request: ResultRequest) -> BoxFuture<'_, Result<ResultReply, WorkError>>;
    /// Fetches a blob.
    fn fetch_blob(&self, hash: BlobHash) -> BoxFuture<'_, Result<Vec<u8>, WorkError>>;
    /// Hands over a blob.
    fn put_blob(&self, bytes: Vec<u8>) -> BoxFuture<'_, Result<BlobHash, WorkError>>;
}

/// Whoever splits a request into a plan.
pub trait Decomposer: Send + Sync + std::fmt::Debug {
    /// Splits; falls back to one subtask and says so.
    fn decompose(&self, request: DecomposeRequest) -> BoxFuture<'_, Result<DecomposeReply, WorkError>>;
}
