//! The life of a task told as dialogues: what is done to it, and what it says.
#![expect(clippy::unwrap_used, reason = "a test that fails here fails")]

use std::time::Duration;

use edgecoder_base::{
    AttemptId, AttemptLimits, BlobHash, Concern, Level, PrivacyTier, ReviewNote, Scope, TaskId, Timestamp,
    Verifier,
};
use edgecoder_protocol::ErrorCode;
use edgecoder_protocol::api::tasks::ReviewDecision;
use edgecoder_protocol::work::{Outcome, Rejection, Report, Verdict};
use edgecoder_tasks::{
    AttemptState, Command, Ineligible, Plan, PlannedSubtask, Refusal, Spec, Task, TaskState, WorkerProfile,
    invariant, limits,
};

fn spec(samples: u8) -> Spec {
    Spec {
        request: "add a function".into(),
        snapshot: Some(BlobHash::of(b"tree")),
        verifier: Some(Verifier::new("pytest -q")),
        hidden: None,
        scope: Scope::default(),
        samples,
        priority: 50,
        privacy: PrivacyTier::Devices,
        limits: AttemptLimits::default(),
        min_level: Level::S2,
        model: None,
        escalation_model: None,
        language: None,
        submitter: "ada".into(),
        project: "default".into(),
    }
}

fn worker(name: &str, own: bool) -> WorkerProfile {
    WorkerProfile {
        id: name.parse().unwrap(),
        own,
        tier: if own { PrivacyTier::Local } else { PrivacyTier::Devices },
        level: Level::S3,
        models: vec!["tiny".into()],
        max_concurrent: 4,
        blocked: None,
    }
}

fn report(outcome: Outcome) -> Report {
    Report::of(outcome)
}

fn candidate(text: &str) -> Report {
    report(Outcome::Candidate {
        patch: BlobHash::of(text.as_bytes()),
        summary: text.into(),
        claimed_pass: true,
    })
}

fn verdict(rejections: Vec<Rejection>) -> Report {
    report(Outcome::Judged {
        verdict: Verdict {
            rejections,
            tests: None,
            log: None,
            diff: None,
            lines: (1, 0),
            level: Level::S3,
            degraded: Vec::new(),
            verified_by_user: true,
            notes: Vec::new(),
        },
    })
}

/// A passing verdict on a patch that tests do not judge alone.
fn noted(notes: usize) -> Report {
    let mut report = verdict(vec![]);
    let note = ReviewNote {
        concern: Concern::Automation,
        path: ".github/workflows/ci.yml".into(),
        line: None,
        detail: String::new(),
    };
    if let Outcome::Judged { verdict } = &mut report.outcome {
        verdict.notes = vec![note; notes];
    }
    report
}

fn failing() -> Vec<Rejection> {
    vec![Rejection::VerifierFailed { exit: "exit 1".into(), detail: "1 failed".into() }]
}

/// A task, its clock, and short words for what may be done to it.
struct Story {
    task: Task,
    now: Timestamp,
}

impl Story {
    fn new(samples: u8) -> Self {
        Self::of(spec(samples), Plan::single("add a function"))
    }

    fn of(spec: Spec, plan: Plan) -> Self {
        let now = Timestamp::from_millis(1_000);
        Self { task: Task::submit(TaskId::from_entropy(1), spec, plan, now).unwrap(), now }
    }

    fn id(&self, subtask: usize, number: u32) -> AttemptId {
        self.task.id.subtask(subtask).attempt(number)
    }

    fn apply(&mut self, command: Command<'_>) -> Result<(), Refusal> {
        let before = self.task.clone();
        let result = self.task.apply(command, self.now);
        if result.is_err() {
            assert_eq!(self.task, before, "a refusal changes nothing");
        }
        assert_eq!(invariant::check(&self.task), Ok(()));
        result
    }

    fn lease(&mut self, at: (usize, u32), who: &WorkerProfile) -> Result<(), Refusal> {
        let id = self.id(at.0, at.1);
        self.apply(Command::Lease { attempt: &id, worker: who })
    }

