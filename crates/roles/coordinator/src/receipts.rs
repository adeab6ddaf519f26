//! Receipts: a signed record of who did what to which snapshot and how it was judged, checkable offline.

use edgecoder_base::{BlobHash, Blobs, PublicKey, Signature};
use edgecoder_protocol::api::tasks::Receipt;
use edgecoder_tasks::Task;
use serde::{Deserialize, Serialize};

use crate::{Error, Handle};

/// A receipt with its signature over `edgecoder-receipt-v1`, a newline, and the receipt's JSON.
#[derive(Debug, Serialize, Deserialize)]
struct SignedReceipt {
    receipt: Receipt,
    key: PublicKey,
    signature: Signature,
}

impl Handle {
    /// Writes the receipt of a proven task, first the blob, then the note of it. A task that was proven just
    /// before a crash gets its receipt from the reaper.
    pub(crate) async fn issue_receipt(&self, task: &Task) -> Result<(), Error> {
        let (Some(proof), None) = (task.proof(), task.receipt) else { return Ok(()) };
        let verifier = serde_json::to_vec(&(&task.spec.verifier, &task.spec.hidden)).unwrap_or_default();
        let receipt = Receipt {
            task: task.id.clone(),
            snapshot: task.spec.snapshot,
            patches: proof.patches,
            verifier: BlobHash::of(&verifier),
            test_log: proof.verdict.log,
            attempt: proof.id,
            worker: proof.attempt.worker.clone(),
            model: proof.attempt.model.clone(),
            origin: self.inner.id.clone(),
            level: proof.verdict.level,
            usage: task.usage(),
            submitted_at: task.created_at,
            verified_at: task.ended_at.unwrap_or(task.updated_at),
        };
        let text = serde_json::to_string(&receipt).unwrap_or_default();
        let signature = self.inner.key.sign(format!("edgecoder-receipt-v1\n{text}").as_bytes());
        let signed = SignedReceipt { receipt, key: self.own_key(), signature };
        let bytes = serde_json::to_vec(&signed).unwrap_or_default();
        let hash = self.blocking("keeping the receipt", move |blobs| blobs.write(&bytes)).await?;
        match self.inner.store.change(&task.id, move |task| task.note_receipt(hash)).await {
            // Refused: somebody else noted it first.
            Ok(_) | Err(edgecoder_store::Error::Refused(_)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}
