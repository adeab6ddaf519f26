//! Every way to tamper with a chain that we can think of, and the name the verifier gives it.
#![expect(clippy::unwrap_used, reason = "a test that fails here fails")]

use edgecoder_base::{NodeKey, Timestamp};
use edgecoder_ledger::{Draft, Fault, Head, Verifier};
use edgecoder_protocol::ledger::{Checkpoint, Entry};

fn key() -> NodeKey {
    NodeKey::from_seed(&[3; 32])
}

fn chain(length: u64) -> (Vec<Entry>, Checkpoint) {
    let mut head = Head::genesis(key().public().node_id());
    let entries: Vec<Entry> = (0..length)
        .map(|n| {
            let draft = Draft {
                event_type: "task_claim",
                task_id: "task_a".parse().ok(),
                subtask_id: None,
                actor_id: format!("worker-{n}"),
                payload_json: Some(format!("{{\"epoch\":{n}}}")),
            };
            head.append(draft, Timestamp::from_millis(1_000 + i64::try_from(n).unwrap()))
        })
        .collect();
    let text = Checkpoint::signed_text(&head.coordinator_id, head.sequence, &head.hash);
    let checkpoint = Checkpoint {
        coordinator_id: head.coordinator_id.clone(),
        sequence: head.sequence,
        hash: head.hash,
        signed_at: Timestamp::from_millis(9_000),
        signature: key().sign(text.as_bytes()),
    };
    (entries, checkpoint)
}

fn walk(entries: &[Entry], checkpoint: &Checkpoint) -> Result<(), Fault> {
    let mut verifier = Verifier::new(key().public().node_id(), Some(key().public()));
    for entry in entries {
        verifier.entry(entry)?;
    }
    verifier.checkpoint(checkpoint)
}

fn check(change: impl FnOnce(&mut Vec<Entry>, &mut Checkpoint), expected: Result<(), Fault>) {
    let (mut entries, mut checkpoint) = chain(5);
    change(&mut entries, &mut checkpoint);
    assert_eq!(walk(&entries, &checkpoint), expected);
}

#[test]
fn an_untouched_chain_verifies() {
    check(|_, _| (), Ok(()));
}

#[test]
fn every_tampering_has_its_name() {
    check(|e, _| e[2].actor_id = "worker-9".into(), Err(Fault::Changed(3)));
    check(|e, _| e[2].payload_json = Some("{}".into()), Err(Fault::Changed(3)));
    check(|e, _| e[2].issued_at_ms -= 1, Err(Fault::Changed(3)));
    check(|e, _| e[2].event_type = "task_complete".into(), Err(Fault::Changed(3)));
    check(|e, _| e[2].task_id = "task_b".parse().ok(), Err(Fault::Changed(3)));
    check(|e, _| e[2].id.replace_range(0..1, "z"), Err(Fault::WrongId(3)));
    check(|e, _| drop(e.remove(2)), Err(Fault::Sequence { expected: 3, found: 4 }));
    check(|e, _| e.swap(1, 2), Err(Fault::Sequence { expected: 2, found: 3 }));
    check(|e, _| e.insert(1, e[0].clone()), Err(Fault::Sequence { expected: 2, found: 1 }));
    check(|e, _| e.truncate(3), Err(Fault::Truncated { height: 3, signed: 5 }));
    check(|e, _| e[0].coordinator_id = "node_x".parse().unwrap(), Err(Fault::ForeignEntry(1)));
    check(|e, _| e[0].prev_hash = "0".repeat(64), Err(Fault::BrokenLink(1)));
    check(|_, c| c.hash = "0".repeat(64), Err(Fault::Forked(5)));
    check(|_, c| c.signature = NodeKey::from_seed(&[9; 32]).sign(b"x"), Err(Fault::BadSignature(5)));
}

#[test]
fn a_rewritten_history_is_a_fork() {
    let (mut entries, checkpoint) = chain(5);
    let mut head = Head::genesis(key().public().node_id());
    for entry in &mut entries {
        let draft = Draft {
            event_type: "task_claim",
            task_id: entry.task_id.clone(),
            subtask_id: None,
            actor_id: "mallory".into(),
            payload_json: None,
        };
        *entry = head.append(draft, Timestamp::from_millis(entry.issued_at_ms));
    }
    assert_eq!(walk(&entries, &checkpoint), Err(Fault::Forked(5)));
}