    fn report(&mut self, at: (usize, u32), epoch: u64, who: &str, report: Report) -> Result<(), Refusal> {
        let id = self.id(at.0, at.1);
        let who = who.parse().unwrap();
        self.apply(Command::Report { attempt: &id, epoch: Some(epoch), worker: &who, report })
    }

    /// Leases and reports in one go.
    fn work(&mut self, at: (usize, u32), report: Report) {
        self.now = self.now.after(limits::MAX_BACKOFF);
        self.lease(at, &worker("own", true)).unwrap();
        let epoch = self.task.attempt(&self.id(at.0, at.1)).unwrap().1.epoch;
        self.report(at, epoch, "own", report).unwrap();
    }

    fn states(&self, subtask: usize) -> Vec<&'static str> {
        self.task.subtasks[subtask].attempts.iter().map(|attempt| attempt.state.as_str()).collect()
    }
}

#[test]
fn a_patch_with_notes_is_approved_only_by_somebody_who_says_they_were_read() {
    let mut story = Story::new(1);
    story.work((0, 1), candidate("good"));
    story.work((0, 2), noted(1_000));
    let review = |decision, accept_notes| Command::Review { by: "ada", decision, accept_notes };
    assert_eq!(story.apply(review(ReviewDecision::Approve, false)), Err(Refusal::NotesUnread(96)));
    assert_eq!(story.task.state, TaskState::Review);
    story.apply(review(ReviewDecision::Approve, true)).unwrap();
    assert_eq!(story.task.state, TaskState::Approved);
    let mut story = Story::new(1);
    story.work((0, 1), candidate("good"));
    story.work((0, 2), noted(1));
    story.apply(review(ReviewDecision::Reject, false)).unwrap();
    assert_eq!(story.task.state, TaskState::Rejected);
}

#[test]
fn how_an_attempt_was_confined_is_kept_at_its_weakest_and_within_bounds() {
    let mut story = Story::new(1);
    let seen = |level, degraded: &[&str], outcome| Report {
        level: Some(level),
        degraded: degraded.iter().map(|&words| words.to_owned()).collect(),
        ..report(outcome)
    };
    let failed = || Outcome::Failed { code: ErrorCode::Timeout, detail: "x".into(), retryable: true };
    story.work((0, 1), seen(Level::S3, &["proc: none", "cpu: none"], failed()));
    story.now = story.now.after(limits::MAX_BACKOFF);
    story.work((0, 1), seen(Level::S2, &["memory: none", "cpu: none"], failed()));
    story.now = story.now.after(limits::MAX_BACKOFF);
    story.work((0, 1), candidate("good"));
    let first = |story: &Story| story.task.subtasks[0].attempts[0].confinement.clone().unwrap();
    assert_eq!(first(&story).level, Level::S2);
    assert_eq!(first(&story).degraded, ["proc: none", "cpu: none", "memory: none"]);
    let mut report = verdict(vec![]);
    if let Outcome::Judged { verdict } = &mut report.outcome {
        verdict.degraded = vec!["x".repeat(limits::MAX_DETAIL_CHARS + 1); 1_000];
    }
    story.work((0, 2), report);
    let kept = &story.task.subtasks[0].attempts[0].verdict.as_ref().unwrap().degraded;
    assert_eq!((kept.len(), kept[0].len()), (limits::MAX_DEGRADED, limits::MAX_DETAIL_CHARS));
}

#[test]
fn a_proven_candidate_goes_to_review_and_is_approved() {
    let mut story = Story::new(1);
    story.work((0, 1), candidate("good"));
    assert_eq!(story.states(0), ["proposed", "queued"]);
    story.work((0, 2), verdict(vec![]));
    assert_eq!(story.states(0), ["proven", "done"]);
    assert_eq!(story.task.state, TaskState::Review);
    let approve = Command::Review { by: "ada", decision: ReviewDecision::Approve, accept_notes: false };
    story.apply(approve).unwrap();
    assert_eq!(story.task.state, TaskState::Approved);
    let kinds: Vec<_> = story.task.take_events().into_iter().map(|event| event.kind.as_str()).collect();
    assert_eq!(
        kinds,
        [
            "task_enqueue",
            "task_claim",
            "task_complete",
            "task_claim",
            "task_verdict",
            "subtask_done",
            "task_review",
            "task_approved"
        ]
    );
}

