//! Whatever is done to a task in whatever order, its invariants hold, refusals change nothing, and it ends.
#![expect(clippy::unwrap_used, reason = "a test that fails here fails")]

use edgecoder_base::{AttemptLimits, BlobHash, Level, PrivacyTier, Scope, TaskId, Timestamp};
use edgecoder_protocol::ErrorCode;
use edgecoder_protocol::work::{Outcome, Rejection, Report, Verdict, WorkKind};
use edgecoder_tasks::{
    Command, Plan, PlannedSubtask, Spec, Task, TaskState, WorkerProfile, invariant, limits,
};
use proptest::prelude::*;

fn worker(index: u8) -> WorkerProfile {
    WorkerProfile {
        id: format!("w{index}").parse().unwrap(),
        own: index == 0,
        tier: PrivacyTier::Local,
        level: Level::S3,
        models: vec!["tiny".into()],
        max_concurrent: 1,
        blocked: None,
    }
}

fn outcome(kind: WorkKind, choice: u8) -> Outcome {
    match (kind, choice % 4) {
        (_, 3) => Outcome::Failed {
            code: ErrorCode::ModelUnavailable,
            detail: "x".into(),
            retryable: choice % 8 == 3,
        },
        (WorkKind::Verify, choice) => Outcome::Judged {
            verdict: Verdict {
                rejections: if choice == 0 { vec![] } else { vec![Rejection::VerifierTimedOut] },
                tests: None,
                log: None,
                diff: None,
                lines: (0, 0),
                level: Level::S3,
                degraded: Vec::new(),
                verified_by_user: true,
                notes: Vec::new(),
            },
        },
        (_, 0) => Outcome::NoCandidate { detail: "x".into() },
        (_, choice) => {
            Outcome::Candidate { patch: BlobHash::of(&[choice]), summary: "x".into(), claimed_pass: true }
        }
    }
}

fn task(samples: u8, chain: usize) -> Task {
    let spec = Spec {
        request: "x".into(),
        snapshot: Some(BlobHash::of(b"tree")),
        verifier: None,
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
        project: "p".into(),
    };
    let part = |index: usize| PlannedSubtask {
        request: "x".into(),
        depends_on: if index == 0 { vec![] } else { vec![index - 1] },
        ..PlannedSubtask::default()
    };
    let plan = Plan::new((0..chain).map(part).collect()).unwrap();
    Task::submit(TaskId::from_entropy(9), spec, plan, Timestamp::default()).unwrap()
}

proptest! {
    #[test]
    fn invariants_hold_and_refusals_change_nothing(
        samples in 1_u8..4,
        chain in 1_usize..4,
        moves in prop::collection::vec((0_u8..6, any::<u8>(), 0_u8..3, any::<u8>()), 0..120),
    ) {
        let mut task = task(samples, chain);
        let mut now = Timestamp::default();
        let mut epochs = std::collections::BTreeMap::new();
        for (what, pick, who, choice) in moves {
            let all: Vec<_> = (0..task.subtasks.len())
                .flat_map(|s| task.subtasks[s].attempts.iter().map(move |a| (s, a.number, a.kind, a.epoch)))
                .collect();
            let Some((subtask, number, kind, epoch)) = all.get(usize::from(pick) % all.len().max(1)).copied() else {
                continue;
            };
            let id = task.id.subtask(subtask).attempt(number);
            let worker = worker(who);
            let before = task.clone();
            let epoch = epoch.saturating_sub(u64::from(choice % 16 == 0));
            let command = match what {
                0 | 1 => Command::Lease { attempt: &id, worker: &worker },
                2 => Command::Expire { attempt: &id },
                3 => Command::Renew { attempt: &id, epoch, worker: &worker.id },
                4 => Command::Report {
                    attempt: &id,
                    epoch: Some(epoch),
                    worker: &worker.id,
                    report: Report::of(outcome(kind, choice)),
                },
                _ => Command::Release { attempt: &id, epoch, worker: &worker.id },
            };
            let leased = matches!(command, Command::Lease { .. });
            match task.apply(command, now) {
                Ok(()) if leased => {
                    let granted = task.attempt(&id).unwrap().1.epoch;
                    prop_assert!(epochs.insert((id, granted), ()).is_none(), "an epoch is granted once");
                }
                Ok(()) => (),
                Err(_) => prop_assert_eq!(&task, &before),
            }
            prop_assert_eq!(invariant::check(&task), Ok(()));
            let document = serde_json::to_string(&task).unwrap();
            let mut back: Task = serde_json::from_str(&document).unwrap();
            let mut same = task.clone();
            same.take_events();
            same.take_output();
            back.take_events();
            prop_assert_eq!(back, same);
            now = now.after(limits::LEASE / 3);
        }
    }

    #[test]
    fn a_diligent_worker_brings_every_task_to_an_end(choices in prop::collection::vec(any::<u8>(), 400)) {
        let mut task = task(2, 2);
        let mut now = Timestamp::default();
        let own = worker(0);
        for choice in choices {
            now = now.after(limits::MAX_BACKOFF);
            let Some(row) = task.queue_rows().into_iter().find(|row| !row.leased) else { break };
            task.apply(Command::Lease { attempt: &row.attempt, worker: &own }, now).unwrap();
            let report = Report::of(outcome(row.kind, choice));
            let command = Command::Report { attempt: &row.attempt, epoch: None, worker: &own.id, report };
            task.apply(command, now).unwrap();
        }
        prop_assert!(matches!(task.state, TaskState::Review | TaskState::Abstained), "{:?}", task.state);
    }
}