#[test]
fn the_first_proven_candidate_stops_the_other_samples() {
    let mut story = Story::new(3);
    story.lease((0, 2), &worker("other", false)).unwrap();
    story.work((0, 1), candidate("good"));
    story.work((0, 4), verdict(vec![]));
    assert_eq!(story.states(0), ["proven", "cancelled", "cancelled", "done"]);
    assert_eq!(
        story.report((0, 2), 1, "other", candidate("late")),
        Err(Refusal::LeaseLost("the attempt is not leased any more"))
    );
}

#[test]
fn a_claim_of_success_is_worth_nothing_without_the_origins_verdict() {
    let mut story = Story::new(1);
    story.work((0, 1), candidate("forged: all green"));
    story.work((0, 2), verdict(failing()));
    assert_eq!(story.states(0), ["refuted", "done", "queued", "queued"], "the second round has two samples");
    assert_eq!(story.task.state, TaskState::Running);
}

#[test]
fn when_nothing_is_proven_the_task_abstains_with_the_reason_and_can_be_tried_again() {
    let mut story = Story::new(1);
    for (code, judge) in [(1, 2), (3, 5), (4, 6)] {
        story.work((0, code), candidate("bad"));
        story.work((0, judge), verdict(failing()));
    }
    assert_eq!(story.task.state, TaskState::Abstained);
    assert_eq!(
        story.task.reason.as_deref(),
        Some("no candidate of 3 attempts was proven; last: the verifier failed (exit 1)")
    );
    story.apply(Command::Review { by: "ada", decision: ReviewDecision::Retry, accept_notes: false }).unwrap();
    assert_eq!(story.task.state, TaskState::Running);
    assert_eq!(story.task.subtasks[0].attempts.last().unwrap().sample, 3, "fresh samples, not the old seeds");
}

#[test]
fn a_larger_model_is_the_rung_before_a_person() {
    let mut spec = spec(1);
    spec.escalation_model = Some("big".into());
    let mut story = Story::of(spec, Plan::single("x"));
    let nothing = || report(Outcome::NoCandidate { detail: "no idea".into() });
    for number in [1, 2, 3] {
        story.work((0, number), nothing());
    }
    assert_eq!(story.task.queue_rows()[0].model.as_deref(), Some("big"));
    let refused = story.lease((0, 4), &worker("own", true));
    assert_eq!(refused, Err(Refusal::NotEligible(Ineligible::Model("big".into()))));
}

#[test]
fn only_the_origins_own_worker_may_judge() {
    let mut story = Story::new(1);
    story.work((0, 1), candidate("good"));
    let refused = story.lease((0, 2), &worker("stranger", false));
    assert_eq!(refused, Err(Refusal::NotEligible(Ineligible::NotOwn)));
}

#[test]
fn an_expired_lease_is_fenced_off_by_its_epoch() {
    let mut story = Story::new(1);
    let slow = worker("slow", false);
    story.lease((0, 1), &slow).unwrap();
    let id = story.id(0, 1);
    assert!(matches!(story.apply(Command::Expire { attempt: &id }), Err(Refusal::LeaseLost(_))));
    story.now = story.now.after(limits::LEASE);
    story.apply(Command::Expire { attempt: &id }).unwrap();
    story.now = story.now.after(limits::BACKOFF);
    story.lease((0, 1), &slow).unwrap();
    assert_eq!(
        story.report((0, 1), 1, "slow", candidate("of the first lease")),
        Err(Refusal::LeaseLost("it was leased again under a newer epoch"))
    );
    assert_eq!(
        story.report((0, 1), 2, "thief", candidate("stolen")),
        Err(Refusal::LeaseLost("another worker holds it"))
    );
    story.report((0, 1), 2, "slow", candidate("of the second lease")).unwrap();
    story.report((0, 1), 2, "slow", candidate("sent twice")).unwrap();
    assert_eq!(story.task.subtasks[0].attempts[0].detail.as_deref(), Some("of the second lease"));
}

#[test]
fn failures_outside_the_work_back_off_and_end_as_a_dead_letter() {
    let mut story = Story::new(1);
    let crash = || {
        report(Outcome::Failed { code: ErrorCode::ModelUnavailable, detail: "gone".into(), retryable: true })
    };
    for _ in 0..limits::MAX_TRIES {
        story.work((0, 1), crash());
    }
    assert_eq!(story.states(0)[0], "dead");
    assert_eq!(story.task.subtasks[0].round, 1, "the next round starts");
}

#[test]
fn a_pause_between_tries_is_kept() {
    let mut story = Story::new(1);
    story.lease((0, 1), &worker("own", true)).unwrap();
    let failed =
        report(Outcome::Failed { code: ErrorCode::ModelUnavailable, detail: "x".into(), retryable: true });
    story.report((0, 1), 1, "own", failed).unwrap();
    assert_eq!(story.lease((0, 1), &worker("own", true)), Err(Refusal::NotLeasable(AttemptState::Queued)));
    story.now = story.now.after(Duration::from_millis(250));
    story.lease((0, 1), &worker("own", true)).unwrap();
}

#[test]
fn a_judgement_that_cannot_be_made_is_no_proof() {
    let mut story = Story::new(1);
    story.work((0, 1), candidate("good"));
    for _ in 0..limits::MAX_TRIES {
        let failed =
            Outcome::Failed { code: ErrorCode::SandboxUnavailable, detail: "x".into(), retryable: true };
        story.work((0, 2), report(failed));
    }
    assert_eq!(&story.states(0)[..2], ["refuted", "dead"]);
}

#[test]
fn cancelling_stops_everything_and_refuses_what_comes_late() {
    let mut story = Story::new(2);
    story.lease((0, 1), &worker("own", true)).unwrap();
    story.apply(Command::Cancel { by: "ada" }).unwrap();
    assert_eq!(story.states(0), ["cancelled", "cancelled"]);
    assert_eq!(story.task.queue_rows(), []);
    assert!(matches!(story.report((0, 1), 1, "own", candidate("late")), Err(Refusal::LeaseLost(_))));
    assert_eq!(story.apply(Command::Cancel { by: "ada" }), Err(Refusal::WrongState(TaskState::Cancelled)));
}

#[test]
fn dependent_subtasks_build_on_proven_patches_and_are_proven_together() {
    let part = |request: &str, depends_on: Vec<usize>| PlannedSubtask {
        request: request.into(),
        depends_on,
        ..PlannedSubtask::default()
    };
    let plan = Plan::new(vec![part("a", vec![]), part("b", vec![0])]).unwrap();
    let mut story = Story::of(spec(1), plan);
    assert_eq!(story.states(1), Vec::<&str>::new());
    story.work((0, 1), candidate("a"));
    story.work((0, 2), verdict(vec![]));
    assert_eq!(story.task.base_patches(1), [BlobHash::of(b"a")]);
    story.work((1, 1), candidate("b"));
    story.work((1, 2), verdict(vec![]));
    assert_eq!(story.task.base_patches(2), [BlobHash::of(b"a"), BlobHash::of(b"b")]);
    story.work((2, 1), verdict(vec![]));
    assert_eq!(story.task.state, TaskState::Review);
}

#[test]
fn what_can_never_be_done_is_refused_by_name() {
    let check = |change: fn(&mut Spec), field: &str| {
        let mut spec = spec(1);
        change(&mut spec);
        let refusal = Task::submit(TaskId::from_entropy(1), spec, Plan::single("x"), Timestamp::default());
        assert!(matches!(refusal, Err(Refusal::Invalid { field: f, .. }) if f == field), "{field}");
    };
    check(|s| s.request = "  ".into(), "request");
    check(|s| s.samples = 0, "samples");
    check(|s| s.samples = 33, "samples");
    check(|s| s.priority = 101, "priority");
    check(|s| s.snapshot = None, "verifier");
    check(|s| s.verifier = Some(Verifier::new(" ")), "verifier.command");
    check(|s| s.limits.max_completions = 0, "limits");
    assert!(matches!(Plan::new(vec![]), Err(Refusal::BadPlan(_))));
    let itself = PlannedSubtask { request: "a".into(), depends_on: vec![0], ..PlannedSubtask::default() };
    assert!(matches!(Plan::new(vec![itself]), Err(Refusal::BadPlan(_))));
}
